/** The server and its people, for those who run it. */

import { read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { bytes, day, language, moment, number, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { confirm } from '../views/dialogs.js';
import { button, find, make } from '../views/dom.js';
import { engineEntries } from '../views/engines.js';
import { check, debounced } from '../views/forms.js';

/**
 * @typedef {{id: string, email: string, name: string, admin: boolean, verified: boolean, disabled: boolean,
 *   created_at: number}} User
 * @typedef {{id: string, conversation_id: string, user_id: string, email: string | null, mode: string, since: number,
 *   attached: boolean}} Live
 */

/** @param {string} name */
const errorsOf = (name) => new ErrorHandler(find(`${name}-problem`, HTMLElement));
const healthErrors = errorsOf('health');
const modelErrors = errorsOf('models');
const liveErrors = errorsOf('live');
const userErrors = errorsOf('users');
const inviteErrors = errorsOf('invite');
const healthLoading = new LoadingIndicator(find('health-loading', HTMLElement));
const usersLoading = new LoadingIndicator(find('users-loading', HTMLElement));

// The server

async function health() {
  const facts = find('health', HTMLElement);
  if (facts.childElementCount === 0) healthLoading.spinner();
  const report = await healthErrors.run(() => read('/api/health/'), { again: () => void health() });
  healthLoading.hide();
  if (!report) return;
  const good = report.status === 'ok';
  const rows = [
    fact(t('admin.status'), make('span', `tag ${good ? 'good' : 'bad'}`, t(`admin.status_${report.status}`))),
    fact(t('admin.version'), String(report.version ?? '')),
    fact(t('admin.in_use'), t('admin.sessions_of', { n: number(report.sessions ?? 0), of: number(report.max_sessions ?? 0) })),
  ];
  for (const [name, part] of Object.entries(report.parts ?? {})) rows.push(partFact(name, part));
  facts.replaceChildren(...rows);
  find('engines', HTMLElement).replaceChildren(...engineEntries(report.engines ?? {}));
}

/** @param {string} name @param {any} part */
function partFact(name, part) {
  const well = part.state === 'ok';
  const words = [part.kind ?? part.engine ?? ''];
  if (typeof part.latency_ms === 'number') words.push(t('admin.latency', { n: number(part.latency_ms, { maximumFractionDigits: 1 }) }));
  if (part.waiting_turns) words.push(t('admin.waiting', { n: number(part.waiting_turns) }));
  const state = make('span', `tag ${well ? 'good' : 'bad'}`, t(`admin.state_${part.state}`));
  return fact(t(`admin.part_${name}`), `${words.filter(Boolean).join(' · ')} `, state);
}

/** @param {string} name @param {...(Node | string)} said */
const fact = (name, ...said) => make('div', '', make('dt', '', name), make('dd', '', ...said));

// Models

async function models() {
  const answer = await modelErrors.run(() => read('/api/models/'), { again: () => void models() });
  if (!answer) return;
  const here = answer.models.filter((/** @type {any} */ { installed }) => installed);
  const rows = here.map((/** @type {any} */ { kind, name, bytes: size, in_use }) =>
    cells(name, t(`scope.${kind}`), size ? bytes(size) : t('admin.model_inside'), in_use ? make('span', 'tag good', t('admin.model_used')) : ''),
  );
  table('models', [t('admin.model'), t('admin.model_for'), t('admin.model_size'), t('admin.model_state')], rows);
}

// Live sessions

async function live() {
  const answer = await liveErrors.run(() => read('/api/admin/sessions'), { again: () => void live() });
  if (!answer) return;
  const rows = answer.sessions.map((/** @type {Live} */ session) => {
    const end = button(t('admin.end'), 'danger', t('admin.end_of', { name: session.email ?? t('admin.nobody') }), () => void endLive(session));
    const state = make('span', `tag ${session.attached ? 'good' : ''}`, t(session.attached ? 'admin.connected' : 'admin.detached'));
    return cells(session.email ?? t('admin.nobody'), t(`mode.${session.mode}`), moment(session.since), state, end);
  });
  table('live', [t('admin.who'), t('admin.mode'), t('admin.since'), t('admin.line'), t('admin.act')], rows);
}

/** @param {Live} session */
async function endLive(session) {
  const sure = await confirm({ title: t('admin.end_title'), text: t('admin.end_text'), act: t('admin.end') });
  if (sure === null) return;
  const gone = await liveErrors.run(async () => (await read(`/api/admin/sessions/${session.id}`, { method: 'DELETE' }), true));
  if (gone) await live();
}

/** @param {...(Node | string)} parts */
const cells = (...parts) => make('tr', '', ...parts.map((part) => make('td', '', part)));

/**
 * @param {string} id
 * @param {string[]} heads
 * @param {HTMLElement[]} rows
 */
function table(id, heads, rows) {
  const headings = heads.map((head) => {
    const cell = make('th', '', head);
    cell.scope = 'col';
    return cell;
  });
  for (const row of rows) {
    for (const [index, cell] of [...row.children].entries()) cell.setAttribute('data-head', heads[index]);
  }
  const whole = find(id, HTMLTableElement);
  whole.replaceChildren(make('thead', '', make('tr', '', ...headings)), make('tbody', '', ...rows));
  const scroller = /** @type {HTMLElement} */ (whole.parentElement);
  scroller.hidden = rows.length === 0;
  find(`${id}-empty`, HTMLElement).hidden = rows.length > 0;
}

// People

const list = find('users', HTMLUListElement);
const more = find('users-more', HTMLButtonElement);
const search = find('users-search', HTMLInputElement);
/** Of the newest request. */
let current = new AbortController();
let last = '';

/** @param {boolean} first */
async function users(first) {
  if (first) {
    current.abort();
    current = new AbortController();
    last = '';
  }
  const { signal } = current;
  if (list.childElementCount === 0) usersLoading.skeleton(3);
  const q = search.value.trim();
  const parameters = new URLSearchParams({ ...(q ? { q } : {}), ...(last ? { after: last } : {}) });
  const answer = await userErrors.run(() => read(`/api/admin/users?${parameters}`, { signal }), { signal, again: () => void users(first) });
  if (signal.aborted) return;
  usersLoading.hide();
  if (!answer) return;
  const rows = answer.users.map(userRow);
  if (first) list.replaceChildren(...rows);
  else list.append(...rows);
  last = answer.users.at(-1)?.email ?? '';
  more.hidden = !answer.next && answer.users.length < 50;
}

/** @param {User} user @returns {HTMLLIElement} */
function userRow(user) {
  const tags = [
    ...(user.admin ? [make('span', 'tag good', t('admin.admin'))] : []),
    ...(user.disabled ? [make('span', 'tag bad', t('admin.disabled'))] : []),
    ...(user.verified ? [] : [make('span', 'tag', t('admin.unverified'))]),
  ];
  const title = make('p', 'row-title', user.name || user.email, ...tags);
  const facts = make('p', 'row-facts', [...(user.name ? [user.email] : []), t('admin.joined', { at: day(user.created_at) })].join(' · '));
  const item = make(
    'li',
    '',
    make('div', 'row-main', title, facts),
    make(
      'div',
      'actions',
      button(t(user.disabled ? 'admin.enable' : 'admin.disable'), '', t(user.disabled ? 'admin.enable_of' : 'admin.disable_of', { name: user.email }), () => void change(user, { disabled: !user.disabled }, item)),
      button(t(user.admin ? 'admin.demote' : 'admin.promote'), '', t(user.admin ? 'admin.demote_of' : 'admin.promote_of', { name: user.email }), () => void change(user, { admin: !user.admin }, item)),
      button(t('action.delete'), 'danger', t('admin.delete_of', { name: user.email }), () => void remove(user, item)),
    ),
  );
  return item;
}

/**
 * @param {User} user
 * @param {{disabled?: boolean, admin?: boolean}} json
 * @param {HTMLElement} item
 */
async function change(user, json, item) {
  const key = json.disabled === undefined ? (json.admin ? 'promote' : 'demote') : json.disabled ? 'disable' : '';
  if (key) {
    const sure = await confirm({ title: t(`admin.${key}_of`, { name: user.email }), text: t(`admin.${key}_text`), act: t(`admin.${key}`) });
    if (sure === null) return;
  }
  const well = await userErrors.run(async () => (await read(`/api/admin/users/${user.id}`, { method: 'PATCH', json })) ?? true);
  if (!well) return;
  const next = userRow({ ...user, ...json });
  item.replaceWith(next);
  next.querySelector('button')?.focus();
}

/** @param {User} user @param {HTMLElement} item */
async function remove(user, item) {
  const sure = await confirm({ title: t('admin.delete_of', { name: user.email }), text: t('admin.delete_text'), act: t('action.delete') });
  if (sure === null) return;
  const gone = await userErrors.run(async () => (await read(`/api/admin/users/${user.id}`, { method: 'DELETE' }), true));
  if (!gone) return;
  item.remove();
  find('users-title', HTMLElement).focus();
}

const invite = find('invite-form', HTMLFormElement);
invite.onsubmit = async (event) => {
  event.preventDefault();
  const done = find('invite-done', HTMLElement);
  done.textContent = '';
  inviteErrors.clear();
  if (!check(invite)) return;
  const email = find('invite-email', HTMLInputElement).value.trim();
  const json = { email, admin: find('invite-admin', HTMLInputElement).checked, language: find('invite-language', HTMLSelectElement).value };
  const answer = await inviteErrors.run(async () => (await read('/api/admin/users', { method: 'POST', json })) ?? true, { repeatable: false });
  if (!answer) return;
  invite.reset();
  done.textContent = t('admin.invited', { email });
};

find('invite-language', HTMLSelectElement).value = language;
search.oninput = debounced(() => void users(true), 250);
find('users-form', HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  void users(true);
};
more.onclick = () => void users(false);
find('refresh', HTMLButtonElement).onclick = () => {
  void health();
  void live();
  void models();
};
void health();
void models();
void live();
void users(true);
