/** openai-node's REST calls, as published, over TLS. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { heard, PATIENCE, startAssistant } from './servers.mjs';
import { ANSWER, ASKED, PARAMETERS, QUESTION, said, sounds, TOOL_ANSWER, TOOL_QUESTION, TOOL_SAYS, wav } from './speech.mjs';

/** @type {Awaited<ReturnType<typeof startAssistant>>} */
let assistant;
/** @type {OpenAI} */
let openai;

before(async () => {
  assistant = await startAssistant();
  openai = assistant.openai;
});
after(() => assistant?.stop());

const question = () => toFile(wav(said(QUESTION)), 'question.wav');
const spoken = 'Five plus seven is twelve.';

test('a recording becomes text', PATIENCE, async () => {
  const { text } = await openai.audio.transcriptions.create({ file: await question(), model: 'whisper-1' });
  assert.ok(text.toLowerCase().includes(ASKED), text);
  const timed = await openai.audio.transcriptions.create({
    file: await question(),
    model: 'whisper-1',
    response_format: 'verbose_json',
    timestamp_granularities: ['word'],
  });
  assert.equal(timed.words?.length, QUESTION.split(' ').length);
  const srt = await openai.audio.transcriptions.create({ file: await question(), model: 'whisper-1', response_format: 'srt' });
  assert.match(String(srt), /^1\n00:00:0/);
  const translated = await openai.audio.translations.create({ file: await question(), model: 'whisper-1' });
  assert.ok(translated.text.toLowerCase().includes(ASKED));
});

test('text comes in pieces', PATIENCE, async () => {
  const events = await openai.audio.transcriptions.create({ file: await question(), model: 'gpt-4o-transcribe', stream: true });
  let told = '';
  let whole = '';
  for await (const event of events) {
    if (event.type === 'transcript.text.delta') told += event.delta;
    if (event.type === 'transcript.text.done') whole = event.text;
  }
  assert.ok(whole.toLowerCase().includes(ASKED), whole);
  assert.equal(told, whole);
});

test('text is spoken', PATIENCE, async () => {
  const pcm = await openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: spoken, response_format: 'pcm' });
  const sound = Buffer.from(await pcm.arrayBuffer());
  sounds(sound);
  assert.ok((await heard(openai, sound)).includes(ASKED));
  const mp3 = await openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: spoken });
  assert.equal(mp3.headers.get('content-type'), 'audio/mpeg');
  const file = await toFile(Buffer.from(await mp3.arrayBuffer()), 'answer.mp3');
  const { text } = await openai.audio.transcriptions.create({ file, model: 'whisper-1' });
  assert.ok(text.toLowerCase().includes(ASKED), text);
});

test('models are listed', PATIENCE, async () => {
  const names = [];
  for await (const model of openai.models.list()) names.push(model.id);
  assert.ok(names.includes('whisper-1'), String(names));
  await assert.rejects(openai.models.retrieve('no such model'), OpenAI.NotFoundError);
});

test('the assistant chats, in pieces too, and calls a tool', PATIENCE, async () => {
  /** @type {any[]} */
  const messages = [{ role: 'user', content: QUESTION }];
  const stream = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages, stream: true });
  let told = '';
  for await (const chunk of stream) told += chunk.choices[0]?.delta?.content ?? '';
  assert.ok(told.toLowerCase().includes(ANSWER), told);

  /** @type {any} */
  const tool = { type: 'function', function: { name: 'get_weather', parameters: PARAMETERS } };
  const asked = [{ role: 'user', content: TOOL_QUESTION }];
  const runner = openai.chat.completions.stream({ model: 'gpt-4o-mini', messages: /** @type {any} */ (asked), tools: [tool] });
  const reply = (await runner.finalChatCompletion()).choices[0].message;
  const [call] = reply.tool_calls ?? [];
  assert.equal(/** @type {any} */ (call).function.name, 'get_weather');
  const answered = [...asked, reply, { role: 'tool', tool_call_id: call.id, content: TOOL_SAYS }];
  const final = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: /** @type {any} */ (answered), tools: [tool] });
  assert.ok(final.choices[0].message.content?.toLowerCase().includes(TOOL_ANSWER));
});

test('mistakes are told in their shape', PATIENCE, async () => {
  await assert.rejects(
    openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: '' }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'input' && Boolean(error.requestID),
  );
});
