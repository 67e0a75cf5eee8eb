/** Which engines are in use, and how to get better ones. */

import { t } from '../i18n.js';
import { sentence } from '../problems.js';
import { make } from './dom.js';

/** @typedef {import('../messages.js').EngineInfo} EngineInfo */

/** @type {(keyof import('../messages.js').Engines)[]} */
export const PARTS = ['vad', 'asr', 'llm', 'tts'];

/**
 * @param {Partial<Record<string, EngineInfo | string>>} engines
 * @returns {HTMLElement[]} entries of a list of terms
 */
export function engineEntries(engines) {
  return PARTS.flatMap((part) => {
    const info = engines[part];
    if (!info) return [];
    // The health report has only the detector's name.
    return [entry(t(`engine.${part}`), typeof info === 'string' ? { engine: info, model: info, demo: false, languages: [] } : info)];
  });
}

/**
 * @param {string} part
 * @param {EngineInfo} info
 */
function entry(part, info) {
  const name = make('span', 'engine-name', info.model === info.engine ? info.model : `${info.engine}: ${info.model}`);
  if (info.demo) name.append(make('span', 'badge tag', t('engine.demo')));
  const said = make('dd', '', name);
  if (info.hint) said.append(make('p', 'engine-hint', ...withCode(sentence(info.hint))));
  return make('div', '', make('dt', '', part), said);
}

/**
 * What stands between backticks is to be typed as it is.
 * @param {string} text
 */
function withCode(text) {
  return text.split('`').map((part, index) => (index % 2 === 0 ? part : make('code', '', part)));
}
