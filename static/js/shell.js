/** What every page has at its top: language, colours, log-out. */

import { call } from './api.js';
import { t } from './i18n.js';

const YEAR_S = 31_536_000;
const THEMES = ['', 'light', 'dark'];
const root = document.documentElement;

/**
 * Kept by the browser, and with the account of whoever has one.
 * @param {{language?: string, theme?: string}} change
 */
async function keep(change) {
  if (change.language) setCookie('lang', change.language);
  if (change.theme !== undefined) setCookie('theme', change.theme);
  if (root.dataset.known !== 'true') return;
  const json = { ...change, ...(change.theme === '' ? { theme: null } : {}) };
  await call('/api/auth/me', { method: 'PATCH', json, keepalive: true }).catch(() => {}); // the cookie serves until the next time
}

/**
 * @param {string} name
 * @param {string} value empty: forget it
 */
export function setCookie(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${value ? YEAR_S : 0}; samesite=lax`;
}

/** @param {string} theme `light`, `dark`, or empty: as the system has it */
export function showTheme(theme) {
  root.dataset.theme = theme;
  const name = t(`theme.${theme || 'system'}`);
  const button = document.getElementById('switch-theme');
  const label = document.getElementById('theme-label');
  if (label) label.textContent = `${t('theme.button')}: ${name}`;
  if (button) button.title = `${t('theme.button')}: ${name}`;
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    const media = meta.getAttribute('media') ?? meta.getAttribute('data-media') ?? '';
    meta.setAttribute('data-media', media);
    const wanted = theme === '' || media.includes(theme);
    meta.setAttribute('media', theme === '' ? media : wanted ? 'all' : 'not all');
  }
}

document.getElementById('switch-theme')?.addEventListener('click', () => {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? '') + 1) % THEMES.length];
  showTheme(theme);
  void keep({ theme });
});

const other = document.getElementById('switch-language');
other?.addEventListener('click', async () => {
  await keep({ language: other.dataset.language });
  location.reload();
});

document.getElementById('log-out')?.addEventListener('click', async () => {
  await call('/api/auth/logout', { method: 'POST', json: {} }).catch(() => {});
  location.assign('/login/');
});

showTheme(root.dataset.theme ?? '');
