/** The pages' words: every key has its text in each language, every text has its use. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { bytes, clock, plural, t, use, when } from '../../static/js/i18n.js';
import { safeNext } from '../../static/js/next.js';
import { SseParser } from '../../static/js/sse.js';
import { WavReader } from '../../static/js/tools/playing.js';
import { pieces } from '../../static/js/views/marked.js';
import { tone } from './fake-data.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @param {string} folder @param {string} ending @returns {string[]} */
const all = (folder, ending) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'));

/** @param {string} language @returns {Record<string, string | Record<string, string>>} */
const locale = (language) => JSON.parse(readFileSync(join(ROOT, 'static/locales', `${language}.json`), 'utf8'));

/** What stands in braces. @param {string} text */
const holes = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

const en = locale('en');
const ru = locale('ru');
const sources = [...all('templates', '.html'), ...all('static/js', '.js')].join('\n');

test('both languages have the same texts, with the same places to fill', () => {
  assert.deepEqual(Object.keys(ru), Object.keys(en));
  for (const [key, text] of Object.entries(en)) {
    const other = ru[key];
    assert.equal(typeof other, typeof text, key);
    if (typeof text === 'string') {
      assert.deepEqual(holes(String(other)), holes(text), key);
      assert.ok(text.trim() && String(other).trim(), key);
    } else {
      assert.deepEqual(Object.keys(text), ['one', 'other'], key);
      assert.deepEqual(Object.keys(other), ['one', 'few', 'many', 'other'], key);
      for (const form of Object.values(other)) assert.deepEqual(holes(form), holes(text.other), key);
    }
  }
});

test('every text that is asked for is there', () => {
  const asked = [...sources.matchAll(/(?:\bt|\bplural|shell\.t)\((?:["'])([a-z_]+(?:\.[\w]+)*)["']/g)].map(([, key]) => key);
  assert.ok(asked.length > 300, `only ${asked.length} are found`);
  assert.deepEqual(asked.filter((key) => !(key in en)), []);
});

test('every text is asked for: by its key, or by the beginning of it', () => {
  const quoted = new Set([...sources.matchAll(/["'`]([a-z_]+(?:\.\w+)*)["'`]/g)].map(([, key]) => key));
  const begun = [...sources.matchAll(/`([a-z_]+\.[\w.]*)\$\{/g)].map(([, prefix]) => prefix);
  const unused = Object.keys(en).filter((key) => !quoted.has(key) && !begun.some((prefix) => key.startsWith(prefix)));
  // The words for what the server refuses are the server's too.
  assert.deepEqual(unused.filter((key) => !key.startsWith('problem.') && !key.startsWith('failure.')), []);
});

test('no words for people are left in the scripts', () => {
  // Words in quotation marks with a space between, beginning with a capital: a sentence somebody would read.
  const said = all('static/js', '.js').flatMap((source) => source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').match(/['`][A-Z][a-z]+ [a-z][^'`\n]*['`]/g) ?? []);
  assert.deepEqual(said, []);
});

test('numbers take their form, in each language', () => {
  use(ru, 'ru');
  assert.deepEqual([1, 3, 5, 11, 21, 22].map((n) => plural('history.turns', n)), ['1 реплика', '3 реплики', '5 реплик', '11 реплик', '21 реплика', '22 реплики']);
  assert.equal(bytes(10_000_000), '10 МБ');
  use(en, 'en');
  assert.deepEqual([1, 2].map((n) => plural('history.turns', n)), ['1 turn', '2 turns']);
  assert.equal(bytes(10_000_000), '10 MB');
  assert.equal(bytes(999), '999 byte');
  assert.equal(t('no.such.key'), 'no.such.key');
  assert.equal(t('history.nothing_found', { q: '<b>' }), 'Nothing has “<b>” in it.');
});

test('moments are said as people say them', () => {
  use(en, 'en');
  const now = new Date(2026, 9, 20, 12).getTime();
  assert.match(when(new Date(2026, 9, 20, 9, 5).getTime(), now), /^9:05\sAM$/);
  assert.equal(when(new Date(2026, 9, 19, 9).getTime(), now), 'Oct 19');
  assert.equal(when(new Date(2025, 9, 19, 9).getTime(), now), 'Oct 19, 2025');
  assert.deepEqual([0, 61_000, 3_600_000].map(clock), ['0:00', '1:01', '1:00:00']);
});

test('server-sent events are whole, wherever the text is cut', () => {
  const text = 'id: 7\r\nevent: text\r\ndata: {"a":\ndata: 1}\r\n\r\n: nothing\n\ndata:x\rdata: y\r\rid: 8\nevent: done\n\ndata\n\n';
  const wanted = [{ name: 'text', data: '{"a":\n1}', id: '7' }, { name: 'message', data: 'x\ny', id: '7' }, { name: 'message', data: '', id: '8' }];
  for (let size = 1; size <= text.length; size++) {
    const parser = new SseParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.feed(text.slice(at, at + size)));
    assert.deepEqual(events, wanted, `cut every ${size}`);
  }
});

test('a log-in leads back to this server and nowhere else', () => {
  const origin = 'https://voice.example';
  assert.equal(safeNext('/app/history/?q=x', origin), '/app/history/?q=x');
  for (const elsewhere of [null, '', 'https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', 'app/']) {
    assert.equal(safeNext(elsewhere, origin), '/app/', String(elsewhere));
  }
});

test('what was found is marked, however the marks stand', () => {
  const mark = (/** @type {string} */ snippet) => pieces(snippet).map(({ text, found }) => (found ? `[${text}]` : text)).join('');
  assert.equal(mark('the \uE000lamp\uE001 is \uE000lit\uE001'), 'the [lamp] is [lit]');
  assert.equal(mark('\uE000<b>\uE001'), '[<b>]');
  assert.equal(mark('cut \uE000off'), 'cut [off]');
  assert.equal(mark('odd\uE001 end'), 'odd end');
});

test('samples come out of a WAV file whole, wherever it is cut', () => {
  const sound = tone(0.05);
  const expected = [...new Int16Array(sound.buffer.slice(sound.byteOffset + 44, sound.byteOffset + sound.length))];
  for (const size of [1, 7, 43, 44, 45, 1000, sound.length]) {
    const reader = new WavReader();
    const samples = [];
    for (let at = 0; at < sound.length; at += size) samples.push(...(reader.read(sound.subarray(at, at + size)) ?? []));
    assert.deepEqual(samples, expected, `cut every ${size}`);
    assert.equal(reader.rate, 22_050);
  }
});
