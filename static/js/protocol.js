/**
 * One session with the server, kept alive over as many sockets as it takes.
 *
 * A lost socket is opened again (exponential back-off with jitter) and the session resumed: events and audio chunks that
 * come twice are dropped here, what was said meanwhile is sent once the line is back. Where the session is gone, a new one
 * goes on with the same conversation; so it does where the server is restarted and says so. Turn numbers are made unique for the page's whole life, whichever session they
 * come from, so that nobody above needs to know that there was more than one.
 */

import { AUDIO_HEADER, SUBPROTOCOL, parseAudio, parseEvent } from './messages.js';

/**
 * @typedef {import('./messages.js').ServerEvent} ServerEvent
 * @typedef {import('./messages.js').ClientEvent} ClientEvent
 * @typedef {import('./messages.js').SessionOptions} SessionOptions
 * @typedef {import('./messages.js').SessionUpdate} SessionUpdate
 *
 * @typedef {{state: 'closed', reason: string} | {state: 'connecting', again: boolean} | {state: 'open', resumed: boolean}
 *   | {state: 'waiting', delayMs: number, attempt: number, cause: 'lost' | 'unreachable' | 'overloaded' | 'restarting'}} Link
 *
 * @typedef {object} Handlers
 * @property {(event: ServerEvent) => void} onEvent
 * @property {(turn: number, chunk: number, frame: ArrayBuffer, offset: number) => void} onAudio
 * @property {(link: Link) => void} onLink
 */

const CONNECT_TIMEOUT_MS = 8000;
const BACKOFF_FIRST_MS = 300;
const BACKOFF_LAST_MS = 10_000;
/** What was said while the line was down and is sent later: the newest 10 s. */
const HELD_AUDIO_MS = 10_000;
/** Events typed or pressed while the line was down; more is refused. */
const HELD_EVENTS = 20;
/** So much sound unsent means that the line is dead, though nobody has said so. */
const STUCK_AUDIO_MS = 12_000;

/**
 * @param {number} attempt counts from 0
 * @param {number} random 0 to 1
 */
export function backoff(attempt, random) {
  const whole = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return Math.round(whole * (0.5 + random / 2));
}

export class Session {
  /**
   * @param {string} url
   * @param {Handlers} handlers
   */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    /** @type {Link} */
    this.link = { state: 'closed', reason: 'not started' };
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {SessionOptions | null} */
    this.options = null;
    this.sessionId = '';
    this.conversationId = '';
    this.lastSeq = 0;
    this.nextId = 1;
    this.startId = '';
    this.attempt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** Added to a server's turn number to get the page's. */
    this.turnBase = 0;
    this.turnTop = 0;
    /** The next audio chunk of a turn: older ones were already had. */
    this.audioTurn = -1;
    this.audioNext = 0;
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this.heldAudio = [];
    this.heldBytes = 0;
    /** @type {ClientEvent[]} */
    this.heldEvents = [];
    /** @type {ClientEvent[]} typed, sent, and not answered yet: a server that is restarted may not have read it */
    this.unanswered = [];
    this.refusedFor = 0;
    this.idle = false;
    /** @type {'overloaded' | 'restarting' | null} */
    this.refusal = null;
  }

  get open() {
    return this.link.state === 'open';
  }

  /** Whether a session is open or being opened. */
  get wanted() {
    return this.link.state !== 'closed';
  }

  /** @param {SessionOptions} options */
  start(options) {
    this.options = options;
    this.attempt = 0;
    this.connect(false);
  }

  /** Try now instead of waiting for the back-off. */
  retry() {
    if (this.link.state === 'waiting') this.connect(true);
  }

  /** @param {SessionUpdate} update */
  update(update) {
    if (!this.options) return;
    Object.assign(this.options, update);
    if (this.open) this.send({ type: 'session.update', ...update });
  }

  /**
   * Sent now, or as soon as the line is back.
   * @param {ClientEvent} event
   * @returns {boolean} false where it was refused: no session, or too much is waiting
   */
  send(event) {
    if (event.type !== 'playback.ack') event.id = `c${this.nextId++}`;
    if (this.open) {
      const turn = 'turn' in event && event.turn !== undefined ? { turn: event.turn - this.turnBase } : {};
      if ('turn' in event && event.turn !== undefined && event.turn <= this.turnBase) return true; // of a session that is gone
      this.socket?.send(JSON.stringify({ ...event, ...turn }));
      if (event.type === 'text.send') this.unanswered = [...this.unanswered, event].slice(-HELD_EVENTS);
      return true;
    }
    if (!this.wanted) return false;
    if (event.type === 'playback.ack' || event.type === 'reply.cancel') return true;
    if (this.heldEvents.length >= HELD_EVENTS) return false;
    this.heldEvents.push(event);
    return true;
  }

  /** @param {Uint8Array<ArrayBuffer>} samples copied where they have to wait */
  sendAudio(samples) {
    const bytesPerMs = ((this.options?.audio.sample_rate ?? 16000) * 2) / 1000;
    if (this.open && this.socket) {
      this.socket.send(samples);
      if (this.socket.bufferedAmount > STUCK_AUDIO_MS * bytesPerMs) this.lost('lost');
      return;
    }
    if (!this.wanted) return;
    this.heldAudio.push(samples.slice());
    this.heldBytes += samples.byteLength;
    while (this.heldBytes > HELD_AUDIO_MS * bytesPerMs) this.heldBytes -= this.heldAudio.shift()?.byteLength ?? 0;
  }

  /** Ends the session; the conversation is remembered for the next `start`. */
  end() {
    clearTimeout(this.timer);
    if (this.open) this.socket?.send(JSON.stringify({ type: 'session.end' }));
    this.drop();
    this.forget();
    this.heldAudio = [];
    this.heldBytes = 0;
    this.heldEvents = [];
    this.unanswered = [];
    this.tell({ state: 'closed', reason: 'client_ended' });
  }

  /** @param {Link} link */
  tell(link) {
    this.link = link;
    this.handlers.onLink(link);
  }

  /** The session is over; its numbers mean nothing any more. */
  forget() {
    this.sessionId = '';
    this.lastSeq = 0;
    this.turnBase = this.turnTop;
    this.audioTurn = -1;
  }

  /** @param {boolean} again */
  connect(again) {
    clearTimeout(this.timer);
    this.drop();
    this.refusal = null;
    this.refusedFor = 0;
    this.tell({ state: 'connecting', again });
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.greet();
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.text(data) : this.audio(data));
    socket.onclose = ({ code }) => this.closed(code);
    this.timer = setTimeout(() => this.lost('unreachable'), CONNECT_TIMEOUT_MS);
  }

  /** Lets go of the socket without hearing from it again. */
  drop() {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null; // nothing of it may touch the next one
    socket.close(1000);
  }

  greet() {
    this.startId = `c${this.nextId++}`;
    /** @type {Record<string, unknown>} */
    const start = { type: 'session.start', id: this.startId, ...this.options };
    if (this.sessionId) start.resume = { session_id: this.sessionId, last_seq: this.lastSeq };
    else if (this.conversationId) start.conversation_id = this.conversationId;
    this.socket?.send(JSON.stringify(start));
  }

  /** @param {string} data */
  text(data) {
    const event = parseEvent(data);
    if (!event) return;
    if (event.type === 'session.ready') {
      this.ready(event);
      return;
    }
    if (event.type === 'error' && event.in_reply_to === this.startId && this.notStarted(event)) return;
    if (event.seq <= this.lastSeq) return; // had it before the line was lost
    this.lastSeq = event.seq;
    if ('turn' in event && event.turn !== undefined) {
      event.turn += this.turnBase;
      this.turnTop = Math.max(this.turnTop, event.turn);
    }
    if (event.type === 'reply.started') this.unanswered = [];
    if (event.type === 'session.closed') this.over(event);
    this.handlers.onEvent(event);
  }

  /** @param {import('./messages.js').SessionReady} event */
  ready(event) {
    clearTimeout(this.timer);
    this.attempt = 0;
    // A resumed session replays events numbered before this one: its number is not counted.
    if (!event.resumed) {
      this.forget();
      this.lastSeq = event.seq;
    }
    this.sessionId = event.session_id;
    this.conversationId = event.conversation_id;
    this.tell({ state: 'open', resumed: event.resumed });
    this.handlers.onEvent(event);
    const audio = this.heldAudio;
    const events = this.heldEvents;
    this.heldAudio = [];
    this.heldBytes = 0;
    this.heldEvents = [];
    for (const samples of audio) this.socket?.send(samples);
    for (const waiting of events) this.send(waiting);
  }

  /**
   * The server refused `session.start`.
   * @param {import('./messages.js').ErrorEvent_} event
   * @returns {boolean} whether that is dealt with here
   */
  notStarted(event) {
    if (event.code === 'overloaded' || event.code === 'shutting_down') {
      this.refusal = event.code === 'overloaded' ? 'overloaded' : 'restarting';
      this.refusedFor = event.retry_after_ms ?? 0;
      return true; // the socket closes next
    }
    if (this.sessionId) {
      this.forget();
    } else if (this.options && (this.options.voice || this.options.language)) {
      // Remembered from another day, when the server had other engines.
      delete this.options.voice;
      delete this.options.language;
    } else if (this.conversationId) {
      this.conversationId = '';
    } else {
      this.handlers.onEvent(event);
      clearTimeout(this.timer);
      this.drop();
      this.tell({ state: 'closed', reason: event.code });
      return true;
    }
    this.greet();
    return true;
  }

  /** @param {ArrayBuffer} frame */
  audio(frame) {
    const header = parseAudio(frame);
    if (!header) return;
    const turn = header.turn + this.turnBase;
    if (turn < this.audioTurn) return; // a turn that has been played
    if (turn > this.audioTurn) {
      this.audioTurn = turn;
      this.audioNext = 0;
    }
    if (header.chunk < this.audioNext) return; // came before the line was lost
    this.audioNext = header.chunk + 1;
    this.handlers.onAudio(turn, header.chunk, frame, AUDIO_HEADER);
  }

  /** @param {import('./messages.js').SessionClosed} event */
  over({ reason, conversation_id, retry_after_ms }) {
    this.forget();
    if (reason === 'shutdown' || reason === 'restart') this.refusal = 'restarting';
    else if (reason === 'idle') this.idle = true;
    if (reason !== 'restart') return;
    // What was begun is finished; what it did not read any more is said to the next one.
    this.heldEvents.unshift(...this.unanswered);
    this.unanswered = [];
    this.conversationId = conversation_id ?? this.conversationId;
    this.refusedFor = retry_after_ms ?? 0;
  }

  /** @param {number} code */
  closed(code) {
    if (code === 1000 || code === 4001 || code === 4003 || this.idle) {
      clearTimeout(this.timer);
      this.socket = null;
      this.forget();
      const quiet = code === 4001 || this.idle;
      const reason = quiet ? 'idle' : code === 4003 ? 'revoked' : 'server_ended';
      this.idle = false;
      this.tell({ state: 'closed', reason });
      return;
    }
    if (code === 4002) this.forget();
    const was = this.link.state;
    const cause = this.refusal ?? (code === 1013 ? 'overloaded' : code === 1001 || code === 1012 ? 'restarting' : null);
    this.lost(cause ?? (was === 'open' || this.sessionId ? 'lost' : 'unreachable'));
  }

  /** @param {'lost' | 'unreachable' | 'overloaded' | 'restarting'} cause */
  lost(cause) {
    clearTimeout(this.timer);
    this.drop();
    const delayMs = Math.max(this.refusedFor, backoff(this.attempt, Math.random()));
    this.attempt++;
    this.timer = setTimeout(() => this.connect(true), delayMs);
    this.tell({ state: 'waiting', delayMs, attempt: this.attempt, cause });
  }
}
