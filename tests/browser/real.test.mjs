/**
 * People's recordings into the microphone of the real page, with a real Whisper model behind it: what they said comes onto the
 * page once and whole, and black words stay.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openBrowser, record } from './browser.mjs';
import { BINARY, startServer } from './real-server.mjs';

const skip = BINARY ? false : 'AIGOLOS_BIN names no server';
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const recordings = join(root, 'tests/recordings/real');
const model = join(process.env.TEST_MODELS ?? join(root, '.cache/models'), 'ggml-tiny.en-q5_1.bin');
const folder = mkdtempSync(join(tmpdir(), 'aigolos-real-'));
/** The rate of the page's microphone. */
const RATE = 48_000;
/** Seconds between two people: an answer fits in there. */
const PAUSE = 9;
const SPOKEN = ['ohf_lock_the_front_door', 'arctic_a0009', 'ohf_what_s_the_weather'];
/** whisper.cpp itself, hearing each recording whole, has two of these 16 words wrong; a word more of each person may be. */
const MOST_WRONG = 4;

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
before(async () => {
  if (!BINARY) return;
  assert.ok(existsSync(model), `there is no ${model}\nhint: run \`make real-models\` first, or let TEST_MODELS name its folder`);
  server = await startServer({ env: { ASR_MODEL_NAME: model, DEFAULT_LANGUAGE: 'en', TTS_ENGINE: 'espeak' } });
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** @param {string} name */
function truthOf(name) {
  const [head, ...rows] = readFileSync(join(recordings, 'truth.tsv'), 'utf8').trimEnd().split('\n').map((line) => line.split('\t'));
  const row = rows.find((cells) => cells[head.indexOf('file')] === `${name}.flac`);
  assert.ok(row, `no recording ${name}`);
  return row[head.indexOf('text')];
}

/** @param {string} text */
const words = (text) => text.toLowerCase().replaceAll('\u2019', "'").match(/[\p{L}\p{N}']+/gu) ?? [];

/**
 * Words that are wrong, missing or too many.
 * @param {string[]} truth
 * @param {string[]} heard
 */
function errors(truth, heard) {
  let row = heard.map((_, at) => at + 1);
  row.unshift(0);
  truth.forEach((said, line) => {
    const next = [line + 1];
    heard.forEach((got, at) => next.push(Math.min(next[at] + 1, row[at + 1] + 1, row[at] + (said === got ? 0 : 1))));
    row = next;
  });
  return row[heard.length];
}

test('what people say into the page is written there once and whole', { skip, timeout: 180_000 }, async () => {
  const recording = join(folder, 'people.wav');
  record(recording, RATE, [1.5, ...SPOKEN.flatMap((name) => [{ file: join(recordings, `${name}.flac`) }, PAUSE]), 60]);
  const { page, faults, close } = await openBrowser({ microphone: recording });
  try {
    await page.goto(server.url);
    await page.evaluate(() => {
      // What was black in each line, whenever it changed.
      const seen = /** @type {string[][]} */ ([]);
      Object.assign(window, { seen });
      new MutationObserver(() => {
        document.querySelectorAll('.line.you .words').forEach((line, at) => {
          const stable = line.querySelector('.stable')?.textContent?.trim() ?? '';
          const earlier = (seen[at] ??= []);
          if (stable && earlier.at(-1) !== stable) earlier.push(stable);
        });
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    await page.click('#talk');
    const last = words(truthOf(SPOKEN[SPOKEN.length - 1])).at(-1) ?? '';
    await page.waitForFunction(
      ([count, word]) => {
        const lines = [...document.querySelectorAll('.line.you .words')].map((line) => /** @type {HTMLElement} */ (line).innerText.toLowerCase());
        return lines.length >= Number(count) && lines.at(-1)?.includes(String(word));
      },
      [SPOKEN.length, last],
      { timeout: 120_000 },
    ).catch(async () => assert.fail(`"${last}" did not come; the page says:\n${await page.innerText('main')}`));
    // The last line may still change until its answer is there.
    await page.waitForFunction((count) => document.querySelectorAll('.line.it .words').length >= count, SPOKEN.length, { timeout: 30_000 });

    const lines = await page.locator('.line.you .words').allInnerTexts();
    const heard = words(lines.join(' '));
    const truth = SPOKEN.flatMap((name) => words(truthOf(name)));
    const wrong = errors(truth, heard);
    console.log(`${wrong} of ${truth.length} words are wrong: ${JSON.stringify(lines)}`);
    assert.ok(wrong <= MOST_WRONG, `${wrong} of ${truth.length} words are wrong: ${JSON.stringify(lines)}`);
    /** @type {string[][]} */
    const seen = await page.evaluate(() => /** @type {any} */ (window).seen);
    for (const line of seen) {
      line.forEach((stable, at) => assert.ok(at === 0 || stable.startsWith(line[at - 1]), `black words changed: ${JSON.stringify(line)}`));
    }
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});
