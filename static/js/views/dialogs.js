/** Questions that wait for an answer: are you sure, and what shall it be called. */

import { t } from '../i18n.js';
import { make } from './dom.js';

/**
 * Asks before something that cannot be undone.
 * @param {{title: string, text: string, act: string, password?: boolean}} question `password`: asks for it too
 * @returns {Promise<string | null>} null: no; else the password, or an empty text
 */
export function confirm({ title, text, act, password }) {
  const field = password ? input('password', 'current-password', t('account.password')) : null;
  return ask(title, [make('p', 'soft', text), ...(field ? [field.whole] : [])], act, 'danger', () => field?.input.value ?? '');
}

/**
 * @param {{title: string, label: string, value: string, act: string}} question
 * @returns {Promise<string | null>} null: no change
 */
export function prompt({ title, label, value, act }) {
  const field = input('text', 'off', label);
  field.input.value = value;
  field.input.maxLength = 200;
  return ask(title, [field.whole], act, 'primary', () => field.input.value.trim());
}

/**
 * A text to be read before it goes on.
 * @param {{title: string, text: string, source: string, act: string}} question `source`: where the text stands
 * @returns {Promise<boolean>}
 */
export async function agree({ title, text, source, act }) {
  const words = make('pre', 'terms', text);
  words.tabIndex = 0;
  words.setAttribute('role', 'group');
  words.setAttribute('aria-label', title);
  const answer = await ask(title, [words, ...(source ? [make('p', 'soft small', source)] : [])], act, 'primary', () => '');
  return answer !== null;
}

let fields = 0;

/**
 * @param {'password' | 'text'} type
 * @param {'current-password' | 'off'} autocomplete
 * @param {string} words
 */
function input(type, autocomplete, words) {
  const element = make('input', '');
  element.type = type;
  element.autocomplete = autocomplete;
  element.id = `dialog-field-${++fields}`;
  element.required = true;
  const label = make('label', '', words);
  label.htmlFor = element.id;
  return { input: element, whole: make('div', 'field', label, element) };
}

/**
 * @param {string} title
 * @param {HTMLElement[]} parts
 * @param {string} act
 * @param {'danger' | 'primary'} tone
 * @param {() => string} answer
 * @returns {Promise<string | null>}
 */
function ask(title, parts, act, tone, answer) {
  const before = document.activeElement;
  const heading = make('h2', '', title);
  heading.id = 'dialog-title';
  const no = make('button', 'button', t('action.cancel'));
  no.type = 'button';
  const yes = make('button', `button ${tone}`, act);
  const form = make('form', '', heading, ...parts, make('p', 'actions', no, yes));
  form.method = 'dialog';
  const dialog = make('dialog', 'dialog', form);
  dialog.setAttribute('aria-labelledby', heading.id);
  document.body.append(dialog);
  return new Promise((resolve) => {
    /** @type {string | null} */
    let result = null;
    no.onclick = () => dialog.close();
    form.onsubmit = () => (result = answer());
    dialog.onclose = () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(result);
    };
    dialog.showModal();
    const field = form.querySelector('input');
    (field ?? no).focus();
    field?.select();
  });
}
