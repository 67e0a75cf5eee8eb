/** Keys for programs: made, shown once, taken away. */

import { read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { day, moment, plural, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { confirm } from '../views/dialogs.js';
import { find, make } from '../views/dom.js';
import { check, options } from '../views/forms.js';

/**
 * @typedef {{id: string, name: string, prefix: string, scopes: string[], created_at: number, expires_at: number | null,
 *   last_used_at: number | null}} Key
 */

const DAYS = [30, 90, 365];
const list = find('keys', HTMLUListElement);
const empty = find('empty', HTMLElement);
const form = find('new-form', HTMLFormElement);
const secret = find('secret', HTMLElement);
const errors = new ErrorHandler(find('problem', HTMLElement));
const newErrors = new ErrorHandler(find('new-problem', HTMLElement));
const loading = new LoadingIndicator(find('loading', HTMLElement));

async function load() {
  if (list.childElementCount === 0) loading.skeleton(2);
  const answer = await errors.run(() => read('/api/keys/'), { again: () => void load() });
  loading.hide();
  if (!answer) return;
  list.replaceChildren(...answer.keys.map(row));
  empty.hidden = answer.keys.length > 0;
}

/** @param {Key} key */
function row(key) {
  const now = Date.now();
  const over = key.expires_at !== null && key.expires_at !== undefined && key.expires_at <= now;
  const scopes = key.scopes.map((scope) => make('span', 'tag', t(`scope.${scope}`)));
  const facts = [
    t('keys.made', { at: day(key.created_at) }),
    key.expires_at ? t(over ? 'keys.expired' : 'keys.until', { at: day(key.expires_at) }) : t('keys.forever'),
    key.last_used_at ? t('keys.used', { at: moment(key.last_used_at) }) : t('keys.unused'),
  ];
  const revoke = make('button', 'button danger', t('keys.revoke'));
  revoke.type = 'button';
  revoke.setAttribute('aria-label', t('keys.revoke_one', { name: key.name }));
  revoke.onclick = () => void remove(key, item);
  const title = make('p', 'row-title', key.name, make('code', '', `${key.prefix}…`), ...(over ? [make('span', 'tag bad', t('keys.over'))] : []), ...scopes);
  const item = make('li', '', make('div', 'row-main', title, make('p', 'row-facts', facts.join(' · '))), revoke);
  return item;
}

/** @param {Key} key @param {HTMLElement} item */
async function remove(key, item) {
  const sure = await confirm({ title: t('keys.revoke_title'), text: t('keys.revoke_text', { name: key.name }), act: t('keys.revoke') });
  if (sure === null) return;
  const gone = await errors.run(async () => (await read(`/api/keys/${key.id}`, { method: 'DELETE' }), true));
  if (!gone) return;
  item.remove();
  empty.hidden = list.childElementCount > 0;
  find('list-title', HTMLElement).focus();
}

form.onsubmit = async (event) => {
  event.preventDefault();
  newErrors.clear();
  secret.hidden = true;
  if (!check(form)) return;
  const scopes = [...form.querySelectorAll('input')].filter(({ name, checked }) => name === 'scopes' && checked).map(({ value }) => value);
  if (scopes.length === 0) {
    newErrors.show(t('keys.no_scope'));
    return;
  }
  const days = Number(find('expires', HTMLSelectElement).value);
  const json = { name: find('name', HTMLInputElement).value.trim(), scopes, ...(days ? { expires_in_days: days } : {}) };
  const answer = await newErrors.run(() => read('/api/keys/', { method: 'POST', json }), { repeatable: false });
  if (!answer) return;
  form.reset();
  find('secret-value', HTMLElement).textContent = answer.secret;
  secret.hidden = false;
  find('secret-title', HTMLElement).focus();
  list.prepend(row(answer.key));
  empty.hidden = true;
};

const copy = find('secret-copy', HTMLButtonElement);
copy.onclick = async () => {
  const value = find('secret-value', HTMLElement);
  try {
    await navigator.clipboard.writeText(value.textContent ?? '');
    copy.textContent = t('action.copied');
  } catch {
    getSelection()?.selectAllChildren(value);
    copy.textContent = t('action.copy_yourself');
  }
  setTimeout(() => (copy.textContent = t('action.copy')), 3000);
};

options(find('expires', HTMLSelectElement), [...DAYS.map((n) => /** @type {[string, string]} */ ([String(n), plural('days', n)])), ['', t('keys.never')]], '90');
void load();
