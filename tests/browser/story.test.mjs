/**
 * A person's whole story with the real server, in a real browser: from signing up to leaving without a trace; and what
 * the page and the server say on bad days.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openBrowser, record } from './browser.mjs';
import { Mailbox } from './mailbox.mjs';
import { BINARY, startServer } from './real-server.mjs';

const skip = BINARY ? false : 'AIGOLOS_BIN names no server';
const folder = mkdtempSync(join(tmpdir(), 'aigolos-story-'));
const question = join(folder, 'question.wav');
const long = join(folder, 'long.wav');
const EMAIL = 'anna@example.org';
const PASSWORD = 'three green lamps';
const NEW_PASSWORD = 'four brass bells';

before(() => {
  if (!BINARY) return;
  record(question, 48_000, [1.5, 'What time is it?', 60]);
  record(long, 16_000, Array.from({ length: 16 }, () => ['What time is it?', 1.2, 'Tell me a joke.', 1.2]).flat());
});
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * @typedef {object} Opened
 * @property {import('playwright-core').Page} page
 * @property {(selector: string, pattern: RegExp, patienceMs?: number) => Promise<void>} shows
 * @property {(path: string) => Promise<void>} go
 * @property {Mailbox} mail
 * @property {{current: Awaited<ReturnType<typeof startServer>>}} server
 * @property {() => Promise<void>} start starts it again, on the same address, with the same data
 */

/**
 * @param {string} title
 * @param {{accounts: boolean, microphone?: string}} setup
 * @param {(opened: Opened) => Promise<void>} tell
 */
function story(title, { accounts, microphone }, tell) {
  test(title, { skip, timeout: 300_000 }, async () => {
    const data = mkdtempSync(join(folder, 'data-'));
    /** @type {Record<string, string>} */
    const env = accounts ? { AUTH_MODE: 'required', EMAIL_BACKEND: 'file', RATE_LIMIT_AUTH: '0' } : {};
    /** @type {string[]} */
    const logs = [];
    const start = async () => {
      server.current = await startServer({ port: server.current.port, env, data });
    };
    const server = { current: await startServer({ env, data }) };
    const { page, faults, close } = await openBrowser({ microphone });
    page.setDefaultTimeout(30_000);
    /** @param {string} selector @param {RegExp} pattern */
    const shows = async (selector, pattern, patienceMs = 30_000) => {
      await page
        .waitForFunction(
          ([s, source, flags]) => [...document.querySelectorAll(s)].some((e) => new RegExp(source, flags).test(/** @type {HTMLElement} */ (e).innerText)),
          [selector, pattern.source, pattern.flags],
          { timeout: patienceMs },
        )
        .catch(async () => assert.fail(`${pattern} is not in ${selector}; ${page.url()} says:\n${await page.innerText('body')}`));
    };
    /** @param {string} path */
    const go = async (path) => {
      await page.goto(new URL(path, server.current.url).href);
    };
    try {
      await tell({ page, shows, go, mail: new Mailbox(data), server, start });
      assert.deepEqual(faults, [], 'the page reported faults');
      assert.equal(existsSync(join(data, 'aigolos.sqlite')), process.env.TEST_DATABASE !== 'postgresql', 'the database that was asked for');
    } catch (error) {
      logs.push(server.current.output());
      console.error(`the server's log:\n${logs.join('\n--- started again ---\n')}`);
      throw error;
    } finally {
      await close();
      await server.current.stop();
    }
  });
}

/** @param {Opened['page']} page @param {string} email @param {string} password */
async function logIn(page, email, password) {
  await page.fill('#email', email);
  await page.fill('#password', password);
  await page.press('#password', 'Enter');
}

story('sign up, confirm, talk, find it after a restart, export it, get a new password, leave', { accounts: true, microphone: question }, async ({ page, shows, go, mail, server, start }) => {
  await go('/');
  assert.match(page.url(), /\/login\/\?next=/, 'nobody talks without an account');
  await page.click('a[href="/signup/"]');
  await page.fill('#email', EMAIL);
  await page.fill('#name', 'Anna');
  await page.fill('#password', PASSWORD);
  await page.press('#password', 'Enter');
  await shows('[role=status]', /Look into your mail/);
  await go('/login/');
  await logIn(page, EMAIL, PASSWORD);
  await shows('[role=alert]', /not confirmed/);

  await page.goto(await mail.link(EMAIL, '/verify/'));
  await shows('[role=status]', /confirmed[\s\S]*logged in/);
  await page.click('.links a');
  await shows('h1', /Dashboard/);
  await page.click('#log-out');
  await page.waitForURL(/\/login\//);
  await logIn(page, EMAIL, PASSWORD);
  await shows('h1', /Dashboard/);

  await go('/');
  await page.click('#talk');
  await shows('.line.you .words', /what time is it/i, 60_000);
  await shows('.line.it .words', /\w+/, 60_000);
  await page.waitForFunction(() => document.body.dataset.mood === 'listening', null, { timeout: 60_000 });
  await page.click('#talk'); // stop

  await go('/app/history/'); // what was said is there at once
  await shows('.talk-row', /what time is it/i);
  await server.current.stop();
  await start();
  await go('/app/history/');
  await page.fill('#search', 'time');
  await shows('.snippet mark', /time/i);
  await page.click('.row-link');
  await shows('.said.you .words', /what time is it/i);
  await shows('.said.it .words', /\w+/);
  for (const [format, pattern] of /** @type {[string, RegExp][]} */ ([['TXT', /what time is it/i], ['JSON', /"words"/], ['SRT', /-->/], ['VTT', /^WEBVTT/]])) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`.download:text-is("${format}")`)]);
    assert.match(readFileSync(await download.path(), 'utf8'), pattern, format);
  }

  await page.click('#log-out');
  await page.waitForURL(/\/login\//);
  await page.click('a[href="/password/forgot/"]');
  await page.fill('#email', EMAIL);
  await page.press('#email', 'Enter');
  await shows('[role=status]', /a link is on its way/);
  await page.goto(await mail.link(EMAIL, '/password/reset/'));
  await page.fill('#password', NEW_PASSWORD);
  await page.press('#password', 'Enter');
  await shows('[role=status]', /password is changed/);
  await go('/login/?next=/app/settings/');
  await logIn(page, EMAIL, PASSWORD);
  await shows('[role=alert]', /does not fit/);
  await logIn(page, EMAIL, NEW_PASSWORD);
  await shows('h1', /Settings/);

  await page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.getElementById('name')).value === 'Anna');
  await page.click('#leave');
  await page.fill('dialog input', NEW_PASSWORD);
  await page.locator('dialog .danger').click();
  await page.waitForURL(/\/login\//);
  await logIn(page, EMAIL, NEW_PASSWORD);
  await shows('[role=alert]', /does not fit/);
});

story('what cannot be taken is refused: by the page before it is sent, by the server where only it can know', { accounts: false }, async ({ page, shows, go }) => {
  await go('/app/');
  const sent = /** @type {string[]} */ ([]);
  page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()));
  await page.setInputFiles('#file', { name: 'long.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(10_000_001) });
  await shows('#transcribe-problem [role=alert]', /long\.wav[\s\S]*10 MB are allowed/);
  await page.click('#chat-send');
  await shows('#chat-problem [role=alert]', /nothing to send yet/);
  await page.click('#speak-go');
  await shows('#speak-problem [role=alert]', /nothing to send yet/);
  assert.deepEqual(sent, []);
  await page.setInputFiles('#file', { name: 'poem.wav', mimeType: 'audio/wav', buffer: Buffer.from('Roses are red, and this is no recording.'.repeat(200)) });
  await shows('#transcribe-problem [role=alert]', /kind of file cannot be read/);
  assert.equal(sent.length, 1);
});

story('the three tools do their work', { accounts: false }, async ({ page, shows, go }) => {
  await go('/app/');
  await page.setInputFiles('#file', long);
  await shows('#transcribe-text', /what time is it[\s\S]*joke/i, 120_000);
  await page.waitForSelector('#transcribe-actions:not([hidden])', { timeout: 120_000 });
  await page.fill('#chat-text', 'What time is it?');
  await page.press('#chat-text', 'Enter');
  await shows('.bubble.it', /It is|It's/);
  for (const format of ['wav', 'mp3', 'opus']) {
    await page.selectOption('#speak-format', format);
    await page.fill('#speak-text', 'The lamp is lit at dusk.');
    await page.waitForSelector('#speak-go:not([hidden])');
    await page.click('#speak-go');
    await page.waitForSelector('#speak-download:not([hidden])');
    const seconds = await page.waitForFunction(() => {
      const { duration } = /** @type {HTMLAudioElement} */ (document.getElementById('speak-audio'));
      return Number.isFinite(duration) && duration > 0.5 ? duration : null;
    });
    assert.ok(Number(await seconds.jsonValue()) < 20, format);
    await page.waitForSelector('#speak-go:not([hidden])');
    await page.evaluate(() => document.getElementById('speak-download')?.setAttribute('hidden', ''));
  }
  await page.click('#transcribe-history');
  await shows('.said .words', /what time is it/i);
});

story('a server that is switched off in mid-request: the retries show, their end shows, and the work goes on when it is back', { accounts: false }, async ({ page, shows, go, server, start }) => {
  await go('/app/');
  await page.setInputFiles('#file', long);
  await shows('#transcribe-progress', /Transcribing|Reading|Waiting/);
  await server.current.kill();
  await shows('#transcribe-problem [role=status]', /does not answer[\s\S]*Try 2 of 3/);
  await shows('#transcribe-problem [role=status]', /Try 3 of 3/);
  await shows('#transcribe-problem', /Given up after 3 tries[\s\S]*Try again/);
  await start();
  await page.click('#transcribe-problem button');
  await shows('#transcribe-text', /what time is it/i, 120_000);
  await page.waitForSelector('#transcribe-actions:not([hidden])', { timeout: 120_000 });
});
