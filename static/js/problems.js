/** What can go wrong with a live conversation, in plain words, and what to do about it. */

import { has, language, plural, t } from './i18n.js';

/**
 * @typedef {object} Problem
 * @property {string} key one problem of a kind is shown at a time
 * @property {'error' | 'wait' | 'hint'} tone
 * @property {string} title
 * @property {string} text
 * @property {string} [detail] for those who run the server
 * @property {{href: string, label: string}} [link] a page that says more
 * @property {'microphone' | 'reconnect' | 'start' | 'sound'} [remedy] what its button does
 * @property {string} [remedyLabel]
 */

/** @returns {Problem} */
export function insecureContext() {
  const { protocol, host } = location;
  return {
    key: 'microphone',
    tone: 'error',
    title: t('live.problem.insecure.title'),
    text: t('live.problem.insecure.text', { address: `${protocol}//${host}` }),
    detail: t('live.problem.insecure.detail'),
    link: { href: '/help/microphone/', label: t('live.problem.insecure.link') },
  };
}

/** @returns {Problem} */
export function soundUnsupported() {
  return { key: 'microphone', tone: 'error', title: t('live.problem.sound.title'), text: t('live.problem.sound.text') };
}

/**
 * @param {unknown} error what getUserMedia threw
 * @returns {Problem}
 */
export function microphoneProblem(error) {
  const name = error instanceof DOMException ? error.name : '';
  const again = /** @type {const} */ ({ key: 'microphone', tone: 'error', remedy: 'microphone' });
  /** @param {string} kind @param {string} [text] */
  const problem = (kind, text = 'text') => ({
    ...again,
    remedyLabel: t('failure.again'),
    title: t(`live.problem.microphone_${kind}.title`),
    text: t(`live.problem.microphone_${kind}.${text}`),
  });
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    const bySystem = error instanceof DOMException && /system/i.test(error.message);
    return problem('refused', bySystem ? 'by_system' : 'text');
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return problem('missing');
  if (name === 'NotReadableError' || name === 'AbortError') return problem('busy');
  return { ...problem('broken'), detail: error instanceof Error ? error.message : String(error) };
}

/** @returns {Problem} */
export function microphoneLost() {
  return {
    key: 'microphone',
    tone: 'error',
    title: t('live.problem.microphone_lost.title'),
    text: t('live.problem.microphone_lost.text'),
    remedy: 'microphone',
    remedyLabel: t('failure.again'),
  };
}

/** @returns {Problem} */
export function microphoneSilent() {
  return { key: 'silence', tone: 'hint', title: t('live.problem.silent.title'), text: t('live.problem.silent.text') };
}

/** @returns {Problem} */
export function soundBlocked() {
  return {
    key: 'sound',
    tone: 'hint',
    title: t('live.problem.blocked.title'),
    text: t('live.problem.blocked.text'),
    remedy: 'sound',
    remedyLabel: t('live.problem.blocked.remedy'),
  };
}

/**
 * @param {'lost' | 'unreachable' | 'overloaded' | 'restarting'} cause
 * @param {number} seconds until the next attempt
 * @returns {Problem}
 */
export function linkProblem(cause, seconds) {
  const soon = seconds <= 1 ? t('live.link.now') : plural('live.link.soon', seconds);
  return {
    key: 'link',
    tone: 'wait',
    remedy: 'reconnect',
    remedyLabel: t('failure.now'),
    title: t(`live.link.${cause}.title`),
    text: `${t(`live.link.${cause}.text`)} ${soon}`,
    ...(cause === 'overloaded' ? { detail: t('live.link.overloaded.detail') } : {}),
  };
}

/** @returns {Problem} */
export function linkClosed() {
  return { key: 'link', tone: 'hint', title: t('live.link.idle.title'), text: t('live.link.idle.text') };
}

/**
 * @param {string} reason
 * @returns {Problem}
 */
export function startRefused(reason) {
  return { key: 'link', tone: 'error', title: t('live.link.refused.title'), text: t('live.link.refused.text'), detail: reason };
}

/** Errors that need no words: the page asked for something that was over by the time the server read it. */
const QUIET = new Set(['nothing_to_cancel', 'already_started', 'idle', 'shutting_down', 'slow_reader', 'resume_unknown']);

/**
 * @param {import('./messages.js').ErrorEvent_} event
 * @returns {Problem | null}
 */
export function serverProblem(event) {
  const { code } = event;
  if (QUIET.has(code)) return null;
  if (code === 'nothing_to_commit') {
    return { key: 'turn', tone: 'hint', title: t('live.error.nothing_to_commit'), text: t('live.error.nothing_to_commit_text') };
  }
  const title = t(has(`live.error.${code}`) ? `live.error.${code}` : 'failure.unknown.title');
  const [message, hint] = [sentence(event.message), event.hint && sentence(event.hint)];
  // The server speaks English here; who does not read it gets the page's words first.
  if (language === 'en' || !has(`problem.${code}`)) return { key: 'turn', tone: 'error', title, text: message, detail: hint };
  return { key: 'turn', tone: 'error', title, text: t(`problem.${code}`), detail: [message, hint].filter(Boolean).join(' ') };
}

/**
 * The server's words begin small and end without a full stop.
 * @param {string} text
 */
export function sentence(text) {
  const trimmed = text.trim();
  const end = /[.!?]$/.test(trimmed) ? '' : '.';
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + end;
}
