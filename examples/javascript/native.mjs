/**
 * Speak a WAV file to aigolos over its own protocol and save the spoken answer.
 *
 *     npm install
 *     node native.mjs question.wav                # 16-bit mono, any rate from 8 to 48 kHz
 *
 * Everything the protocol can do is in docs/protocol.md. In a browser the same works with its own WebSocket.
 */

import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { readWav, writeWav } from './wav.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: 'string', default: 'ws://127.0.0.1:8080/ws' }, output: { type: 'string', default: 'answer.wav' } },
});
const { rate, pcm } = readWav(positionals[0] ?? 'question.wav');

// A server where people have accounts wants a key; make one on its page.
const key = process.env.AIGOLOS_KEY;

ask();

/** Speaks, prints what comes, saves the answer; later where the server is full or being restarted. */
function ask() {
  const socket = new WebSocket(values.url, ['aigolos.v1'], { headers: key ? { Authorization: `Bearer ${key}` } : {} });
  /** @type {Buffer[]} */
  const answer = [];

  socket.on('open', () => {
    // Text frames are events, binary frames are sound. Tell what will be sent and what should come back.
    const audio = { encoding: 'pcm_s16le', sample_rate: rate };
    const output = { encoding: 'pcm_s16le', sample_rate: 24000 };
    socket.send(JSON.stringify({ type: 'session.start', mode: 'converse', audio, output }));

    // A microphone sends 20 ms every 20 ms; a recording may be sent as fast as it goes. The second of silence at the end says that
    // the question is over.
    const speech = Buffer.concat([pcm, Buffer.alloc(2 * rate)]);
    const size = Math.floor(rate / 50) * 2; // 20 ms of 16-bit samples
    for (let at = 0; at < speech.length; at += size) socket.send(speech.subarray(at, at + size));
  });

  socket.on('message', (message, isBinary) => {
    if (isBinary) {
      answer.push(message.subarray(8)); // the first eight bytes number the turn and the piece
      return;
    }
    const event = JSON.parse(message.toString());
    if (event.type === 'transcript.partial') console.log(`...         ${event.stable} ${event.unstable}`);
    if (event.type === 'transcript.final') console.log(`you said:   ${event.text}`);
    if (event.type === 'reply.done') {
      console.log(`the answer: ${event.text}`);
      const sound = Buffer.concat(answer);
      writeWav(values.output, sound, 24000);
      console.log(`saved:      ${values.output}, ${(sound.length / 48000).toFixed(1)} s`);
      socket.removeAllListeners('message');
      socket.send(JSON.stringify({ type: 'session.end' })); // the server says good-bye and closes
    }
    if (event.type === 'error' && event.retry_after_ms && ['overloaded', 'shutting_down'].includes(event.code)) later(event);
    else if (event.type === 'session.closed') later(event);
    else if (event.type === 'error') fail(`${event.message} (${event.hint})`);
  });

  socket.on('error', (error) => fail(error.message));

  function later({ retry_after_ms = 1000 }) {
    socket.removeAllListeners('message');
    socket.close();
    setTimeout(ask, retry_after_ms);
  }
}

function fail(why) {
  console.error(why);
  process.exit(1);
}
