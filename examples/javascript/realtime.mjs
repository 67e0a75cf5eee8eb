/**
 * Speak a WAV file to aigolos over OpenAI's Realtime protocol and save the spoken answer.
 *
 *     npm install
 *     node realtime.mjs question.wav              # 16-bit mono, any rate
 *
 * These are the bare events, so that one sees what goes over the wire. OpenAI's own package works as well, where the
 * server speaks TLS: see docs/clients.md.
 */

import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { readWav, resampled, writeWav } from './wav.mjs';

const RATE = 24000; // the only rate of PCM in this protocol

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'ws://127.0.0.1:8080/v1/realtime?model=gpt-realtime' },
    output: { type: 'string', default: 'answer.wav' },
  },
});
const recording = readWav(positionals[0] ?? 'question.wav');

// Any key does where nobody needs an account.
const key = process.env.AIGOLOS_KEY ?? 'none needed';
const socket = new WebSocket(values.url, { headers: { Authorization: `Bearer ${key}` } });
const send = (event) => socket.send(JSON.stringify(event));

/** @type {Buffer[]} */
const answer = [];
let understood = false;
let done = false;

socket.on('open', () => {
  const transcription = { model: 'whisper-1' }; // so that we see what was understood
  const turn_detection = { type: 'server_vad', silence_duration_ms: 500 };
  send({ type: 'session.update', session: { type: 'realtime', audio: { input: { transcription, turn_detection } } } });

  // Sound may be sent faster than one speaks. The second of silence at the end says that the question is over.
  const speech = Buffer.concat([resampled(recording.pcm, recording.rate, RATE), Buffer.alloc(2 * RATE)]);
  const size = 2 * RATE / 10; // 100 ms
  for (let at = 0; at < speech.length; at += size) {
    send({ type: 'input_audio_buffer.append', audio: speech.subarray(at, at + size).toString('base64') });
  }
});

socket.on('message', (message) => {
  const event = JSON.parse(message.toString());
  switch (event.type) {
    case 'conversation.item.input_audio_transcription.completed':
      console.log(`you said:   ${event.transcript}`);
      understood = true;
      break;
    case 'response.output_audio.delta':
      answer.push(Buffer.from(event.delta, 'base64'));
      break;
    case 'response.output_audio_transcript.done':
      console.log(`the answer: ${event.transcript}`);
      break;
    case 'response.done':
      done = true;
      break;
    case 'error':
      fail(event.error.message);
  }
  // They come in either order.
  if (understood && done) {
    const sound = Buffer.concat(answer);
    writeWav(values.output, sound, RATE);
    console.log(`saved:      ${values.output}, ${(sound.length / 2 / RATE).toFixed(1)} s`);
    socket.close();
  }
});

socket.on('error', (error) => fail(error.message));

function fail(why) {
  console.error(why);
  process.exit(1);
}
