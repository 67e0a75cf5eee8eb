/**
 * A recording to text, the text to an answer, the answer to an MP3 file: aigolos as OpenAI's audio service, with nothing
 * but fetch.
 *
 *     node rest.mjs question.wav
 */

import { openAsBlob, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'base-url': { type: 'string', default: 'http://127.0.0.1:8080/v1' }, output: { type: 'string', default: 'answer.mp3' } },
});

// Any key does where nobody needs an account.
const headers = { Authorization: `Bearer ${process.env.AIGOLOS_KEY ?? 'none needed'}` };

async function post(path, body) {
  const json = !(body instanceof FormData);
  const response = await fetch(values['base-url'] + path, {
    method: 'POST',
    headers: json ? { ...headers, 'Content-Type': 'application/json' } : headers,
    body: json ? JSON.stringify(body) : body,
  });
  if (!response.ok) throw new Error(`${response.status}: ${(await response.json()).error.message}`);
  return response;
}

// 1. Speech to text. response_format=srt gives subtitles, stream=true gives the words as they are found.
const form = new FormData();
form.append('model', 'whisper-1');
form.append('file', await openAsBlob(positionals[0] ?? 'question.wav'), 'question.wav');
const { text: question } = await (await post('/audio/transcriptions', form)).json();
console.log(`you said:   ${question}`);

// 2. An answer, word by word: events of one line each. The model's name is that of your Ollama model, or any.
process.stdout.write('the answer: ');
const messages = [{ role: 'user', content: question }];
const chat = await post('/chat/completions', { model: 'default', messages, stream: true });
let answer = '';
let rest = '';
const decoder = new TextDecoder();
for await (const bytes of chat.body) {
  const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    if (!line.startsWith('data: {')) continue; // empty lines between events, and the last one, [DONE]
    const word = JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? '';
    process.stdout.write(word);
    answer += word;
  }
}
console.log();

// 3. Text to speech.
const speech = await post('/audio/speech', { model: 'tts-1', voice: 'alloy', input: answer });
writeFileSync(values.output, Buffer.from(await speech.arrayBuffer()));
console.log(`saved:      ${values.output}`);
