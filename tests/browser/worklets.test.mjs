/** The worklets by themselves, sample by sample, on a clock that the test turns. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

/**
 * @param {string} name
 * @param {number} sampleRate
 * @param {object} processorOptions
 */
function load(name, sampleRate, processorOptions) {
  const source = readFileSync(new URL(`../../static/js/worklets/${name}.js`, import.meta.url), 'utf8');
  /** @type {any[]} */
  const posted = [];
  class AudioWorkletProcessor {
    port = { onmessage: null, postMessage: (/** @type {any} */ data) => posted.push(data) };
  }
  /** @type {any} */
  let Processor;
  const world = { AudioWorkletProcessor, registerProcessor: (/** @type {string} */ _, /** @type {any} */ p) => (Processor = p), sampleRate, currentTime: 0, ArrayBuffer, Float32Array, Float64Array, Int16Array };
  vm.runInNewContext(source, world);
  const processor = new Processor({ processorOptions });
  return { processor, posted, world };
}

/**
 * @param {number} sampleRate
 * @param {number} [sourceRate]
 */
function player(sampleRate, sourceRate = sampleRate) {
  const { processor, posted, world } = load('playback', sampleRate, { sourceRate });
  const send = (/** @type {any} */ data) => processor.port.onmessage({ data });
  /** @param {number} ms @returns {number[]} what comes out */
  const run = (ms) => {
    /** @type {number[]} */
    const out = [];
    for (let done = 0; done < (ms * sampleRate) / 1000; done += 128) {
      const block = [new Float32Array(128), new Float32Array(128)];
      processor.process([], [block]);
      assert.deepEqual(block[0], block[1]);
      out.push(...block[0]);
      world.currentTime += 128 / sampleRate;
      for (const buffer of posted.splice(0)) {
        reports.push([...new Float64Array(buffer)]);
        send(buffer);
      }
    }
    return out;
  };
  /** @type {number[][]} */
  const reports = [];
  const last = () => {
    const [state, turn, playedMs, queuedMs, , underruns, refused] = reports[reports.length - 1];
    return { state, turn, playedMs, queuedMs, underruns, refused };
  };
  return { send, run, last, processor };
}

/**
 * 20 ms of a constant, so that every gap and edge shows.
 * @param {number} turn
 * @param {number} rate
 * @param {number} [value]
 */
function chunk(turn, rate, value = 16384) {
  const frame = new ArrayBuffer(8 + (rate / 50) * 2);
  new Int16Array(frame, 8).fill(value);
  return { type: 'chunk', turn, buffer: frame, offset: 8 };
}

const IDLE = 0;
const HELD = 3;

for (const rate of [44_100, 48_000]) {
  test(`a reply at ${rate} Hz is played whole, once, without a gap`, () => {
    const { send, run, last } = player(rate);
    for (let i = 0; i < 25; i++) send(chunk(1, rate));
    send({ type: 'end', turn: 1 });
    const out = run(700);
    const first = out.findIndex((v) => v !== 0);
    const end = out.findLastIndex((v) => v !== 0);
    assert.ok(Math.abs(end - first - rate / 2) < 8, `half a second sounded for ${((end - first) / rate) * 1000} ms`);
    assert.ok(out.slice(first, end).every((v) => v > 0));
    assert.deepEqual(last(), { state: IDLE, turn: 1, playedMs: 500, queuedMs: 0, underruns: 0, refused: 0 });
  });
}

test('no edge jumps: start, end, hold, release and flush are faded', () => {
  const { send, run } = player(48_000);
  /** @type {number[]} */
  const out = [];
  for (let i = 0; i < 40; i++) send(chunk(1, 48_000));
  out.push(...run(200));
  send({ type: 'hold', hold: true });
  out.push(...run(100));
  send({ type: 'hold', hold: false });
  out.push(...run(100));
  send({ type: 'flush', turn: 1 });
  out.push(...run(100));
  const jump = Math.max(...out.map((v, i) => Math.abs(v - (out[i - 1] ?? 0))));
  assert.ok(jump < 0.01, `a jump of ${jump}`);
});

test('it waits for a little audio before it starts, but not for more than there is', () => {
  const { send, run } = player(48_000);
  send(chunk(1, 48_000));
  assert.ok(run(60).every((v) => v === 0), 'started with 20 ms in hand');
  for (let i = 0; i < 5; i++) send(chunk(1, 48_000));
  assert.ok(run(20).some((v) => v > 0));

  const short = player(48_000);
  short.send(chunk(1, 48_000));
  short.send({ type: 'end', turn: 1 });
  assert.ok(short.run(20).some((v) => v > 0), 'a short reply waited for ever');
});

test('an underrun is survived, counted, and answered with a deeper buffer', () => {
  const { send, run, last, processor } = player(48_000);
  const before = processor.prefillMs;
  for (let i = 0; i < 6; i++) send(chunk(1, 48_000));
  run(300);
  assert.equal(last().underruns, 1);
  assert.ok(processor.prefillMs > before);
  for (let i = 0; i < 10; i++) send(chunk(1, 48_000));
  send({ type: 'end', turn: 1 });
  run(400);
  assert.equal(last().playedMs, 320);
  assert.equal(last().state, IDLE);
});

test('a hold keeps what is queued, and goes on where it was', () => {
  const { send, run, last } = player(48_000);
  for (let i = 0; i < 20; i++) send(chunk(1, 48_000));
  send({ type: 'end', turn: 1 });
  run(100);
  send({ type: 'hold', hold: true });
  assert.ok(run(60).slice(480).every((v) => v === 0), 'not silent 10 ms after the hold');
  const { playedMs, state } = last();
  assert.equal(state, HELD);
  run(500);
  assert.equal(last().playedMs, playedMs);
  send({ type: 'hold', hold: false });
  run(600);
  assert.equal(last().playedMs, 400);
});

test('a flush silences its turn within 10 ms and leaves the next one whole', () => {
  const { send, run, last } = player(48_000);
  for (let i = 0; i < 20; i++) send(chunk(1, 48_000));
  for (let i = 0; i < 10; i++) send(chunk(2, 48_000, -16384));
  run(100);
  send({ type: 'flush', turn: 1 });
  send({ type: 'end', turn: 2 });
  const out = run(500);
  const silent = out.findIndex((v) => v === 0);
  assert.ok(silent > 0 && silent <= 480, `silent after ${(silent / 48).toFixed(1)} ms`);
  assert.ok(out.slice(silent).every((v) => v <= 0), 'the flushed turn came back');
  assert.deepEqual(last(), { state: IDLE, turn: 2, playedMs: 200, queuedMs: 0, underruns: 0, refused: 0 });
});

test('a flush while held, while waiting and when all is over leaves it idle and usable', () => {
  const { send, run, last } = player(48_000);
  for (let i = 0; i < 20; i++) send(chunk(1, 48_000));
  run(100);
  send({ type: 'hold', hold: true });
  run(50);
  send({ type: 'flush', turn: 1 });
  run(50);
  assert.equal(last().state, IDLE);
  send(chunk(2, 48_000));
  send({ type: 'flush', turn: 2 });
  run(50);
  assert.equal(last().state, IDLE);
  send({ type: 'flush', turn: 2 });
  for (let i = 0; i < 10; i++) send(chunk(3, 48_000));
  send({ type: 'end', turn: 3 });
  run(400);
  assert.equal(last().playedMs, 200);
});

test('more than it can hold is refused and counted', () => {
  const { send, run, last } = player(48_000);
  for (let i = 0; i < 4100; i++) send(chunk(1, 48_000));
  run(40);
  assert.equal(last().refused, 4);
});

test('a context of 96 kHz plays 24 kHz at the right speed', () => {
  const { send, run, last } = player(96_000, 24_000);
  for (let i = 0; i < 25; i++) send(chunk(1, 24_000));
  send({ type: 'end', turn: 1 });
  const out = run(700);
  const sounding = out.filter((v) => v !== 0).length;
  assert.ok(Math.abs(sounding - 48_000) < 64, `${sounding} samples sounded`);
  assert.equal(last().playedMs, 500);
});

/**
 * @param {number} rate
 * @param {number} decimate
 */
function recorder(rate, decimate) {
  const { processor, posted } = load('capture', rate, { chunkMs: 20, decimate });
  /** @param {Float32Array[]} channels */
  const feed = (channels) => processor.process([channels]);
  return { processor, posted, feed };
}

test('the microphone comes as 20 ms chunks of mono 16-bit samples, and nothing is lost between them', () => {
  const { processor, posted, feed } = recorder(44_100, 1);
  let n = 0;
  for (let i = 0; i < 100; i++) feed([Float32Array.from({ length: 128 }, () => ((n++ % 1000) / 1000) * 0.5)]);
  const samples = posted.flatMap((buffer) => [...new Int16Array(buffer, 16)]);
  assert.equal(posted.length, Math.floor(12_800 / 882));
  assert.deepEqual(samples, Array.from({ length: samples.length }, (_, i) => Math.round(Math.fround(((i % 1000) / 1000) * 0.5) * 32767)));
  const [level, peak] = new Float32Array(posted[0], 0, 2);
  assert.ok(level > 0.2 && level < 0.4 && peak > 0.4 && peak <= 0.5);
  processor.port.onmessage({ data: 'stop' });
  assert.equal(feed([new Float32Array(128)]), false);
});

test('two channels are mixed, overdriven ones clipped, 96 kHz halved', () => {
  const { posted, feed } = recorder(96_000, 2);
  for (let i = 0; i < 20; i++) feed([new Float32Array(128).fill(0.8), new Float32Array(128).fill(0.2)]);
  assert.deepEqual([...new Int16Array(posted[0], 16)], new Array(960).fill(Math.round(0.5 * 32767)));
  const loud = recorder(48_000, 1);
  for (let i = 0; i < 20; i++) loud.feed([new Float32Array(128).fill(-3)]);
  assert.ok([...new Int16Array(loud.posted[0], 16)].every((v) => v === -32767));
});

test('buffers come back and are used again', () => {
  const { processor, posted, feed } = recorder(48_000, 1);
  for (let i = 0; i < 40_000; i++) {
    feed([new Float32Array(128)]);
    for (const buffer of posted.splice(0)) processor.port.onmessage({ data: buffer });
  }
  assert.equal(processor.pool.length, 63);
});
