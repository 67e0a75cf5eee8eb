/** Pictures of every page, on a phone and a desktop, light and dark: `node screenshots-pages.mjs [FOLDER] [ONLY]`. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { openBrowser } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';

const folder = process.argv[2] ?? 'output/pages';
const only = process.argv[3] ?? '';
mkdirSync(folder, { recursive: true });

const TALK = '/app/history/0197b000-0000-7000-8000-000000000001/';

/** @typedef {import('playwright-core').Page} Page */
/** @type {[string, string, boolean, ((page: Page, server: FakeServer) => Promise<unknown>)?][]} name, path, logged in, what is done there */
const PICTURES = [
  ['login', '/login/', false],
  ['login-wrong', '/login/', false, async (page) => {
    await page.fill('#email', 'anna@example.org');
    await page.fill('#password', 'wrong');
    await page.click('button[type=submit]');
    await page.waitForSelector('.failure');
  }],
  ['signup', '/signup/', false, async (page) => {
    await page.fill('#email', 'anna');
    await page.click('button[type=submit]');
    await page.waitForSelector('.field-error');
  }],
  ['signup-done', '/signup/', false, async (page) => {
    await page.fill('#email', 'anna@example.org');
    await page.fill('#password', 'correct horse battery');
    await page.click('button[type=submit]');
    await page.waitForSelector('.failure.done');
  }],
  ['verify', '/verify/?token=old', false, (page) => page.waitForSelector('.failure')],
  ['microphone', '/help/microphone/', false],
  ['forgot', '/password/forgot/', false],
  ['reset', '/password/reset/?token=good', false],
  ['dashboard', '/app/', true],
  ['dashboard-at-work', '/app/', true, async (page, server) => {
    server.site.api.pace = 150;
    await page.fill('#chat-text', 'Tell me about lighthouses.');
    await page.press('#chat-text', 'Enter');
    await page.setInputFiles('#file', { name: 'meeting.wav', mimeType: 'audio/wav', buffer: Buffer.from('RIFF0000WAVE') });
    await page.waitForSelector('#transcribe-text .fresh:nth-child(2)');
  }],
  ['dashboard-done', '/app/', true, async (page, server) => {
    server.site.api.pace = 10;
    await page.fill('#chat-text', 'Tell me about lighthouses.');
    await page.press('#chat-text', 'Enter');
    await page.setInputFiles('#file', { name: 'meeting.wav', mimeType: 'audio/wav', buffer: Buffer.from('RIFF0000WAVE') });
    await page.fill('#speak-text', 'The lamp is lit at dusk.');
    await page.click('#speak-go');
    await page.waitForSelector('#transcribe-actions:not([hidden])');
    await page.waitForSelector('#speak-download:not([hidden])');
    await page.waitForSelector('#chat-send:not([hidden])');
  }],
  ['dashboard-faults', '/app/', true, async (page, server) => {
    server.site.api.fail({ path: '/api/llm/chat/', status: 503, retryAfter: '20' });
    server.site.api.fail({ path: '/api/tts/synthesize/', status: 500 });
    await page.fill('#chat-text', 'Tell me about lighthouses.');
    await page.press('#chat-text', 'Enter');
    await page.setInputFiles('#file', { name: 'poem.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF') });
    await page.fill('#speak-text', 'The lamp is lit at dusk.');
    await page.click('#speak-go');
    await page.waitForSelector('#speak-problem .failure');
    await page.waitForSelector('#chat-problem .failure.wait');
  }],
  ['history', '/app/history/', true, (page) => page.waitForSelector('.talk-row')],
  ['history-search', '/app/history/?q=lamp', true, (page) => page.waitForSelector('mark')],
  ['history-delete', '/app/history/', true, async (page) => {
    await page.waitForSelector('.talk-row');
    await page.click('.talk-row .small-button:nth-child(2)');
    await page.waitForSelector('dialog[open]');
  }],
  ['conversation', TALK, true, async (page) => {
    await page.waitForSelector('.talk-turn');
    await page.click('.hear');
    await page.waitForSelector('.now');
  }],
  ['settings', '/app/settings/', true, (page) => page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.getElementById('name')).value !== '' && document.querySelector('#sessions li'))],
  ['keys', '/app/keys/', true, async (page) => {
    await page.fill('#name', 'Phone');
    await page.click('button[type=submit]');
    await page.waitForSelector('#secret:not([hidden])');
  }],
  ['admin', '/app/admin/', true, (page) => page.waitForSelector('#users li')],
  ['models', '/app/models/', true, async (page, server) => {
    server.site.api.pace = 400;
    await page.waitForSelector('#models li');
    await page.click('[aria-label$="base.en-q5_1"]');
    await page.waitForSelector('#downloads .loading-bar');
    await page.waitForTimeout(700);
  }],
  ['models-terms', '/app/models/', true, async (page) => {
    await page.waitForSelector('#models li');
    await page.click('.button.primary[aria-label$="denis-medium"]');
    await page.waitForSelector('dialog .terms');
  }],
  ['menu', '/app/history/', true, async (page) => {
    await page.waitForSelector('.talk-row');
    if (await page.isVisible('.menu-button')) await page.click('.menu-button');
  }],
  ['missing', '/nowhere/', true],
];

for (const [device, viewport] of Object.entries({ phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } })) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    const server = await new FakeServer({ accounts: true }).start();
    const { page, close, faults } = await openBrowser({ colorScheme, viewport, reducedMotion: 'reduce' });
    for (const [name, path, loggedIn, act] of PICTURES) {
      const title = `${device}-${colorScheme}-${name}`;
      if (!title.includes(only)) continue;
      const { api } = server.site;
      Object.assign(api, { loggedIn, faults: [], pace: 40 });
      api.user.language = device === 'phone' && colorScheme === 'dark' ? 'ru' : null;
      await page.goto(new URL(path, server.url).href);
      await page.evaluate(() => document.fonts.ready);
      await page.waitForTimeout(150);
      await act?.(page, server);
      await page.waitForTimeout(120);
      await page.screenshot({ path: join(folder, `${title}.png`), fullPage: true });
    }
    if (faults.length > 0) console.log(device, colorScheme, faults);
    await close();
    await server.stop();
  }
}
