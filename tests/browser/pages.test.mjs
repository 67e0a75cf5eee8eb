/** Every page: what axe finds, whether it scrolls sideways, language, colours, log-in and what stands behind it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AXE, clean } from './axe.mjs';
import { openBrowser } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';
import { onPage } from './site.mjs';

const TALK = '/app/history/0197b000-0000-7000-8000-000000000001/';
const OUTSIDE = ['/login/', '/signup/', '/verify/', '/password/forgot/', '/password/reset/?token=x', '/nowhere/'];
/** Where to look, and what shows that it is all there. */
const INSIDE = [
  ['/app/', '#transcribe-language option'],
  ['/app/history/', '.talk-row'],
  ['/app/history/?q=lamp', 'mark'],
  [TALK, '.talk-turn'],
  ['/app/settings/', '#sessions li'],
  ['/app/keys/', '#keys li'],
  ['/app/admin/', '#users li'],
  ['/app/models/', '#models li'],
];

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const viewport of [{ width: 390, height: 844 }, { width: 1280, height: 800 }]) {
    test(`axe finds nothing on any page: ${colorScheme}, ${viewport.width} wide`, { timeout: 180_000 }, async () => {
      const server = await new FakeServer({ accounts: true }).start();
      const { page, faults, close } = await openBrowser({ colorScheme, viewport, reducedMotion: 'reduce' });
      try {
        for (const [path, sign] of [...OUTSIDE.map((outside) => [outside, 'main']), ...INSIDE]) {
          server.site.api.loggedIn = !OUTSIDE.includes(path);
          server.site.api.user.language = colorScheme === 'dark' ? 'ru' : 'en';
          await page.goto(new URL(path, server.url).href);
          await page.waitForSelector(sign, { state: 'attached' });
          await page.waitForFunction(() => !document.querySelector('[aria-busy]'));
          await page.evaluate(AXE);
          await clean(page, path);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
          assert.ok(!wide, `${path} scrolls sideways`);
        }
        assert.deepEqual(faults, []);
      } finally {
        await close();
        await server.stop();
      }
    });
  }
}

test('no page scrolls sideways on the narrowest phone, in the longer language', { timeout: 120_000 }, async () => {
  const server = await new FakeServer({ accounts: true }).start();
  const { page, close } = await openBrowser({ viewport: { width: 320, height: 640 }, reducedMotion: 'reduce' });
  try {
    server.site.api.user.language = 'ru';
    for (const [path, sign] of [...OUTSIDE.map((outside) => [outside, 'main']), ...INSIDE, ['/', '#talk']]) {
      server.site.api.loggedIn = !OUTSIDE.includes(path);
      await page.goto(new URL(path, server.url).href);
      await page.waitForSelector(sign, { state: 'attached' });
      const wide = await page.evaluate(() => [...document.querySelectorAll('html, body, main')].filter((e) => e.scrollWidth > e.clientWidth + 1).length);
      assert.equal(wide, 0, path);
    }
  } finally {
    await close();
    await server.stop();
  }
});

onPage('who is not logged in is led to the log-in, and back', '/app/history/?q=lamp', async ({ page, shows }) => {
  assert.match(page.url(), /\/login\/\?next=/);
  await page.fill('#email', 'anna@example.org');
  await page.fill('#password', 'not it at all');
  await page.press('#password', 'Enter');
  await shows('[role=alert]', /does not fit/);
  await page.fill('#password', 'correct horse battery');
  await page.press('#password', 'Enter');
  await shows('.snippet mark', /lamp/);
  assert.match(page.url(), /\/app\/history\/\?q=lamp$/);
}, { loggedIn: false });

onPage('a log-in that ends in mid-work leads to the log-in and back, and the words are kept', '/app/', async ({ page, api }) => {
  await page.fill('#speak-text', 'A text that took long to write.');
  api.loggedIn = false;
  await page.click('#speak-go');
  await page.waitForURL(/\/login\/\?next=%2Fapp%2F/);
  await page.fill('#email', 'anna@example.org');
  await page.fill('#password', 'correct horse battery');
  await page.press('#password', 'Enter');
  await page.waitForFunction(() => /** @type {HTMLTextAreaElement | null} */ (document.getElementById('speak-text'))?.value === 'A text that took long to write.');
});

onPage('sign-up says what is wrong before it sends, and where to look afterwards', '/signup/', async ({ page, api, shows }) => {
  await page.fill('#email', 'anna');
  await page.fill('#password', 'short');
  await page.click('button[type=submit]');
  await shows('#email-error', /name@example\.org/);
  await shows('#password-error', /10 characters/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'email');
  assert.equal(api.asked.filter(({ path }) => path.endsWith('signup')).length, 0);
  await page.fill('#email', 'anna@example.org');
  await page.fill('#password', 'correct horse battery');
  await page.press('#password', 'Enter');
  await shows('[role=status]', /Look into your mail[\s\S]*anna@example\.org/);
  const sent = api.asked.find(({ path }) => path.endsWith('signup'))?.body;
  assert.deepEqual(sent, { email: 'anna@example.org', password: 'correct horse battery', language: 'en' });
}, { loggedIn: false });

onPage('a mailed link confirms; an old one offers another', '/verify/?token=good', async ({ page, shows, go }) => {
  await shows('[role=status]', /confirmed[\s\S]*logged in/);
  assert.ok(!page.url().includes('token'));
  await go('/verify/?token=old');
  await shows('[role=alert]', /./);
  await page.fill('#email', 'anna@example.org');
  await page.press('#email', 'Enter');
  await shows('[role=status]', /new link/);
}, { loggedIn: false });

onPage('a forgotten password is replaced by mail', '/password/forgot/', async ({ page, api, shows, go }) => {
  await page.fill('#email', 'anna@example.org');
  await page.press('#email', 'Enter');
  await shows('[role=status]', /has an account here/);
  await go('/password/reset/?token=good');
  await page.fill('#password', 'a fresh pass phrase');
  await page.press('#password', 'Enter');
  await shows('[role=status]', /password is changed/);
  assert.deepEqual(api.asked.at(-1)?.body, { token: 'good', password: 'a fresh pass phrase' });
}, { loggedIn: false });

onPage('the language is the browser’s, switched with one press, and stays', '/app/history/', async ({ page, api, shows, go }) => {
  await shows('h1', /^History$/);
  await page.click('#switch-language');
  await shows('h1', /^История$/);
  assert.equal(await page.getAttribute('html', 'lang'), 'ru');
  await shows('.talk-row .row-facts', /1 реплика/);
  assert.equal(api.user.language, 'ru');
  api.user.language = null; // the cookie alone
  await go('/');
  await shows('#talk-label', /Начать разговор/);
});

onPage('the colours are the system’s, switched with one press, without a flash', '/', async ({ page, go }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.click('#switch-theme'); // light
  assert.notEqual(await ground(), dark);
  await page.click('#switch-theme'); // dark
  assert.equal(await ground(), dark);
  await page.click('#switch-theme'); // as the system
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await ground();
  assert.notEqual(light, dark);
  await page.click('#switch-theme');
  await page.click('#switch-theme');
  // In the page as it is sent, before any script: nothing flashes.
  const sent = await page.request.get(new URL('/app/', page.url()).href);
  assert.match(await sent.text(), /<html [^>]*data-theme="dark"/);
  await go('/app/');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  assert.equal(await ground(), dark);
}, { accounts: false, browser: { colorScheme: 'dark' } });

onPage('the menu of a narrow screen opens, closes and is left by keyboard', '/app/history/', async ({ page }) => {
  await page.focus('.menu-button');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#menu:popover-open');
  await page.keyboard.press('Tab');
  assert.ok(await page.evaluate(() => document.activeElement?.closest('#menu')));
  await page.keyboard.press('Escape');
  await page.waitForSelector('#menu', { state: 'hidden' });
  assert.ok(await page.evaluate(() => document.activeElement?.classList.contains('menu-button')));
}, { browser: { viewport: { width: 390, height: 844 } } });

onPage('logging out ends at the log-in', '/app/', async ({ page, api }) => {
  await page.click('#log-out');
  await page.waitForURL(/\/login\/$/);
  assert.equal(api.loggedIn, false);
});

onPage('a page that is not there says so and leads on', '/nowhere/', async ({ page, shows }) => {
  await shows('h1', /not there/);
  await page.click('.button.primary');
  await page.waitForSelector('#talk');
}, { accounts: false });

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  onPage(`axe finds nothing in what comes and goes: ${colorScheme}`, '/app/', async ({ page, api, go, shows }) => {
    api.fail({ path: '/api/tts/', method: 'POST', status: 500 });
    api.fail({ path: '/api/llm/', status: 503, retryAfter: '29', times: 1 });
    await page.setInputFiles('#file', { name: 'a.wav', mimeType: 'audio/wav', buffer: Buffer.from('RIFF') });
    await page.waitForSelector('#transcribe-actions:not([hidden])');
    await page.fill('#speak-text', 'Hello');
    await page.click('#speak-go');
    await shows('#speak-problem', /mistake/);
    await page.fill('#chat-text', 'Hello');
    await page.press('#chat-text', 'Enter');
    await shows('#chat-problem', /Try 2 of 3/);
    await page.evaluate(AXE);
    await clean(page, 'a result, a failure, a wait');
    await page.getByRole('button', { name: 'Try now' }).click();
    await shows('.bubble.it', /at a time/);
    await page.waitForSelector('#chat-send:not([hidden])');
    await clean(page, 'an answer');
    await go('/app/history/');
    await page.waitForSelector('.talk-row');
    await page.click('.talk-row .small-button:nth-child(2)');
    await page.evaluate(AXE);
    await clean(page, 'a question');
    await go(TALK);
    await page.waitForSelector('.talk-turn');
    await page.click('#player-toggle');
    await page.waitForSelector('.now');
    await page.click('#player-toggle');
    await page.evaluate(AXE);
    await clean(page, 'a word that sounds');
    await go('/app/keys/');
    await page.click('#new-form button[type=submit]');
    await shows('#name-error', /./);
    await page.evaluate(AXE);
    await clean(page, 'a wrong field');
    await page.fill('#name', 'Phone');
    await page.click('#new-form button[type=submit]');
    await page.waitForSelector('#secret:not([hidden])');
    await clean(page, 'a secret');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.click('.menu-button');
    await page.waitForSelector('#menu:popover-open');
    await clean(page, 'an open menu');
  }, { browser: { colorScheme } });
}
