/** Just enough of WAV for the examples: 16-bit mono. */

import { readFileSync, writeFileSync } from 'node:fs';

/** The samples of a file, and how many there are in a second. */
export function readWav(path) {
  const file = readFileSync(path);
  const format = file.indexOf('fmt ');
  const data = file.indexOf('data');
  const [channels, bits] = [file.readUInt16LE(format + 10), file.readUInt16LE(format + 22)];
  if (channels !== 1 || bits !== 16) throw new Error('the recording must be 16-bit mono');
  const size = Math.min(file.readUInt32LE(data + 4), file.length - data - 8) & ~1;
  return { rate: file.readUInt32LE(format + 12), pcm: file.subarray(data + 8, data + 8 + size) };
}

export function writeWav(path, pcm, rate) {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + pcm.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16); // this part's length
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // mono
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28); // bytes a second
  header.writeUInt16LE(2, 32); // bytes a sample
  header.writeUInt16LE(16, 34); // bits a sample
  header.write('data', 36);
  header.writeUInt32LE(pcm.length, 40);
  writeFileSync(path, Buffer.concat([header, pcm]));
}

/** The same at another rate, by drawing straight lines between samples: good enough for speech. */
export function resampled(pcm, from, to) {
  const last = pcm.length / 2 - 1;
  if (from === to || last < 1) return pcm;
  const out = Buffer.alloc(2 * Math.floor(((last + 1) * to) / from));
  for (let at = 0; at < out.length / 2; at++) {
    const place = Math.min((at * from) / to, last - 0.001);
    const before = pcm.readInt16LE(2 * Math.floor(place));
    const after = pcm.readInt16LE(2 * Math.floor(place) + 2);
    out.writeInt16LE(Math.round(before + (after - before) * (place % 1)), 2 * at);
  }
  return out;
}
