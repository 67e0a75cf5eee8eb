/**
 * The page's words, numbers and dates. The texts are the server's own files, `static/locales/*.json`, which the page
 * loads as a script (`locales/ru.js`) before all others, so that nothing waits for them.
 */

/** @typedef {Record<string, string | Record<string, string>>} Texts */

/** A script before this one left them there. @type {Texts} */
let texts = /** @type {any} */ (globalThis).aigolosTexts ?? {};
export let language = globalThis.document?.documentElement.lang || 'en';

/**
 * Other words than the page's own, for tests.
 * @param {Texts} words
 * @param {string} code
 */
export function use(words, code) {
  texts = words;
  language = code;
}

/** @param {string} key */
export const has = (key) => key in texts;

/**
 * The text with this key, what stands in braces replaced.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = texts[key];
  return fill(typeof text === 'string' ? text : key, values);
}

/**
 * The form of the text that goes with the number, which stands where it has `{n}`.
 * @param {string} key
 * @param {number} n
 * @param {Record<string, string | number>} [values]
 */
export function plural(key, n, values = {}) {
  const forms = texts[key];
  if (typeof forms !== 'object') return fill(forms ?? key, { n: number(n), ...values });
  const form = new Intl.PluralRules(language).select(n);
  return fill(forms[form] ?? forms.other, { n: number(n), ...values });
}

/**
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (hole, name) => (name in values ? String(values[name]) : hole));
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export const number = (value, options) => new Intl.NumberFormat(language, options).format(value);

/** @param {number} fraction 0 to 1 */
export const percent = (fraction) => number(fraction, { style: 'percent', maximumFractionDigits: 0 });

/** @param {number} count in bytes */
export function bytes(count) {
  const units = /** @type {const} */ (['byte', 'kilobyte', 'megabyte', 'gigabyte']);
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return number(count / 1000 ** step, { style: 'unit', unit: units[step], unitDisplay: 'short', maximumFractionDigits: step > 1 ? 1 : 0 });
}

/** @param {number} at milliseconds since 1970 */
export const moment = (at) => new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(at);

/** @param {number} at milliseconds since 1970 */
export const timeOf = (at) => new Intl.DateTimeFormat(language, { timeStyle: 'short' }).format(at);

/** @param {number} at milliseconds since 1970 */
export const day = (at) => new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(at);

/**
 * A moment as people say it: the time today, the day before that.
 * @param {number} at
 * @param {number} [now]
 */
export function when(at, now = Date.now()) {
  const [then, today] = [new Date(at), new Date(now)];
  if (then.toDateString() === today.toDateString()) return timeOf(at);
  const sameYear = then.getFullYear() === today.getFullYear();
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) }).format(then);
}

/** @param {number} ms as a clock shows it */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const rest = String(seconds % 60).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
}

/** @param {string} code of a language */
export function languageName(code) {
  try {
    const name = new Intl.DisplayNames([language], { type: 'language' }).of(code) ?? code;
    return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
  } catch {
    return code;
  }
}
