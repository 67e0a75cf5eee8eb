/** What a person may choose about themselves, and their leaving. */

import { read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { moment, plural, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { setCookie, showTheme } from '../shell.js';
import { confirm } from '../views/dialogs.js';
import { find, make } from '../views/dom.js';
import { check, mark, options } from '../views/forms.js';

/**
 * @typedef {{id: string, email: string, name: string, language: string | null, theme: string | null, keep_audio: boolean,
 *   retention_days: number | null}} User
 * @typedef {{id: string, current: boolean, created_at: number, last_seen_at: number, address: string,
 *   user_agent: string}} Session
 */

const RETENTION_DAYS = [1, 7, 30, 90, 365];
const accounts = document.documentElement.dataset.loggedIn === 'true';
const errors = new ErrorHandler(find('problem', HTMLElement));
const profileErrors = new ErrorHandler(find('profile-problem', HTMLElement));
const loading = new LoadingIndicator(find('loading', HTMLElement));
const profile = find('profile-form', HTMLFormElement);
const language = find('language', HTMLSelectElement);
const theme = find('theme', HTMLSelectElement);
const keepAudio = find('keep-audio', HTMLInputElement);
const retention = find('retention', HTMLSelectElement);

async function load() {
  loading.spinner();
  const answer = await errors.run(() => read('/api/auth/me'), { again: () => void load() });
  loading.hide();
  if (answer?.user) fill(answer.user);
}

/** @param {User} user */
function fill(user) {
  language.value = user.language ?? '';
  theme.value = user.theme ?? '';
  keepAudio.checked = user.keep_audio;
  const days = new Set(RETENTION_DAYS);
  if (user.retention_days) days.add(user.retention_days);
  /** @type {[string, string][]} */
  const entries = [...days].sort((a, b) => a - b).map((n) => [String(n), plural('days', n)]);
  options(retention, [['', t('settings.retention_server')], ...entries], String(user.retention_days ?? ''));
  if (!accounts) return;
  find('name', HTMLInputElement).value = user.name;
  find('address', HTMLElement).textContent = user.email;
  find('password-user', HTMLInputElement).value = user.email;
}

profile.onsubmit = async (event) => {
  event.preventDefault();
  const saved = find('profile-saved', HTMLElement);
  saved.textContent = '';
  const json = {
    ...(accounts ? { name: find('name', HTMLInputElement).value.trim() } : {}),
    language: language.value || null,
    theme: theme.value || null,
    keep_audio: keepAudio.checked,
    retention_days: retention.value ? Number(retention.value) : null,
  };
  const answer = await profileErrors.run(() => read('/api/auth/me', { method: 'PATCH', json }));
  if (!answer) return;
  setCookie('lang', language.value);
  setCookie('theme', theme.value);
  showTheme(theme.value);
  const shown = document.documentElement.lang;
  if ((answer.user.language ?? shown) !== shown) location.reload();
  else saved.textContent = t('action.saved');
};

/** @param {string} name */
const part = (name) => new ErrorHandler(find(`${name}-problem`, HTMLElement));

function passwords() {
  const form = find('password-form', HTMLFormElement);
  const saved = find('password-saved', HTMLElement);
  const problems = part('password');
  form.onsubmit = async (event) => {
    event.preventDefault();
    saved.textContent = '';
    if (!check(form)) return;
    const current = find('current', HTMLInputElement);
    const json = { current: current.value, password: find('password', HTMLInputElement).value };
    const well = await problems.run(async () => (await read('/api/auth/password/change', { method: 'POST', json }), true), { repeatable: false });
    if (!well) {
      current.focus();
      return;
    }
    form.reset();
    saved.textContent = t('settings.password_changed');
    void sessions();
  };
}

const sessionErrors = accounts ? part('sessions') : errors;

async function sessions() {
  const list = find('sessions', HTMLUListElement);
  const answer = await sessionErrors.run(() => read('/api/auth/sessions'), { again: () => void sessions() });
  if (!answer) return;
  list.replaceChildren(...answer.sessions.map(sessionRow));
  find('end-others', HTMLButtonElement).hidden = answer.sessions.length < 2;
}

/** @param {Session} session */
function sessionRow(session) {
  const title = make('p', 'row-title', browserName(session.user_agent), ...(session.current ? [make('span', 'tag good', t('settings.this_one'))] : []));
  const facts = [session.address, t('settings.since', { at: moment(session.created_at) }), t('settings.seen', { at: moment(session.last_seen_at) })];
  const item = make('li', '', make('div', 'row-main', title, make('p', 'row-facts', facts.filter(Boolean).join(' · '))));
  if (!session.current) {
    const end = make('button', 'button', t('settings.end_session'));
    end.type = 'button';
    end.setAttribute('aria-label', t('settings.end_session_of', { name: browserName(session.user_agent) }));
    end.onclick = async () => {
      const gone = await sessionErrors.run(async () => (await read(`/api/auth/sessions/${session.id}`, { method: 'DELETE' }), true));
      if (gone) await sessions();
    };
    item.append(end);
  }
  return item;
}

/** What people call it. @param {string} agent */
function browserName(agent) {
  const browser = /Edg\//.test(agent) ? 'Edge' : /OPR\//.test(agent) ? 'Opera' : /Firefox\//.test(agent) ? 'Firefox' : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : agent.slice(0, 60);
  const system = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /Windows/.test(agent) ? 'Windows' : /Mac OS/.test(agent) ? 'macOS' : /Linux|X11/.test(agent) ? 'Linux' : '';
  return [browser || t('settings.unknown_browser'), system].filter(Boolean).join(', ');
}

function leaving() {
  const problems = part('leave');
  find('leave', HTMLButtonElement).onclick = async () => {
    const password = await confirm({ title: t('settings.leave_title'), text: t('settings.leave_sure'), act: t('settings.leave_button'), password: true });
    if (password === null) return;
    const gone = await problems.run(async () => (await read('/api/auth/me', { method: 'DELETE', json: { password } }), true), { repeatable: false });
    if (gone) location.assign('/login/');
  };
}

if (accounts) {
  passwords();
  leaving();
  find('end-others', HTMLButtonElement).onclick = async () => {
    const gone = await sessionErrors.run(async () => (await read('/api/auth/sessions', { method: 'DELETE' }), true));
    if (gone) await sessions();
  };
  find('password', HTMLInputElement).addEventListener('input', () => mark(find('password', HTMLInputElement), ''));
  void sessions();
}
void load();
