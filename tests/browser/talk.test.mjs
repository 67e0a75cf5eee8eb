/**
 * A conversation through the real page with the real server: a recording goes into the microphone, words come onto the
 * page, sound comes out. What was heard and played is measured on the page's audio thread.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { diagnostics, openBrowser, record } from './browser.mjs';
import { BINARY, startProxy, startServer } from './real-server.mjs';

const skip = BINARY ? false : 'AIGOLOS_BIN names no server';
const folder = mkdtempSync(join(tmpdir(), 'aigolos-talk-'));
/** Root mean square of a 20 ms window: -40 dB is heard, whatever the hiss below it. */
const AUDIBLE = 0.01;

/** @typedef {{at: number, level: number}[]} Levels */

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
before(async () => {
  if (BINARY) server = await startServer();
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/**
 * @param {import('playwright-core').Page} page
 * @param {RegExp} pattern
 * @param {string} selector
 */
async function shows(page, selector, pattern) {
  await page
    .waitForFunction(
      ([s, source, flags]) => [...document.querySelectorAll(s)].some((e) => new RegExp(source, flags).test(/** @type {HTMLElement} */ (e).innerText)),
      [selector, pattern.source, pattern.flags],
      { timeout: 30_000 },
    )
    .catch(async () => assert.fail(`${pattern} is not in ${selector}; the page says:\n${await page.innerText('main')}`));
}

/** @param {import('playwright-core').Page} page */
async function settles(page) {
  await page.waitForFunction(() => ['idle', 'listening'].includes(document.body.dataset.mood ?? ''), null, { timeout: 30_000 });
}

/** @param {Levels} levels */
const sounding = (levels) => levels.filter(({ level }) => level > AUDIBLE);

for (const rate of [44_100, 48_000]) {
  test(`a question at ${rate} Hz is written down while it is spoken, and answered aloud`, { skip, timeout: 90_000 }, async () => {
    const recording = join(folder, `question-${rate}.wav`);
    record(recording, rate, [1.5, 'What time is it?', 30]);
    const { page, faults, close } = await openBrowser({ microphone: recording, contextRate: rate });
    try {
      await page.goto(server.url);
      await page.evaluate(() => {
        const seen = { partial: false };
        Object.assign(window, { seen });
        new MutationObserver(() => {
          if (document.querySelector('.unstable')?.textContent) seen.partial = true;
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
      });
      await page.click('#talk');
      await shows(page, '.line.you .words', /what time is it/i);
      await shows(page, '.line.it .words', /\w+ \w+/);
      await settles(page);
      assert.equal(await page.evaluate(() => /** @type {any} */ (window).seen.partial), true, 'no partial words were shown');

      const seen = await diagnostics(page);
      assert.equal(seen.contextRate, rate);
      assert.equal(seen.inputRate, rate);
      assert.equal(seen.outputRate, rate);
      const loud = sounding(seen.loudspeaker);
      assert.ok(loud.length > 25, `only ${loud.length} audible windows of 20 ms`);
      // Neither a chipmunk nor a giant: the sound lasted as long as there was sound to play.
      const lasted = (loud[loud.length - 1].at - loud[0].at) * 1000;
      assert.ok(lasted < seen.playedMs * 1.2 + 100 && lasted > seen.playedMs * 0.5, `${lasted} ms sounded of ${seen.playedMs}`);
      assert.equal(seen.refusedChunks, 0);
      await shows(page, '#timeline-title', /Answer heard .+ after you stopped speaking/);
      assert.deepEqual(faults, []);
    } finally {
      await close();
    }
  });
}

test('speaking during the answer silences it within 300 ms', { skip, timeout: 90_000 }, async () => {
  const recording = join(folder, 'interruption.wav');
  record(recording, 48_000, [1.5, 'Tell me a joke.', 2.4, 'What time is it? What time is it?', 30]);
  const { page, close } = await openBrowser({ microphone: recording });
  try {
    await page.goto(server.url);
    await page.click('#talk');
    await shows(page, '.line.it .words', /You interrupted here/);
    const { microphone, loudspeaker } = await diagnostics(page);
    const voice = sounding(microphone);
    const again = voice.findIndex(({ at }, i) => i > 0 && at - voice[i - 1].at > 1.2);
    assert.ok(again > 0, 'the second speech was not heard');
    const began = voice[again].at;
    const earlier = sounding(loudspeaker).filter(({ at }) => at <= began);
    assert.ok(earlier.length > 10 && began - earlier[earlier.length - 1].at < 0.3, 'no answer was sounding when the second speech began');
    // What follows later is the next answer.
    const rest = sounding(loudspeaker).filter(({ at }) => at > began);
    const gap = rest.findIndex(({ at }, i) => at - (i > 0 ? rest[i - 1].at : began) > 0.4);
    const tail = gap < 0 ? rest : rest.slice(0, gap);
    const stopped = tail.length > 0 ? tail[tail.length - 1].at : began;
    console.log(`silent ${Math.round((stopped - began) * 1000)} ms after the second speech began`);
    assert.ok(stopped - began <= 0.3, `it spoke on for ${Math.round((stopped - began) * 1000)} ms`);
  } finally {
    await close();
  }
});

test('typed words are answered in text and sound, without a microphone', { skip, timeout: 90_000 }, async () => {
  const { page, close } = await openBrowser({ microphone: false });
  try {
    await page.goto(server.url);
    await page.fill('#text', 'What time is it?');
    await page.press('#text', 'Enter');
    await shows(page, '.line.it .words', /\w+ \w+/);
    await settles(page);
    const { loudspeaker, playedMs } = await diagnostics(page);
    assert.ok(sounding(loudspeaker).length > 25 && playedMs > 500);
    assert.equal(await page.locator('.turn').count(), 1);
  } finally {
    await close();
  }
});

test('push-to-talk: what is said while the space bar is down is answered', { skip, timeout: 90_000 }, async () => {
  const recording = join(folder, 'push.wav');
  record(recording, 48_000, [2.5, 'What time is it?', 30]);
  const { page, close } = await openBrowser({ microphone: recording });
  try {
    await page.goto(server.url);
    await page.getByLabel('Push to talk').check();
    await page.focus('#talk');
    await page.keyboard.press('Enter');
    await shows(page, '#talk-label', /Hold to talk/);
    await page.waitForFunction(() => /** @type {any} */ (window).aigolos.diagnostics().link.state === 'open');
    await page.keyboard.down('Space');
    // Let go once the microphone has been quiet for a while after the voice.
    await page.waitForFunction((audible) => {
      const { microphone } = /** @type {any} */ (window).aigolos.diagnostics();
      const loud = microphone.findLast((/** @type {any} */ l) => l.level > audible);
      return loud && microphone.at(-1).at - loud.at > 0.5;
    }, AUDIBLE);
    await page.keyboard.up('Space');
    await shows(page, '.line.you .words', /what time is it/i);
    await shows(page, '.line.it .words', /\w+ \w+/);
  } finally {
    await close();
  }
});

test('a line that is cut in the middle of an answer is resumed, and the answer is whole', { skip, timeout: 90_000 }, async () => {
  const proxy = await startProxy(server.port);
  const { page, close } = await openBrowser({ microphone: false });
  try {
    await page.goto(proxy.url);
    await page.fill('#text', 'Tell me a joke.');
    await page.press('#text', 'Enter');
    await page.waitForSelector('.line.it .fresh');
    const { sessionId } = await diagnostics(page);
    proxy.cut();
    await page.waitForFunction(() => /** @type {any} */ (window).aigolos.diagnostics().link.resumed === true);
    await settles(page);
    const seen = await diagnostics(page);
    assert.equal(seen.sessionId, sessionId);
    assert.equal(await page.locator('.line.it .aside').count(), 0, await page.innerText('#turns'));
    assert.match(await page.innerText('.line.it .words'), /[.!?]$/);
    // The same answer without a cut takes as long: nothing was played twice and nothing left out.
    assert.ok(seen.playedMs > 1000);
    await shows(page, '#timeline-title', /Answer heard/);
  } finally {
    await close();
    await proxy.stop();
  }
});

test('a server that comes back after a restart goes on', { skip, timeout: 90_000 }, async () => {
  let own = await startServer();
  const { page, close } = await openBrowser({ microphone: false });
  try {
    await page.goto(own.url);
    await page.fill('#text', 'Hello');
    await page.press('#text', 'Enter');
    await page.waitForSelector('.line.it .fresh');
    await settles(page);
    await own.stop();
    await page.waitForSelector('.notice.wait');
    own = await startServer({ port: own.port });
    await page.waitForFunction(() => !document.querySelector('.notice.wait'), null, { timeout: 30_000 });
    await page.fill('#text', 'What time is it?');
    await page.press('#text', 'Enter');
    await page.waitForSelector('.turn:nth-child(2) .line.it .fresh');
  } finally {
    await close();
    await own.stop();
  }
});

test('a full server says so, and lets the next one in when there is room', { skip, timeout: 90_000 }, async () => {
  const small = await startServer({ env: { MAX_SESSIONS: '1' } });
  const first = await openBrowser({ microphone: false });
  const second = await openBrowser({ microphone: false });
  try {
    for (const { page } of [first, second]) {
      await page.goto(small.url);
      await page.fill('#text', 'Hello');
      await page.press('#text', 'Enter');
      if (page === first.page) await page.waitForSelector('.line.it .fresh');
    }
    await shows(second.page, '.notice', /server is full/);
    await settles(first.page);
    await first.page.goto('about:blank');
    await second.page.waitForSelector('.line.it .fresh', { timeout: 75_000 });
  } finally {
    await first.close();
    await second.close();
    await small.stop();
  }
});
