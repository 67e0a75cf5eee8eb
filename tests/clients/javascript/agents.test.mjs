/** @openai/agents-realtime's session, as published, with the settings it makes by itself. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { heard, KEY, PATIENCE, startAssistant, startStoryteller } from './servers.mjs';
import { ANSWER, ASKED, PARAMETERS, pieces, QUESTION, said, sounds, TOOL_ANSWER, TOOL_QUESTION, TOOL_SAYS } from './speech.mjs';

/** Its turn detection is "semantic_vad", which waits up to four seconds for who seems to think. */
const PAUSE = 4.5;

/** @type {Awaited<ReturnType<typeof startAssistant>>} */
let assistant;
/** @type {Awaited<ReturnType<typeof startStoryteller>>} */
let storyteller;

before(async () => {
  [assistant, storyteller] = await Promise.all([startAssistant(), startStoryteller()]);
});
after(() => Promise.all([assistant?.stop(), storyteller?.stop()]));

/**
 * @param {{port: number}} server
 * @param {(call: Call) => Promise<void>} converse
 * @param {any[]} [tools]
 */
async function connected({ port }, converse, tools = []) {
  const agent = new RealtimeAgent({ name: 'Assistant', instructions: 'Be brief.', tools });
  const transport = new OpenAIRealtimeWebSocket({ url: `wss://127.0.0.1:${port}/v1/realtime?model=gpt-realtime` });
  const call = new Call(new RealtimeSession(agent, { transport, tracingDisabled: true }));
  await call.session.connect({ apiKey: KEY });
  try {
    await converse(call);
  } finally {
    call.session.close();
  }
}

/** A session and what it has told. */
class Call {
  /** @type {Buffer[]} */
  sound = [];
  /** @type {any[]} */
  wire = [];
  /** @type {any[]} */
  errors = [];
  interruptions = 0;
  #changed = () => {};

  /** @param {RealtimeSession} session */
  constructor(session) {
    this.session = session;
    session.on('audio', (event) => this.sound.push(Buffer.from(event.data)));
    session.on('audio_interrupted', () => this.interruptions++);
    session.on('error', (error) => this.errors.push(error));
    session.on('transport_event', (event) => this.wire.push(event));
    for (const name of /** @type {const} */ (['audio', 'audio_interrupted', 'error', 'transport_event', 'history_updated'])) {
      session.on(name, () => this.#changed());
    }
    session.on('agent_tool_end', () => this.#changed());
  }

  /**
   * @template T
   * @param {() => T} condition waits until this is something
   */
  async until(condition) {
    for (;;) {
      const found = condition();
      if (found) return found;
      await new Promise((resolve) => (this.#changed = () => resolve(null)));
    }
  }

  /** @param {string} kind */
  event(kind) {
    return this.until(() => this.wire.find((event) => event.type === kind));
  }

  /** @param {Buffer} pcm */
  says(pcm) {
    for (const piece of pieces(pcm)) this.session.sendAudio(Uint8Array.from(piece).buffer);
  }

  /**
   * Everything one side has said, as the session's own history has it.
   * @param {string} role
   */
  told(role) {
    const items = /** @type {any[]} */ (this.session.history).filter((item) => item.type === 'message' && item.role === role);
    return items.flatMap((item) => item.content.map((/** @type {any} */ part) => part.transcript ?? part.text ?? '')).join(' ').toLowerCase();
  }
}

test('a spoken question gets into the history with its answer', PATIENCE, () =>
  connected(assistant, async (call) => {
    call.says(said(QUESTION, PAUSE));
    await call.until(() => call.told('user').includes(ASKED) && call.told('assistant').includes(ANSWER));
    await call.event('response.done');
    assert.deepEqual(call.errors, []);
    const sound = Buffer.concat(call.sound);
    sounds(sound);
    assert.ok((await heard(assistant.openai, sound)).includes(ASKED));
  }));

test('speaking interrupts, and what was not heard is cut', PATIENCE, () =>
  connected(storyteller, async (call) => {
    call.says(said('Tell me a story.', PAUSE));
    await call.until(() => call.sound.length);
    call.says(said('Stop talking.', 0));
    await call.until(() => call.interruptions);
    const { item_id } = await call.event('conversation.item.truncated');
    const { item } = await call.until(() => call.wire.find((event) => event.type === 'conversation.item.retrieved' && event.item.id === item_id));
    assert.equal(item.role, 'assistant');
    assert.equal((await call.event('response.done')).response.status, 'cancelled');
    assert.deepEqual(call.errors, []);
  }));

test('the program interrupts', PATIENCE, () =>
  connected(storyteller, async (call) => {
    call.session.sendMessage('Tell me a story.');
    await call.until(() => call.sound.length);
    call.session.interrupt();
    await call.event('conversation.item.truncated');
    assert.equal((await call.event('response.done')).response.status, 'cancelled');
    assert.deepEqual(call.errors, []);
  }));

test('a tool is called and what it says is told', PATIENCE, () => {
  let calls = 0;
  const weather = tool({
    name: 'get_weather',
    description: 'Tells the weather today.',
    parameters: /** @type {any} */ (PARAMETERS),
    strict: true,
    execute: async () => {
      calls++;
      return TOOL_SAYS;
    },
  });
  return connected(assistant, async (call) => {
    call.says(said(TOOL_QUESTION, PAUSE));
    await call.until(() => call.told('assistant').includes(TOOL_ANSWER));
    assert.equal(calls, 1);
    assert.deepEqual(call.errors, []);
  }, [weather]);
});

test('a refused event leaves the session alive', PATIENCE, () =>
  connected(assistant, async (call) => {
    call.session.transport.sendEvent({ type: 'no.such.event', event_id: 'first' });
    const error = await call.event('error');
    assert.equal(error.error.event_id, 'first');
    call.session.sendMessage(QUESTION);
    await call.until(() => call.told('assistant').includes(ANSWER));
  }));
