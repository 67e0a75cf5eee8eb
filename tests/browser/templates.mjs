/**
 * The page templates without the server that renders them: the part of the askama language that they use, for the fake
 * server. What is between the braces there is a JavaScript expression too.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../templates', import.meta.url));
const LOCALES = fileURLToPath(new URL('../../static/locales', import.meta.url));

/** @typedef {{body: string, blocks: Map<string, string>, parent: string | null}} Parsed */

/** @param {string} name @returns {string} */
const source = (name) => readFileSync(join(FOLDER, name), 'utf8').replace(/\s*\{%-/g, '{%').replace(/\{%\s*include "([^"]+)"\s*%\}/g, (_, file) => source(file));

/**
 * Replaces blocks, innermost last, by what the page says instead of them.
 * @param {string} text
 * @param {Map<string, string>} blocks
 * @returns {string}
 */
function filled(text, blocks) {
  return text.replace(/\{% block (\w+) %\}([\s\S]*?)\{% endblock %\}/g, (_, name, own) => blocks.get(name) ?? own);
}

/**
 * @param {string} name of the file
 * @param {Record<string, unknown>} values
 */
export function render(name, values) {
  let text = source(name);
  const parent = /\{% extends "([^"]+)" %\}/.exec(text);
  if (parent) {
    const blocks = new Map([...text.matchAll(/\{% block (\w+) %\}([\s\S]*?)\{% endblock %\}/g)].map(([, block, own]) => [block, own]));
    text = filled(source(parent[1]), blocks);
  }
  text = filled(text, new Map());
  let code = 'let out = "";\n';
  for (const part of text.split(/(\{[{%][\s\S]*?[%}]\})/)) {
    const inside = part.slice(2, -2).trim();
    if (part.startsWith('{{')) code += `out += escape(${inside});\n`;
    else if (part.startsWith('{%')) code += statement(inside);
    else code += `out += ${JSON.stringify(part)};\n`;
  }
  const names = Object.keys(values);
  return new Function('escape', ...names, `${code}return out;`)(escape, ...names.map((key) => values[key]));
}

/** @param {string} text */
function statement(text) {
  if (text.startsWith('if ')) return `if (${text.slice(3)}) {\n`;
  if (text === 'else') return '} else {\n';
  if (text === 'endif') return '}\n';
  throw new Error(`the fake server does not know {% ${text} %}`);
}

/** @param {unknown} value */
function escape(value) {
  return String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** @param {string} language @returns {Record<string, string>} */
export const texts = (language) => JSON.parse(readFileSync(join(LOCALES, `${language}.json`), 'utf8'));

/**
 * What the templates see of a visit.
 * @param {{language?: string, theme?: string, here?: string, user?: any, accounts?: boolean, signup?: string}} visit
 */
export function shellOf({ language = 'en', theme = '', here = '', user = null, accounts = false, signup = 'open' }) {
  const words = texts(language);
  return {
    version: '0.0.0',
    lang: language,
    theme,
    here,
    known: user !== null || !accounts,
    logged_in: user !== null && accounts,
    admin: user?.admin ?? !accounts,
    person: user?.name || user?.email || '',
    accounts,
    signup,
    max_upload_mb: 10,
    max_text_chars: 5000,
    authority: true,
    /** @param {string} key */
    t: (key) => words[key] ?? key,
  };
}
