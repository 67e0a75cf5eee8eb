/** The fake server's pages: this tree's templates and files, with an HTTP interface in memory behind them. */

import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { FakeApi } from './fake-api.mjs';
import { render, shellOf, texts } from './templates.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const POLICY =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
/** @type {Record<string, string>} */
const KINDS = { '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
/** @type {Record<string, string>} */
export const PAGES = {
  '/': 'index.html',
  '/login/': 'login.html',
  '/signup/': 'signup.html',
  '/verify/': 'verify.html',
  '/password/forgot/': 'forgot.html',
  '/password/reset/': 'reset.html',
  '/app/': 'dashboard.html',
  '/app/history/': 'history.html',
  '/app/settings/': 'settings.html',
  '/app/keys/': 'keys.html',
  '/app/admin/': 'admin.html',
  '/help/microphone/': 'microphone.html',
  '/app/models/': 'models.html',
};

export class FakeSite {
  /** @param {{accounts?: boolean}} options */
  constructor({ accounts = false }) {
    this.accounts = accounts;
    this.api = new FakeApi();
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async serve(request, response) {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
    try {
      if (pathname.startsWith('/api/')) await this.api.answer(request, response);
      else if (pathname.startsWith('/static/')) await file(pathname, response);
      else this.page(pathname, search, request, response);
    } catch (error) {
      if (!response.headersSent) response.writeHead(404);
      response.end(String(error));
    }
  }

  /**
   * @param {string} pathname
   * @param {string} search
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  page(pathname, search, request, response) {
    const known = !this.accounts || this.api.loggedIn;
    const talk = /^\/app\/history\/([^/]+)\/$/.exec(pathname);
    const name = talk ? 'conversation.html' : PAGES[pathname];
    const inside = pathname.startsWith('/app/') || (pathname === '/' && this.accounts);
    if (inside && !known) return redirect(response, `/login/?next=${encodeURIComponent(pathname + search)}`);
    if (this.accounts && known && (pathname === '/login/' || pathname === '/signup/')) return redirect(response, '/app/');
    const cookies = Object.fromEntries((request.headers.cookie ?? '').split('; ').map((pair) => pair.split('=')));
    const user = this.accounts && known ? this.api.user : null;
    const language = user?.language ?? cookies.lang ?? (request.headers['accept-language']?.startsWith('ru') ? 'ru' : 'en');
    const here = talk ? '/app/history/' : pathname;
    const shell = shellOf({ language, theme: user?.theme ?? cookies.theme ?? '', here, user, accounts: this.accounts });
    const status = name ? 200 : 404;
    const words = texts(language);
    const error = { status, title: words['failure.404.title'], text: words['failure.404.text'], hint: words['failure.404.hint'], request_id: '' };
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' });
    response.end(render(name ?? 'error.html', { shell, id: talk?.[1] ?? '', ...error }));
    return undefined;
  }
}

/** @param {import('node:http').ServerResponse} response @param {string} target */
function redirect(response, target) {
  response.writeHead(303, { location: target });
  response.end();
}

/** @param {string} pathname @param {import('node:http').ServerResponse} response */
async function file(pathname, response) {
  const path = normalize(pathname);
  if (!path.startsWith('/static/')) throw new Error('outside');
  const words = /^\/static\/locales\/\w+\.js$/.test(path);
  const bytes = words ? `globalThis.aigolosTexts = ${await readFile(join(ROOT, `${path}on`), 'utf8')};` : await readFile(join(ROOT, path));
  response.writeHead(200, { 'content-type': KINDS[extname(path)] ?? 'text/plain', 'cache-control': 'no-store' });
  response.end(bytes);
}
