/** The page on bad days, against a server that has them on demand. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { diagnostics, openBrowser, record } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';

const folder = mkdtempSync(join(tmpdir(), 'aigolos-faults-'));
const question = join(folder, 'question.wav');
const twice = join(folder, 'twice.wav');
const quiet = join(folder, 'quiet.wav');

before(() => {
  record(question, 48_000, [1, 'What time is it?', 30]);
  record(twice, 48_000, [1, 'What time is it?', 2.2, 'What time is it?', 30]);
  record(quiet, 48_000, [60]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * @param {string} title
 * @param {{server?: import('./fake-server.mjs').Options, browser?: import('./browser.mjs').Setup}} setup
 * @param {(opened: {page: import('playwright-core').Page, server: FakeServer}) => Promise<void>} tell
 */
function story(title, setup, tell) {
  test(title, { timeout: 60_000 }, async () => {
    const server = await new FakeServer(setup.server).start();
    const { page, faults, close } = await openBrowser({ microphone: quiet, ...setup.browser });
    try {
      await page.goto(server.url);
      await tell({ page, server });
      assert.deepEqual(faults, [], 'the page reported faults');
    } finally {
      await close();
      await server.stop();
    }
  });
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} selector
 * @param {RegExp} pattern
 */
async function shows(page, selector, pattern) {
  await page.waitForFunction(
    ([s, source, flags]) => [...document.querySelectorAll(s)].some((e) => new RegExp(source, flags).test(/** @type {HTMLElement} */ (e).innerText)),
    [selector, pattern.source, pattern.flags],
    { timeout: 20_000 },
  );
}

/** @param {import('playwright-core').Page} page @param {string} text */
async function type(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

story('typed words are answered in text and sound, without a microphone', { browser: { microphone: false } }, async ({ page, server }) => {
  await type(page, 'What time is it?');
  await shows(page, '.line.you', /What time is it\?/);
  await shows(page, '.line.it', /^aigolos\s+It is ten past nine in the evening\. Is there anything else you would like to know\?$/);
  await page.waitForFunction(() => document.body.dataset.mood === 'idle');
  const { playedMs, loudspeaker } = await diagnostics(page);
  assert.ok(playedMs > 4000 && loudspeaker.some((/** @type {any} */ l) => l.level > 0.05));
  const acks = server.received.filter(({ type: t }) => t === 'playback.ack');
  assert.ok(acks.length >= 8, `${acks.length} acknowledgements in ${playedMs} ms`);
  assert.equal(acks.at(-1).played_ms, Math.round(playedMs));
  assert.equal(await page.inputValue('#text'), '');
  await shows(page, '#timeline-title', /after you/);
});

story("a reply's words appear with their sound", { browser: { microphone: false } }, async ({ page }) => {
  await type(page, 'What time is it?');
  await shows(page, '.line.it', /It is ten/);
  const text = await page.innerText('.line.it .words');
  assert.ok(!text.includes('anything'), `too early: ${text}`);
});

story('spoken words are shown grey, then black, and answered', { browser: { microphone: question } }, async ({ page, server }) => {
  await page.click('#talk');
  await page.waitForFunction(() => document.querySelector('.stable')?.textContent && document.querySelector('.unstable')?.textContent);
  const [grey, black] = await page.evaluate(() =>
    ['.unstable', '.stable'].map((s) => getComputedStyle(/** @type {Element} */ (document.querySelector(s))).color),
  );
  assert.notEqual(grey, black);
  await shows(page, '.line.it', /like to know\?/);
  assert.equal(await page.innerText('.line.you .words'), 'What time is it?');
  const start = server.received.find(({ type: t }) => t === 'session.start');
  const { contextRate } = await diagnostics(page);
  assert.deepEqual(start.audio, { encoding: 'pcm_s16le', sample_rate: contextRate });
  assert.deepEqual(start.output, { encoding: 'pcm_s16le', sample_rate: contextRate });
});

story('speaking stops the answer, and the page keeps what was heard of it', { browser: { microphone: twice } }, async ({ page }) => {
  await page.click('#talk');
  await shows(page, '.line.it', /You interrupted here/);
  const first = page.locator('.turn').first().locator('.line.it .words');
  assert.match(await first.innerText(), /^It is ten/);
  assert.doesNotMatch(await first.innerText(), /know/);
});

story('stop, by button and by Escape, silences the answer at once', { browser: { microphone: false } }, async ({ page, server }) => {
  for (const stop of [() => page.click('#stop-reply'), () => page.press('body', 'Escape')]) {
    await type(page, 'Tell me a joke.');
    await page.waitForFunction(() => document.body.dataset.mood === 'speaking' && document.querySelector('.turn:last-child .line.it .fresh'));
    await stop();
    await page.waitForFunction(() => document.body.dataset.mood === 'idle');
    const { playedMs } = await diagnostics(page);
    await page.waitForTimeout(400);
    assert.equal((await diagnostics(page)).playedMs, playedMs);
    await shows(page, '.turn:last-child .line.it', /Stopped here/);
  }
  assert.equal(server.received.filter(({ type: t }) => t === 'reply.cancel').length, 2);
});

story('a refused microphone is explained, and typing still works', { browser: { microphone: false } }, async ({ page }) => {
  await page.click('#talk');
  await shows(page, '[role=alert]', /microphone is not allowed[\s\S]*allow the microphone, then try again/i);
  assert.equal(await page.innerText('#talk-label'), 'Start talking');
  await type(page, 'Hello');
  await shows(page, '.line.it', /You wrote: Hello/);
});

story('a machine without a microphone is told so', { browser: { noMicrophone: true } }, async ({ page }) => {
  await page.click('#talk');
  await shows(page, '[role=alert]', /No microphone found[\s\S]*Plug one in/);
});

story('a microphone that gives nothing but silence is pointed out', { browser: { microphone: quiet } }, async ({ page }) => {
  await page.click('#talk');
  await shows(page, '.notice', /No sound is coming from the microphone/);
  await page.click('#mute');
  await page.waitForFunction(() => !document.querySelector('.notice'));
});

test('an address without HTTPS is explained, and typing is answered in text', { timeout: 60_000 }, async () => {
  const server = await new FakeServer().start();
  const { page, faults, close } = await openBrowser({ hosts: 'MAP voice.test 127.0.0.1' });
  try {
    await page.goto(`http://voice.test:${server.port}/`);
    await shows(page, '[role=alert]', /secure address[\s\S]*http:\/\/voice\.test[\s\S]*HTTPS/);
    await type(page, 'Hello');
    await shows(page, '.line.it', /You wrote: Hello/);
    assert.equal(server.received.find(({ type: t }) => t === 'session.start').speak, false);
    assert.deepEqual(faults, []);
  } finally {
    await close();
    await server.stop();
  }
});

story('a full server is explained, waited for, and joined', { server: { overloaded: 2 }, browser: { microphone: question } }, async ({ page, server }) => {
  await page.click('#talk');
  await shows(page, '.notice', /server is full[\s\S]*next free place[\s\S]*Try now/);
  await shows(page, '.line.it', /ten past nine/); // what was said meanwhile was kept
  assert.equal(await page.locator('.notice').count(), 0);
  assert.equal(server.received.filter(({ type: t }) => t === 'session.start').length, 3);
});

story('a lost connection is resumed in the middle of an answer: nothing twice, nothing missing', { browser: { microphone: false } }, async ({ page, server }) => {
  await type(page, 'Tell me a joke.');
  await shows(page, '.line.it', /Why did/);
  server.cut();
  await page.waitForFunction(() => /** @type {any} */ (window).aigolos.diagnostics().link.resumed === true);
  await shows(page, '.line.it', /hands\.$/);
  const resume = server.received.findLast(({ type: t }) => t === 'session.start').resume;
  assert.ok(resume.session_id && resume.last_seq > 1);
  await page.waitForFunction(() => document.body.dataset.mood === 'idle');
  const [session] = server.sessions.values();
  const sent = session.log.filter(({ data }) => typeof data !== 'string').length;
  assert.equal(Math.round((await diagnostics(page)).playedMs), sent * 20);
  assert.equal(await page.locator('.turn').count(), 1);
});

story('what is said and typed while the line is down arrives when it is back', { browser: { microphone: question } }, async ({ page, server }) => {
  await page.click('#talk');
  await page.waitForFunction(() => /** @type {any} */ (window).aigolos.diagnostics().link.state === 'open');
  server.down = true;
  server.cut();
  await shows(page, '.notice', /connection was lost[\s\S]*Try now/);
  await page.waitForTimeout(2500); // the question is spoken into a dead line
  server.down = false;
  await shows(page, '.line.you', /What time is it\?/);
  await shows(page, '.line.it', /ten past nine/);
  assert.equal(await page.locator('.notice').count(), 0);
});

story('a restarted server goes on with the conversation in a new session', { browser: { microphone: false } }, async ({ page, server }) => {
  await type(page, 'Hello');
  await shows(page, '.line.it', /You wrote: Hello/);
  await page.waitForSelector('#stop-reply', { state: 'hidden' }); // the answer is over, so nothing of it can be lost
  const { sessionId } = await diagnostics(page);
  const conversation = server.sessions.get(sessionId)?.conversation;
  server.forget();
  server.cut();
  await page.waitForFunction((id) => {
    const now = /** @type {any} */ (window).aigolos.diagnostics();
    return now.link.state === 'open' && now.sessionId !== id;
  }, sessionId);
  assert.equal(server.received.findLast(({ type: t }) => t === 'session.start').conversation_id, conversation);
  await type(page, 'What time is it?'); // turn 1 again for the server, not for the page
  await shows(page, '.turn:nth-child(2) .line.it', /like to know\?/);
  assert.equal(await page.innerText('.turn:nth-child(1) .line.it .words'), 'You wrote: Hello');
});

story('a server that is being replaced sends the page on, and nothing has to be typed again', { browser: { microphone: false } }, async ({ page, server }) => {
  await type(page, 'Hello');
  await shows(page, '.line.it', /You wrote: Hello/);
  await page.waitForSelector('#stop-reply', { state: 'hidden' });
  const { sessionId } = await diagnostics(page);
  const conversation = server.sessions.get(sessionId)?.conversation;
  server.deaf = true;
  await type(page, 'What time is it?'); // crosses the news on its way
  while (server.received.filter(({ type: t }) => t === 'text.send').length < 2) await page.waitForTimeout(50);
  server.deaf = false;
  server.restart();
  await shows(page, '.notice.wait', /restarting[\s\S]*goes on by itself/);
  await shows(page, '.turn:nth-child(2) .line.it', /like to know\?/);
  const started = server.received.findLast(({ type: t }) => t === 'session.start');
  assert.deepEqual([started.conversation_id, started.resume], [conversation, undefined]);
  assert.equal(await page.locator('.notice').count(), 0);
});

story('a server that is not there is explained and tried again', { browser: { microphone: false } }, async ({ page, server }) => {
  server.down = true;
  await type(page, 'Hello');
  await shows(page, '.notice', /server does not answer/);
  server.down = false;
  await shows(page, '.line.it', /You wrote: Hello/);
});

story('keyboard alone: start, stop, push-to-talk', { browser: { microphone: question } }, async ({ page, server }) => {
  const active = () => page.evaluate(() => document.activeElement?.id || /** @type {any} */ (document.activeElement)?.value);
  for (let i = 0; i < 20 && (await active()) !== 'talk'; i++) await page.keyboard.press('Tab');
  assert.equal(await active(), 'talk');
  await page.keyboard.press('Enter');
  await shows(page, '#talk-label', /^Stop$/);
  await page.keyboard.press('Space');
  await shows(page, '#talk-label', /^Start talking$/);

  await page.keyboard.press('Tab');
  assert.equal(await active(), 'hands-free');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await active(), 'talk');
  await page.keyboard.press('Enter');
  await shows(page, '#talk-label', /^Hold to talk$/);
  await page.waitForFunction(() => /** @type {any} */ (window).aigolos.diagnostics().link.state === 'open');
  assert.deepEqual(server.received.findLast(({ type: t }) => t === 'session.start').turn_detection, { type: 'manual' });
  const silent = server.audioBytes;
  await page.waitForTimeout(300);
  assert.equal(server.audioBytes, silent, 'sound was sent while the button was up');

  await page.keyboard.down('Space');
  await shows(page, '#talk-label', /^Release to send$/);
  await page.waitForTimeout(800);
  await page.keyboard.up('Space');
  await shows(page, '.line.it', /ten past nine/);
  assert.equal(server.received.filter(({ type: t }) => t === 'audio.commit').length, 1);
  assert.ok(server.audioBytes > silent);

  await page.keyboard.down('Space'); // talking over the answer
  await shows(page, '.line.it', /Stopped here/);
  await page.keyboard.up('Space');
  await page.focus('#end');
  await page.keyboard.press('Enter');
  await shows(page, '#talk-label', /^Start talking$/);
  assert.equal(await active(), 'talk');
});

story('push-to-talk by pointer, and by one press for those who cannot hold', { browser: { microphone: question } }, async ({ page, server }) => {
  await page.getByLabel('Push to talk').check();
  await page.click('#talk');
  await shows(page, '#talk-label', /^Hold to talk$/);
  await page.hover('#talk');
  await page.mouse.down();
  await shows(page, '#talk-label', /^Release to send$/);
  await page.waitForTimeout(500);
  await page.mouse.up();
  await shows(page, '#talk-label', /^Hold to talk$/);
  await shows(page, '.line.it', /ten past/);
  await page.focus('#talk');
  await page.keyboard.press('Enter');
  await shows(page, '#talk-label', /^Release to send$/);
  await page.waitForTimeout(400);
  await page.keyboard.press('Enter');
  await shows(page, '.turn:nth-child(2) .line.it', /ten past/);
  assert.equal(server.received.filter(({ type: t }) => t === 'audio.commit').length, 2);
});

story('a muted microphone sends silence', { browser: { microphone: question } }, async ({ page }) => {
  await page.click('#talk');
  await page.click('#mute');
  await shows(page, '#state', /Muted/);
  await page.waitForTimeout(3000);
  assert.equal(await page.locator('.turn').count(), 0);
  assert.equal(await page.getAttribute('#mute', 'aria-pressed'), 'true');
});

story('voice, language and microphone are chosen live', { browser: { microphone: question } }, async ({ page, server }) => {
  await page.click('#talk');
  await page.click('#open-settings');
  await page.waitForFunction(() => /** @type {HTMLSelectElement} */ (document.getElementById('voice')).options.length === 3);
  await page.selectOption('#voice', 'en-gb');
  await page.waitForFunction(() => /** @type {HTMLSelectElement} */ (document.getElementById('microphone')).options.length > 1);
  await page.selectOption('#microphone', { index: 1 });
  await page.press('body', 'Escape');
  await shows(page, '.line.it', /ten past nine/); // the other microphone plays the recording from its start
  assert.equal(server.received.find(({ type: t }) => t === 'session.update').voice, 'en-gb');
  assert.equal(server.received.filter(({ type: t }) => t === 'session.start').length, 1);
  await page.reload();
  await type(page, 'Hello');
  await shows(page, '.line.it', /You wrote: Hello/);
  assert.equal(server.received.findLast(({ type: t }) => t === 'session.start').voice, 'en-gb');
});

story('demo engines are named as such, with the way to better ones', {}, async ({ page }) => {
  await shows(page, '#engines-chip', /Demo engines/);
  await page.click('#engines-chip');
  await shows(page, '#engines', /nano-en\s+small demo engine[\s\S]*ggml Whisper model[\s\S]*assistant\s+small demo engine[\s\S]*ollama pull/);
});
