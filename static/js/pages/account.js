/** Log-in, sign-up, confirmation of the address, a forgotten password. */

import { read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { language, t } from '../i18n.js';
import { safeNext } from '../next.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { find, make } from '../views/dom.js';
import { check } from '../views/forms.js';

const query = new URLSearchParams(location.search);
const token = query.get('token') ?? '';
const errors = new ErrorHandler(find('problem', HTMLElement));
const form = document.getElementById('form');

/** @type {Record<string, (values: Record<string, string>) => Promise<void>>} */
const DOES = {
  async login(values) {
    const answer = await errors.run(() => read('/api/auth/login', { method: 'POST', json: pick(values, 'email', 'password') }), { repeatable: false });
    if (!answer) return;
    location.assign(safeNext(query.get('next'), location.origin));
  },

  async signup(values) {
    const invitation = query.get('invitation');
    const json = { ...pick(values, 'email', 'password', 'name'), language, ...(invitation ? { invitation } : {}) };
    const answer = await errors.run(() => read('/api/auth/signup', { method: 'POST', json }), { repeatable: false });
    if (answer?.status === 'ready') done(t('signup.ready'), t('signup.ready_text'));
    else if (answer) done(t('signup.done'), t('signup.done_text', { email: values.email }));
  },

  async verify(values) {
    const answer = await errors.run(() => read('/api/auth/verify/resend', { method: 'POST', json: pick(values, 'email') }), { repeatable: false });
    if (answer) done(t('signup.done'), t('verify.sent', { email: values.email }));
  },

  async forgot(values) {
    const answer = await errors.run(() => read('/api/auth/password/forgot', { method: 'POST', json: pick(values, 'email') }), { repeatable: false });
    if (answer) done(t('signup.done'), t('forgot.done', { email: values.email }));
  },

  async reset(values) {
    const json = { token, ...pick(values, 'password') };
    const well = await errors.run(async () => (await read('/api/auth/password/reset', { method: 'POST', json }), true), { repeatable: false });
    if (!well) return;
    done(t('reset.done'), t('reset.done_text'));
    document.querySelector('.links a')?.setAttribute('href', '/login/');
    document.querySelector('.links a')?.replaceChildren(t('account.to_login'));
  },
};

/**
 * @param {Record<string, string>} values
 * @param {...string} names those that are not empty
 */
function pick(values, ...names) {
  return Object.fromEntries(names.filter((name) => values[name]).map((name) => [name, values[name]]));
}

/**
 * In place of the form: what has happened, and what comes next.
 * @param {string} title
 * @param {string} text
 */
function done(title, text) {
  const said = make('div', 'failure done', make('div', '', make('strong', 'failure-title', title), make('p', '', text)));
  said.setAttribute('role', 'status');
  said.tabIndex = -1;
  document.getElementById('invitation-note')?.remove();
  if (form) form.replaceWith(said);
  else errors.container.after(said);
  said.focus();
}

/** The link in the mail is the confirmation; pressing a button for it would be one step too many. */
async function verify() {
  const working = find('working', HTMLElement);
  const loading = new LoadingIndicator(working);
  if (!token) {
    working.remove();
    form?.removeAttribute('hidden');
    return;
  }
  loading.spinner(t('verify.working'));
  const answer = await errors.run(() => read('/api/auth/verify', { method: 'POST', json: { token } }), { repeatable: false });
  working.remove();
  if (answer) {
    history.replaceState(null, '', location.pathname); // the token is used up
    done(t('verify.done'), t('verify.done_text'));
    document.querySelector('.links a')?.setAttribute('href', '/app/');
    document.querySelector('.links a')?.replaceChildren(t('verify.go_on'));
  } else {
    form?.removeAttribute('hidden');
  }
}

for (const button of document.querySelectorAll('button.reveal')) {
  const field = find('password', HTMLInputElement);
  button.addEventListener('click', () => {
    const shown = field.type === 'text';
    field.type = shown ? 'password' : 'text';
    button.setAttribute('aria-pressed', String(!shown));
  });
}

if (form instanceof HTMLFormElement) {
  const kind = form.dataset.form ?? '';
  form.onsubmit = async (event) => {
    event.preventDefault();
    errors.clear();
    if (!check(form)) return;
    const submit = form.querySelector('button[type=submit]');
    const values = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
    values.email = values.email?.trim();
    if (submit instanceof HTMLButtonElement) submit.disabled = true;
    await DOES[kind]?.(values);
    if (submit instanceof HTMLButtonElement) submit.disabled = false;
  };
  if (kind === 'verify') void verify();
  if (kind === 'reset' && !token) errors.show(t('reset.no_token'));
}
