/** Fields that say themselves what is wrong with them. */

import { t } from '../i18n.js';
import { make } from './dom.js';

/**
 * Marks what is wrong, and goes to the first of it.
 * @param {HTMLFormElement} form
 * @returns {boolean} whether all is well
 */
export function check(form) {
  /** @type {HTMLInputElement | null} */
  let first = null;
  for (const field of form.querySelectorAll('input')) {
    const problem = problemOf(field);
    mark(field, problem);
    if (problem) first ??= field;
  }
  first?.focus();
  return first === null;
}

/**
 * @param {HTMLInputElement} field
 * @returns {string} what is wrong with it; empty: nothing
 */
function problemOf(field) {
  const { validity, value } = field;
  if (validity.valueMissing || (field.required && value.trim() === '')) return t(`invalid.${field.type === 'email' ? 'email_empty' : 'field_empty'}`);
  if (validity.typeMismatch) return t('invalid.email');
  // `minlength` counts only what was typed, not what a password manager filled in.
  if (field.minLength > 0 && [...value].length < field.minLength) return t('invalid.password_short', { n: field.minLength });
  return '';
}

/**
 * @param {HTMLInputElement} field
 * @param {string} problem empty: none
 */
export function mark(field, problem) {
  const id = `${field.id}-error`;
  document.getElementById(id)?.remove();
  const others = (field.getAttribute('aria-describedby') ?? '').split(' ').filter((other) => other && other !== id);
  if (problem) {
    const words = make('p', 'field-error', problem);
    words.id = id;
    (field.closest('.password') ?? field).after(words);
    others.push(id);
    field.setAttribute('aria-invalid', 'true');
    field.addEventListener('input', () => mark(field, ''), { once: true });
  } else {
    field.removeAttribute('aria-invalid');
  }
  if (others.length > 0) field.setAttribute('aria-describedby', others.join(' '));
  else field.removeAttribute('aria-describedby');
}

/**
 * @param {HTMLSelectElement} select
 * @param {[string, string][]} entries value and label
 * @param {string} [chosen]
 */
export function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, label]) => new Option(label, value, false, value === chosen)));
}

/** Acts when it has not been asked to for so long. @param {() => void} act @param {number} ms */
export function debounced(act, ms) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
}
