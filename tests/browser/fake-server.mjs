/**
 * A small native-protocol server for the faults a real one shows only on a bad day: full, cut off, restarting.
 * Its ears are an energy threshold, its words are given, its voice is a hum. It serves the page from this tree.
 * Run alone it prints its address: `node fake-server.mjs [PORT]`.
 */

import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';

import { WebSocketServer } from 'ws';

import { FakeSite } from './fake-site.mjs';

const CHUNK_MS = 20;

export const ENGINES = {
  vad: { engine: 'cascade', model: 'webrtc + earshot', demo: false, languages: [] },
  asr: {
    engine: 'whisper',
    model: 'nano-en',
    demo: true,
    hint: 'put a ggml Whisper model, such as ggml-base.en.bin, into the models folder',
    languages: ['en'],
  },
  llm: { engine: 'builtin', model: 'assistant', demo: true, hint: 'start Ollama and run `ollama pull llama3.2`', languages: ['en'] },
  tts: { engine: 'espeak', model: 'espeak-ng', demo: true, hint: 'put a Piper voice into the models folder', languages: ['en'] },
};

/** @type {Record<string, string>} */
const ANSWERS = {
  'What time is it?': 'It is ten past nine in the evening. Is there anything else you would like to know?',
  'Tell me a joke.': 'Why did the clock go to the doctor? Because it was feeling a little run down, and it had too much time on its hands.',
};

/**
 * @typedef {object} Options
 * @property {string} [heard] the words every spoken utterance holds
 * @property {number} [overloaded] so many first sessions are refused
 * @property {boolean} [deafToInterruption]
 * @property {number} [port]
 * @property {boolean} [accounts] people log in
 * @property {string} [hesitates] a reply with this text stays under way for ever
 */

export class FakeServer {
  /** @param {Options} [options] */
  constructor(options = {}) {
    this.options = options;
    this.overloaded = options.overloaded ?? 0;
    /** @type {Map<string, FakeSession>} */
    this.sessions = new Map();
    /** Every client event, in the order it came. @type {any[]} */
    this.received = [];
    this.audioBytes = 0;
    this.port = 0;
    /** Its pages and its HTTP interface. */
    this.site = new FakeSite({ accounts: options.accounts ?? false });
    /** Refuses every new socket, as a server that is down would. */
    this.down = false;
    /** Reads nothing that is typed any more. */
    this.deaf = false;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** @param {number} [port] */
  async start(port = this.options.port ?? 0) {
    this.http = createServer((request, response) => void this.site.serve(request, response));
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'aigolos.v1' });
    this.sockets = sockets;
    this.http.on('upgrade', (request, socket, head) => {
      if (this.down) socket.destroy();
      else sockets.handleUpgrade(request, socket, head, (ws) => this.connected(ws));
    });
    await new Promise((resolve) => this.http?.listen(port, '127.0.0.1', () => resolve(null)));
    const address = this.http.address();
    this.port = typeof address === 'object' && address ? address.port : 0;
    return this;
  }

  async stop() {
    this.cut();
    for (const session of this.sessions.values()) session.silence();
    this.http?.closeAllConnections();
    await new Promise((resolve) => this.http?.close(() => resolve(null)));
  }

  /** Drops every socket without a word, as a bad network does. */
  cut() {
    for (const socket of this.sockets?.clients ?? []) socket.terminate();
  }

  /** Forgets every session, as a restart does. */
  forget() {
    for (const session of this.sessions.values()) session.silence();
    this.sessions.clear();
  }

  /** Tells every session to go on elsewhere, as a server does that is being replaced. */
  restart() {
    for (const session of this.sessions.values()) {
      session.silence();
      const goesOn = { conversation_id: session.conversation, retry_after_ms: 4000 };
      session.tell({ type: 'session.closed', session_id: session.id, reason: 'restart', ...goesOn });
      session.socket?.close(1012);
    }
    this.sessions.clear();
  }

  /** @param {import('ws').WebSocket} socket */
  connected(socket) {
    /** @type {FakeSession | null} */
    let session = null;
    socket.on('message', (/** @type {Buffer} */ data, binary) => {
      if (binary) {
        this.audioBytes += data.length;
        session?.hear(data);
        return;
      }
      const event = JSON.parse(data.toString());
      this.received.push(event);
      if (event.type === 'session.start') session = this.begin(socket, event);
      else session?.command(event);
    });
    socket.on('close', () => session?.detach(socket));
  }

  /**
   * @param {import('ws').WebSocket} socket
   * @param {any} event
   */
  begin(socket, event) {
    if (this.overloaded > 0) {
      this.overloaded--;
      const refusal = { code: 'overloaded', message: 'all 1 sessions are taken', retry_after_ms: 1500, in_reply_to: event.id };
      socket.send(JSON.stringify({ type: 'error', seq: 1, ...refusal }));
      socket.close(1013);
      return null;
    }
    if (event.resume) {
      const known = this.sessions.get(event.resume.session_id);
      if (!known) {
        const unknown = { code: 'resume_unknown', message: 'no such session', in_reply_to: event.id };
        socket.send(JSON.stringify({ type: 'error', seq: 1, ...unknown }));
        return null;
      }
      known.resume(socket, event);
      return known;
    }
    const session = new FakeSession(this, socket, event);
    this.sessions.set(session.id, session);
    return session;
  }
}

class FakeSession {
  /**
   * @param {FakeServer} server
   * @param {import('ws').WebSocket} socket
   * @param {any} start
   */
  constructor(server, socket, start) {
    this.server = server;
    /** @type {import('ws').WebSocket | null} */
    this.socket = socket;
    this.start = start;
    this.id = randomUUID();
    this.conversation = start.conversation_id ?? randomUUID();
    this.seq = 0;
    this.turn = 0;
    /** @type {{seq: number, data: string | Buffer}[]} */
    this.log = [];
    this.heardMs = 0;
    this.voiceMs = 0;
    this.quietMs = 0;
    this.speaking = false;
    this.committed = 0;
    /** @type {{turn: number, timer: ReturnType<typeof setInterval>, paused: boolean, text: string, played: number, sent: number, total: number} | null} */
    this.reply = null;
    this.settings = { voice: start.voice ?? 'en-us', language: start.language ?? 'en', turn_detection: start.turn_detection };
    this.ready(false);
  }

  /** @param {boolean} resumed */
  ready(resumed) {
    this.tell({
      type: 'session.ready',
      session_id: this.id,
      conversation_id: this.conversation,
      resumed,
      mode: 'converse',
      audio: this.start.audio,
      output: this.start.output,
      ...this.settings,
      speed: 1,
      words: false,
      speak: this.start.speak ?? true,
      engines: ENGINES,
      voices: [
        { id: 'en-us', name: 'English (America)', language: 'en' },
        { id: 'en-gb', name: 'English (Great Britain)', language: 'en' },
        { id: 'en-gb-scotland', name: 'English (Scotland)', language: 'en' },
      ],
      limits: { max_message_bytes: 1048576, max_text_chars: 5000, idle_timeout_ms: 300000, resume_window_ms: 60000, audio_ahead_ms: 300 },
    });
  }

  /**
   * @param {import('ws').WebSocket} socket
   * @param {any} event
   */
  resume(socket, event) {
    this.socket = socket;
    const missed = this.log.filter(({ seq, data }) => seq > event.resume.last_seq || typeof data !== 'string');
    this.ready(true);
    for (const { data } of missed) socket.send(data);
  }

  /** @param {import('ws').WebSocket} socket */
  detach(socket) {
    if (this.socket === socket) this.socket = null;
  }

  silence() {
    if (this.reply) clearInterval(this.reply.timer);
    this.reply = null;
  }

  /** @param {any} event */
  tell(event) {
    const whole = JSON.stringify({ ...event, seq: ++this.seq });
    if (event.type !== 'session.ready') this.log.push({ seq: this.seq, data: whole });
    this.socket?.send(whole);
  }

  /** @param {Buffer} data */
  hear(data) {
    const samples = new Int16Array(new Uint8Array(data).buffer); // a copy: the library's buffers are not aligned
    let squares = 0;
    for (const sample of samples) squares += sample * sample;
    const loud = Math.sqrt(squares / Math.max(1, samples.length)) > 500;
    const ms = (samples.length / this.start.audio.sample_rate) * 1000;
    this.heardMs += ms;
    if (this.settings.turn_detection?.type === 'manual') {
      this.committed += ms;
      return;
    }
    this.voiceMs = loud ? this.voiceMs + ms : this.speaking ? this.voiceMs : 0;
    this.quietMs = loud ? 0 : this.quietMs + ms;
    if (!this.speaking && this.voiceMs >= 60) this.voiceBegins();
    else if (this.speaking) this.voiceGoesOn();
  }

  voiceBegins() {
    this.speaking = true;
    this.words = 0;
    if (this.reply && !this.server.options.deafToInterruption) this.cancel('barge_in');
    this.turn++;
    this.tell({ type: 'speech.started', turn: this.turn, at_ms: Math.round(this.heardMs) });
  }

  voiceGoesOn() {
    const words = (this.server.options.heard ?? 'What time is it?').split(' ');
    const known = Math.min(words.length, Math.floor(this.voiceMs / 220));
    if (known > (this.words ?? 0)) {
      this.words = known;
      const stable = words.slice(0, Math.max(0, known - 2)).join(' ');
      const unstable = words.slice(Math.max(0, known - 2), known).join(' ');
      this.tell({ type: 'transcript.partial', turn: this.turn, stable, unstable });
    }
    if (this.quietMs < 500) return;
    this.speaking = false;
    this.voiceMs = 0;
    this.tell({ type: 'speech.stopped', turn: this.turn, at_ms: Math.round(this.heardMs) });
    this.final(words.join(' '));
  }

  /** @param {string} text */
  final(text) {
    this.tell({ type: 'transcript.final', turn: this.turn, text, start_ms: 0, end_ms: Math.round(this.heardMs) });
    this.answer(this.turn, ANSWERS[text] ?? `You said: ${text}`);
  }

  /** @param {any} event */
  command(event) {
    if (event.type === 'text.send' && this.server.deaf) return;
    if (event.type === 'text.send') {
      if (this.reply) this.cancel('superseded');
      this.turn++;
      this.answer(this.turn, ANSWERS[event.text] ?? `You wrote: ${event.text}`);
    } else if (event.type === 'reply.cancel') {
      if (this.reply) this.cancel('client');
      else this.tell({ type: 'error', code: 'nothing_to_cancel', message: 'no reply is running', in_reply_to: event.id });
    } else if (event.type === 'playback.ack' && this.reply && this.reply.turn === event.turn) {
      this.reply.played = event.played_ms;
    } else if (event.type === 'session.update') {
      for (const key of /** @type {const} */ (['voice', 'language', 'turn_detection'])) {
        if (event[key] !== undefined) this.settings[key] = event[key];
      }
      this.tell({ type: 'session.updated', ...this.settings });
    } else if (event.type === 'audio.commit') {
      if (this.committed < 250) {
        this.tell({ type: 'error', code: 'nothing_to_commit', message: 'there is no audio to commit', in_reply_to: event.id });
      } else {
        this.turn++;
        this.final(this.server.options.heard ?? 'What time is it?');
      }
      this.committed = 0;
    } else if (event.type === 'session.end') {
      this.silence();
      this.tell({ type: 'session.closed', session_id: this.id, reason: 'client_ended' });
      this.socket?.close(1000);
    }
  }

  /**
   * @param {number} turn
   * @param {string} text
   */
  answer(turn, text) {
    this.tell({ type: 'reply.started', turn });
    const rate = this.start.output.sample_rate;
    const sentences = text.match(/[^.?!,]+[.?!,]\s*/g) ?? [text];
    /** @type {{delta?: string, chunk: number}[]} */
    const plan = [];
    for (const sentence of sentences) {
      const chunks = this.start.speak === false ? 1 : Math.ceil((sentence.length * 60) / CHUNK_MS);
      for (let i = 0; i < chunks; i++) plan.push({ delta: i === 0 ? sentence : undefined, chunk: plan.length });
    }
    const began = performance.now();
    const reply = { turn, paused: false, text, played: 0, sent: 0, total: plan.length, timer: setInterval(() => step(), 10) };
    this.reply = reply;
    const step = () => {
      while (reply.sent < plan.length && reply.sent * CHUNK_MS < performance.now() - began + 300) {
        const { delta, chunk } = plan[reply.sent++];
        if (delta) this.tell({ type: 'reply.text.delta', turn, delta });
        if (this.start.speak !== false) this.sound(turn, chunk, rate);
      }
      if (reply.sent < plan.length || this.server.options.hesitates) return;
      this.silence();
      const timings = { soft_end_ms: 200, hard_end_ms: 500, final_transcript_ms: 262, first_token_ms: 268, first_sentence_ms: 291, first_sound_ms: 344, first_audio_ms: 503, done_ms: 2900 };
      this.tell({ type: 'reply.done', turn, text, timings });
    };
    step();
  }

  /**
   * @param {number} turn
   * @param {number} chunk
   * @param {number} rate
   */
  sound(turn, chunk, rate) {
    const length = Math.round((rate * CHUNK_MS) / 1000);
    const frame = Buffer.alloc(8 + length * 2);
    frame.writeUInt32LE(turn, 0);
    frame.writeUInt32LE(chunk, 4);
    for (let i = 0; i < length; i++) {
      const t = (chunk * length + i) / rate;
      const swell = 0.12 + 0.1 * Math.sin(2 * Math.PI * 2.7 * t);
      const hum = Math.sin(2 * Math.PI * 140 * t) + 0.5 * Math.sin(2 * Math.PI * 280 * t) + 0.3 * Math.sin(2 * Math.PI * 560 * t);
      frame.writeInt16LE(Math.round(hum * swell * 20000), 8 + i * 2);
    }
    this.log.push({ seq: this.seq, data: frame });
    this.socket?.send(frame);
  }

  /** @param {'barge_in' | 'client' | 'superseded'} reason */
  cancel(reason) {
    const reply = this.reply;
    if (!reply) return;
    this.silence();
    const heard = reply.text.slice(0, Math.ceil(reply.played / 60)).replace(/\s*\S*$/, '');
    this.log = this.log.filter(({ data }) => typeof data === 'string');
    this.tell({ type: 'reply.cancelled', turn: reply.turn, heard_text: heard, reason, timings: { soft_end_ms: 200, hard_end_ms: 500 } });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await new FakeServer({ port: Number(process.argv[2] ?? 0) }).start();
  console.log(server.url);
}
