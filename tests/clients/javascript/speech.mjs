/** Recordings of sentences that the bundled recogniser understands, and what one can say about a sound. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

/** What OpenAI's Realtime protocol sends and wants. */
export const RATE = 24_000;

export const QUESTION = 'What is five plus seven?';
/** In every transcript of it and in what is heard of the answer, which repeats it; and only in the answer's text. */
export const [ASKED, ANSWER] = ['five plus seven', 'twelve'];

/** What calls the tool `get_weather`, what the tool says, and a word of it in the answer. */
export const [TOOL_QUESTION, TOOL_SAYS, TOOL_ANSWER] = ['What is the weather today?', 'It is sunny and warm.', 'sunny'];
/** The tool's arguments. */
export const PARAMETERS = { type: 'object', properties: {}, required: [], additionalProperties: false };

/** @type {Map<string, Buffer>} */
const recordings = new Map();

/** @param {number} seconds */
export const silence = (seconds) => Buffer.alloc(2 * Math.round(seconds * RATE));

/**
 * `text` spoken by espeak-ng: signed 16-bit mono at 24 kHz, with half a second of silence before it.
 * @param {string} text
 * @param {number} [pause] seconds of silence after it
 */
export function said(text, pause = 1.5) {
  let spoken = recordings.get(text);
  if (!spoken) {
    const voice = execFileSync('espeak-ng', ['-v', 'en-us', '-s', '150', '--stdout', text]);
    const raw = ['-t', 'raw', '-e', 'signed', '-b', '16', '-c', '1', '-r', String(RATE), '-'];
    const options = /** @type {const} */ ({ input: voice, stdio: ['pipe', 'pipe', 'ignore'] });
    spoken = execFileSync('sox', ['--ignore-length', '-t', 'wav', '-', ...raw], options);
    recordings.set(text, spoken);
  }
  return Buffer.concat([silence(0.5), spoken, silence(pause)]);
}

/**
 * Pieces of 100 ms.
 * @param {Buffer} pcm
 */
export function* pieces(pcm) {
  const size = (2 * RATE) / 10;
  for (let at = 0; at < pcm.length; at += size) yield pcm.subarray(at, at + size);
}

/**
 * The same as a file.
 * @param {Buffer} pcm
 */
export function wav(pcm) {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + pcm.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(2 * RATE, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([header, pcm]);
}

/**
 * Fails unless this may be a spoken sentence or two.
 * @param {Buffer} pcm
 */
export function sounds(pcm) {
  assert.equal(pcm.length % 2, 0, 'half a sample');
  const samples = pcm.length / 2;
  let sum = 0;
  for (let at = 0; at < pcm.length; at += 2) sum += pcm.readInt16LE(at) ** 2;
  const loudness = Math.sqrt(sum / Math.max(samples, 1));
  assert.ok(samples > RATE / 2 && samples < 60 * RATE, `${samples / RATE} s`);
  assert.ok(loudness > 300, `loudness ${loudness}`);
}
