/**
 * Replies as they are heard: sound into the loudspeaker, text onto the page in step with it, acknowledgements back.
 */

import { STARTING_MS } from './audio.js';
import { ReplyScript } from './reply-script.js';

/**
 * @typedef {import('./audio.js').Sound} Sound
 * @typedef {import('./audio.js').PlaybackReport} PlaybackReport
 * @typedef {import('./messages.js').Timings} Timings
 *
 * @typedef {object} Reply
 * @property {ReplyScript} script
 * @property {number} chunks
 * @property {number} playedMs
 * @property {number} acknowledgedMs
 * @property {number | null} cameAt when its first chunk came
 * @property {number | null} soundedAt when that was played
 * @property {Timings} timings
 *
 * @typedef {object} Handlers
 * @property {(turn: number, playedMs: number) => void} onHeard for the server
 * @property {(turn: number, text: string) => void} onText what has been heard so far
 * @property {(turn: number, text: string, ending: 'whole' | 'interrupted' | 'stopped' | 'failed') => void} onEnd
 * @property {(timings: Timings, playbackMs: number | null) => void} onTimings
 * @property {() => void} onChange
 */

const ACKNOWLEDGE_EVERY_MS = 250;
/** A hold ends in resumed or cancelled within half a second; a server that says neither is not waited for. */
const HOLD_AT_MOST_MS = 3000;

export class Replies {
  /**
   * @param {Sound} sound
   * @param {Handlers} handlers
   */
  constructor(sound, handlers) {
    this.sound = sound;
    this.handlers = handlers;
    /** The reply under way. @type {Reply | null} */
    this.reply = null;
    /** Sound of turns up to this one is not wanted any more. */
    this.silenced = -1;
    this.held = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.holdTimer = undefined;
    this.audible = false;
  }

  get turn() {
    return this.reply?.script.turn ?? null;
  }

  /** @param {number} turn */
  started(turn) {
    if (this.turn === turn) return;
    this.leave();
    this.reply = { script: new ReplyScript(turn), chunks: 0, playedMs: 0, acknowledgedMs: 0, cameAt: null, soundedAt: null, timings: {} };
    this.handlers.onChange();
  }

  /**
   * @param {number} turn
   * @param {string} delta
   */
  text(turn, delta) {
    if (turn <= this.silenced) return;
    this.started(turn);
    const reply = /** @type {Reply} */ (this.reply);
    reply.script.addText(delta);
    if (!this.sound.running) this.handlers.onText(turn, reply.script.show());
  }

  /**
   * @param {number} turn
   * @param {ArrayBuffer} frame
   * @param {number} offset
   */
  audio(turn, frame, offset) {
    if (turn <= this.silenced || !this.sound.willing) return;
    this.started(turn);
    const reply = /** @type {Reply} */ (this.reply);
    reply.cameAt ??= performance.now();
    reply.chunks++;
    reply.script.addSound(((frame.byteLength - offset) / 2 / this.sound.outputRate) * 1000);
    this.sound.play(turn, frame, offset);
  }

  /**
   * All of it has come.
   * @param {number} turn
   * @param {string} text
   * @param {Timings} timings
   */
  done(turn, text, timings) {
    if (this.turn !== turn || !this.reply) return;
    this.reply.script.finish();
    this.reply.timings = timings;
    if (turn <= this.silenced) {
      this.endStopped();
      return;
    }
    this.sound.finish(turn);
    if (this.reply.chunks === 0) this.end(text || this.reply.script.text, 'whole');
    else if (!this.sound.running) setTimeout(() => this.unheard(turn), STARTING_MS);
  }

  /**
   * The loudspeaker never started: the reply has been read, and must not sound when it does.
   * @param {number} turn
   */
  unheard(turn) {
    if (this.turn !== turn || this.sound.running) return;
    this.sound.flush(turn);
    this.leave();
  }

  /**
   * @param {number} turn
   * @param {string} heardText
   * @param {string} reason
   * @param {Timings} timings
   */
  cancelled(turn, heardText, reason, timings) {
    this.silence(turn);
    if (this.turn !== turn || !this.reply) return;
    this.reply.timings = timings;
    const ending = reason === 'barge_in' ? 'interrupted' : reason === 'failed' ? 'failed' : 'stopped';
    this.end(heardText, ending);
  }

  /** @param {number} turn the person may be interrupting */
  hold(turn) {
    if (this.turn !== turn) return;
    this.held = true;
    this.sound.hold(true);
    clearTimeout(this.holdTimer);
    this.holdTimer = setTimeout(() => this.release(), HOLD_AT_MOST_MS);
    this.handlers.onChange();
  }

  release() {
    clearTimeout(this.holdTimer);
    if (!this.held) return;
    this.held = false;
    this.sound.hold(false);
    this.handlers.onChange();
  }

  /**
   * The person pressed stop, or typed something new: quiet at once, whatever the server still sends.
   * @returns {number | null} the turn that was stopped
   */
  stop() {
    const turn = this.turn;
    if (turn === null || turn <= this.silenced) return null;
    this.silence(turn);
    if (this.reply?.script.whole) this.endStopped(); // the server is done with it; nothing more will come
    return turn;
  }

  endStopped() {
    if (this.reply) this.end(this.reply.script.spoken(this.reply.playedMs), 'stopped');
  }

  /** The session is gone: what was sent is still played, more will not come. */
  orphan() {
    if (!this.reply) return;
    this.release();
    this.reply.script.finish();
    this.sound.finish(this.reply.script.turn);
    if (this.reply.script.turn <= this.silenced) this.endStopped();
    else if (this.reply.chunks === 0) this.end(this.reply.script.text, 'stopped');
  }

  /** @param {PlaybackReport} report */
  played(report) {
    const audible = report.state === 'playing' || report.state === 'buffering';
    if (audible !== this.audible) {
      this.audible = audible;
      this.handlers.onChange();
    }
    const reply = this.reply;
    if (!reply || reply.script.turn !== report.turn || report.turn <= this.silenced) return;
    if (reply.soundedAt === null && report.playedMs > 0) reply.soundedAt = performance.now();
    reply.playedMs = report.playedMs;
    const over = report.state === 'idle';
    if (over || report.playedMs >= reply.acknowledgedMs + ACKNOWLEDGE_EVERY_MS) {
      reply.acknowledgedMs = report.playedMs;
      this.handlers.onHeard(report.turn, Math.round(report.playedMs));
    }
    if (over && reply.script.whole) this.end(reply.script.text, 'whole');
    else this.handlers.onText(report.turn, reply.script.spoken(report.playedMs));
  }

  /** @param {number} turn */
  silence(turn) {
    this.silenced = Math.max(this.silenced, turn);
    this.sound.flush(turn);
    clearTimeout(this.holdTimer);
    this.held = false;
    this.sound.hold(false);
  }

  /** A newer reply has begun; this one's sound, already here, may still be playing. */
  leave() {
    if (!this.reply) return;
    this.end(this.reply.script.text, 'whole');
  }

  /**
   * @param {string} text
   * @param {'whole' | 'interrupted' | 'stopped' | 'failed'} ending
   */
  end(text, ending) {
    const reply = this.reply;
    if (!reply) return;
    this.reply = null;
    this.handlers.onEnd(reply.script.turn, text, ending);
    const playbackMs = reply.cameAt !== null && reply.soundedAt !== null ? reply.soundedAt - reply.cameAt : null;
    this.handlers.onTimings(reply.timings, playbackMs);
    this.handlers.onChange();
  }
}
