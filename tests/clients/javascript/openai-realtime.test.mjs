/** openai-node's Realtime connection, as published, over TLS. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { OpenAIRealtimeWS as BetaRealtimeWS } from 'openai/beta/realtime/ws';
import { heard, PATIENCE, startAssistant, startStoryteller } from './servers.mjs';
import { ANSWER, ASKED, PARAMETERS, pieces, QUESTION, RATE, said, sounds, TOOL_ANSWER, TOOL_QUESTION, TOOL_SAYS } from './speech.mjs';

/** @type {Awaited<ReturnType<typeof startAssistant>>} */
let assistant;
/** @type {Awaited<ReturnType<typeof startStoryteller>>} */
let storyteller;

before(async () => {
  [assistant, storyteller] = await Promise.all([startAssistant(), startStoryteller()]);
});
after(() => Promise.all([assistant?.stop(), storyteller?.stop()]));

const transcription = { model: 'gpt-4o-mini-transcribe' };
const session = { type: 'realtime', audio: { input: { transcription, turn_detection: { type: 'server_vad' } } } };

/** A connection, and every event so far. */
class Call {
  /** @type {any[]} */
  events = [];
  /** @type {any[]} */
  errors = [];
  #changed = () => {};

  /** @param {OpenAIRealtimeWS | BetaRealtimeWS} connection */
  constructor(connection) {
    this.connection = connection;
    connection.on('event', (event) => {
      this.events.push(event);
      this.#changed();
    });
    connection.on('error', (error) => {
      this.errors.push(error);
      this.#changed();
    });
  }

  /**
   * The event of this kind that has come or will; each is given once.
   * @param {string} kind
   */
  async until(kind) {
    for (;;) {
      const found = this.events.find((event) => event.type === kind && !event.taken);
      if (found) {
        found.taken = true;
        return found;
      }
      if (kind !== 'error' && this.errors.length) throw this.errors[0];
      await new Promise((resolve) => (this.#changed = () => resolve(null)));
    }
  }

  /** @param {Buffer} pcm */
  says(pcm) {
    for (const piece of pieces(pcm)) {
      this.connection.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') });
    }
  }

  /** @param {string} kind */
  joined(kind) {
    return this.events.filter((event) => event.type === kind).map((event) => event.delta).join('');
  }

  sound(kind = 'response.output_audio.delta') {
    const deltas = this.events.filter((event) => event.type === kind);
    return Buffer.concat(deltas.map((event) => Buffer.from(event.delta, 'base64')));
  }
}

/**
 * @param {{openai: import('openai').OpenAI}} server
 * @param {(call: Call, send: (event: any) => void) => Promise<void>} converse
 * @param {any} [query]
 */
async function connected({ openai }, converse, query = { model: 'gpt-realtime' }, Connection = OpenAIRealtimeWS) {
  const connection = new Connection(query, openai);
  const call = new Call(connection);
  await once(connection.socket, 'open');
  try {
    await converse(call, (event) => connection.send(event));
  } finally {
    connection.close();
  }
}

test('a spoken question is written down and answered aloud', PATIENCE, () =>
  connected(assistant, async (call, send) => {
    await call.until('session.created');
    send({ type: 'session.update', session });
    assert.equal((await call.until('session.updated')).session.audio.output.format.rate, 24_000);
    call.says(said(QUESTION));
    const { transcript } = await call.until('conversation.item.input_audio_transcription.completed');
    assert.ok(transcript.toLowerCase().includes(ASKED), transcript);
    assert.equal(call.joined('conversation.item.input_audio_transcription.delta'), transcript);
    const { response } = await call.until('response.done');
    assert.equal(response.status, 'completed');
    assert.ok(response.output[0].content[0].transcript.toLowerCase().includes(ANSWER));
    sounds(call.sound());
    assert.ok((await heard(assistant.openai, call.sound())).includes(ASKED));
  }));

test('speaking stops a reply, which is then cut to what was played', PATIENCE, () =>
  connected(storyteller, async (call, send) => {
    send({ type: 'session.update', session });
    call.says(said('Tell me a story.'));
    let item_id;
    // A second of it.
    while (call.sound().length < 2 * RATE) ({ item_id } = await call.until('response.output_audio.delta'));
    call.says(said('Stop talking.', 0));
    await call.until('input_audio_buffer.speech_started');
    const { response } = await call.until('response.done');
    assert.deepEqual([response.status, response.status_details.reason], ['cancelled', 'turn_detected']);
    send({ type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: 300 });
    assert.equal((await call.until('conversation.item.truncated')).audio_end_ms, 300);
    send({ type: 'conversation.item.retrieve', item_id });
    const { item } = await call.until('conversation.item.retrieved');
    const left = item.content[0].transcript ?? '';
    assert.ok(left.length < response.output[0].content[0].transcript.length, left);
  }));

test('a tool is called and what it says is told', PATIENCE, () =>
  connected(assistant, async (call, send) => {
    const tool = { type: 'function', name: 'get_weather', description: 'Tells the weather today.', parameters: PARAMETERS };
    send({ type: 'session.update', session: { ...session, tools: [tool] } });
    call.says(said(TOOL_QUESTION));
    const called = await call.until('response.function_call_arguments.done');
    assert.equal(called.name, 'get_weather');
    await call.until('response.done');
    const output = { type: 'function_call_output', call_id: called.call_id, output: TOOL_SAYS };
    send({ type: 'conversation.item.create', item: output });
    send({ type: 'response.create' });
    await call.until('response.done');
    assert.ok(call.joined('response.output_audio_transcript.delta').toLowerCase().includes(TOOL_ANSWER));
  }));

test('a malformed event is an error and the session goes on', PATIENCE, () =>
  connected(assistant, async (call, send) => {
    send({ type: 'no.such.event', event_id: 'first' });
    assert.equal((await call.until('error')).error.event_id, 'first');
    call.connection.socket.send('this is no JSON');
    await call.until('error');
    call.errors.length = 0;
    const content = [{ type: 'input_text', text: QUESTION }];
    send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
    send({ type: 'response.create', response: { output_modalities: ['text'] } });
    await call.until('response.done');
    assert.ok(call.joined('response.output_text.delta').toLowerCase().includes(ANSWER));
  }));

test('a transcription session only writes down', PATIENCE, () => {
  const intent = { intent: 'transcription' };
  return connected(assistant, async (call) => {
    assert.equal((await call.until('session.created')).session.type, 'transcription');
    call.says(said(QUESTION));
    const { transcript } = await call.until('conversation.item.input_audio_transcription.completed');
    assert.ok(transcript.toLowerCase().includes(ASKED), transcript);
    assert.ok(!call.events.some((event) => event.type.startsWith('response.')));
  }, intent);
});

test('the client of the older shape has the older names', PATIENCE, () => {
  const beta = { model: 'gpt-realtime' };
  return connected(assistant, async (call, send) => {
    const older = { input_audio_transcription: { model: 'whisper-1' }, turn_detection: { type: 'server_vad' } };
    send({ type: 'session.update', session: older });
    call.says(said(QUESTION));
    const { transcript } = await call.until('conversation.item.input_audio_transcription.completed');
    assert.ok(transcript.toLowerCase().includes(ASKED), transcript);
    await call.until('response.done');
    sounds(call.sound('response.audio.delta'));
    assert.ok(call.joined('response.audio_transcript.delta').toLowerCase().includes(ANSWER));
  }, beta, BetaRealtimeWS);
});
