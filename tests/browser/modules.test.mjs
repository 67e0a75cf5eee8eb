/** The modules that need no browser: which words have been heard, wire format, back-off. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseAudio, parseEvent, socketAddress } from '../../static/js/messages.js';
import { backoff } from '../../static/js/protocol.js';
import { ReplyScript } from '../../static/js/reply-script.js';

test('words appear as their sound is played, never before', () => {
  const script = new ReplyScript(1);
  script.addText('One two. ');
  script.addSound(1000);
  script.addText('Three.');
  script.addSound(500);
  script.finish();
  assert.equal(script.spoken(0), '');
  assert.equal(script.spoken(100), 'One');
  assert.equal(script.spoken(600), 'One two.');
  assert.equal(script.spoken(1001), 'One two. Three.');
  assert.equal(script.spoken(5000), 'One two. Three.');
});

test('what has been shown stays, whatever is learned later of how long it takes', () => {
  const script = new ReplyScript(1);
  script.addText('It is ten past nine in the evening.');
  let shown = '';
  for (let ms = 0; ms < 4000; ms += 20) {
    script.addSound(ms < 300 ? 300 : 20); // some sound ahead, and a slower speaker than guessed
    const now = script.spoken(ms);
    if (now.length < shown.length) assert.fail(`"${shown}" became "${now}"`);
    shown = now;
  }
  script.finish();
  assert.equal(script.spoken(9000), 'It is ten past nine in the evening.');
});

test('a reply without sound is shown at once', () => {
  const script = new ReplyScript(1);
  script.addText('Only text.');
  script.finish();
  assert.equal(script.spoken(0), 'Only text.');
});

test('what is not a frame or an event is left out', () => {
  assert.equal(parseAudio(new ArrayBuffer(7)), null);
  assert.equal(parseAudio(new ArrayBuffer(11)), null);
  const frame = new Uint8Array([2, 1, 0, 0, 5, 0, 0, 0, 1, 0]).buffer;
  assert.deepEqual(parseAudio(frame), { turn: 258, chunk: 5 });
  for (const text of ['', '{', 'null', '[]', '{"type":3}', '"x"']) assert.equal(parseEvent(text), null);
});

test('the socket is beside the page, also below a path and over TLS', () => {
  assert.equal(socketAddress('http://localhost:8080/?x#y'), 'ws://localhost:8080/ws');
  assert.equal(socketAddress('https://example.org/voice/'), 'wss://example.org/voice/ws');
});

test('back-off grows, has jitter and an end', () => {
  assert.equal(backoff(0, 0), 150);
  assert.equal(backoff(0, 1), 300);
  assert.ok(backoff(3, 0) > backoff(2, 0));
  assert.equal(backoff(50, 1), 10_000);
});
