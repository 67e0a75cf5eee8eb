/**
 * The loudspeaker's end of the audio thread: a jitter buffer that knows turns.
 *
 * It waits for a little audio before it starts (and for more after each underrun), fades every edge it has to make, holds
 * and goes on, drops a turn at a word, and counts what has really been played of each turn.
 * Reports are 8 doubles in buffers that the page hands back; `process()` allocates nothing.
 */

/** Chunks that can wait: at 20 ms each, 80 s. More is refused and counted. */
const SLOTS = 4096;
const FADE_MS = 6;
const REPORT_MS = 20;
const PREFILL_MIN_MS = 80;
const PREFILL_MAX_MS = 400;
const PREFILL_STEP_MS = 40;
/** A reply shorter than the prefill, whose end is not known yet, starts after this much waiting anyway. */
const PREFILL_PATIENCE_MS = 250;

const IDLE = 0;
const BUFFERING = 1;
const PLAYING = 2;
const HELD = 3;

class PlaybackProcessor extends AudioWorkletProcessor {
  /** @param {{processorOptions: {sourceRate: number}}} options */
  constructor(options) {
    super();
    this.sourceRate = options.processorOptions.sourceRate;
    /** Source samples per output sample: 1 unless the context's rate is outside what the server sends. */
    this.step = this.sourceRate / sampleRate;
    this.fadeStep = 1000 / (FADE_MS * sampleRate);
    this.fadeSource = Math.ceil((FADE_MS * this.sourceRate) / 1000);
    /** @type {(Int16Array | null)[]} */
    this.chunks = new Array(SLOTS).fill(null);
    this.turns = new Float64Array(SLOTS);
    this.head = 0;
    this.count = 0;
    /** Samples waiting, those of the chunk being played included. */
    this.queued = 0;
    /** Place in the head chunk. */
    this.offset = 0;
    this.fraction = 0;
    this.last = 0;
    this.state = IDLE;
    this.gain = 0;
    this.hold = false;
    /** The turn being dropped once its sound has faded. */
    this.flushing = -1;
    /** No more audio will come for turns up to this one. */
    this.ended = -1;
    this.turn = -1;
    this.played = 0;
    this.underruns = 0;
    this.refused = 0;
    this.prefillMs = 100;
    this.waited = 0;
    this.squares = 0;
    this.measured = 0;
    this.sinceReport = 0;
    /** @type {Float64Array<ArrayBuffer>[]} */
    this.pool = [];
    for (let i = 0; i < 8; i++) this.pool.push(new Float64Array(8));
    this.transfer = [this.pool[0].buffer];
    this.port.onmessage = ({ data }) => this.receive(data);
  }

  /** @param {any} message */
  receive(message) {
    if (message instanceof ArrayBuffer) {
      if (this.pool.length < 8) this.pool.push(new Float64Array(message));
    } else if (message.type === 'chunk') {
      this.push(message.turn, new Int16Array(message.buffer, message.offset));
    } else if (message.type === 'end') {
      this.ended = Math.max(this.ended, message.turn);
      if (this.state === BUFFERING && this.count === 0) this.rest(); // it had run dry just before
    } else if (message.type === 'flush') {
      this.flush(message.turn);
    } else if (message.type === 'hold') {
      this.hold = message.hold;
    }
  }

  /**
   * @param {number} turn
   * @param {Int16Array} samples
   */
  push(turn, samples) {
    if (samples.length === 0) return;
    if (this.count === SLOTS) {
      this.refused++;
      return;
    }
    const slot = (this.head + this.count) % SLOTS;
    this.chunks[slot] = samples;
    this.turns[slot] = turn;
    this.count++;
    this.queued += samples.length;
    if (this.state === IDLE) {
      this.sinceReport = 0;
      this.measured = 0;
      this.buffer();
    }
  }

  /** @param {number} turn everything up to it is dropped */
  flush(turn) {
    this.ended = Math.max(this.ended, turn);
    if (this.count === 0 && this.state !== IDLE) this.rest();
    if (this.count === 0 || this.turns[this.head] > turn) return;
    this.flushing = Math.max(this.flushing, turn);
    if (this.gain === 0) this.drop();
  }

  drop() {
    while (this.count > 0 && this.turns[this.head] <= this.flushing) this.shift();
    this.flushing = -1;
    this.hold = false;
    this.fraction = 0;
    this.last = 0;
    if (this.count === 0) this.rest();
    else this.buffer();
  }

  buffer() {
    this.state = BUFFERING;
    this.waited = 0;
  }

  rest() {
    this.state = IDLE;
    this.gain = 0;
    this.sinceReport = Infinity; // tell at once
  }

  shift() {
    const chunk = this.chunks[this.head];
    this.queued -= (chunk ? chunk.length : 0) - this.offset;
    this.chunks[this.head] = null;
    this.head = (this.head + 1) % SLOTS;
    this.count--;
    this.offset = 0;
  }

  /** Whether there is enough to start, or nothing more to wait for. */
  ready() {
    if (this.count === 0) return false;
    if (this.queued * 1000 >= this.prefillMs * this.sourceRate) return true;
    return this.turns[this.head] <= this.ended || this.waited * 1000 >= PREFILL_PATIENCE_MS * sampleRate;
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    const out = outputs[0];
    const frames = out[0].length;
    if (this.state === BUFFERING) {
      this.waited += frames;
      if (!this.hold && this.ready()) this.state = PLAYING;
    } else if (this.state === HELD && !this.hold) {
      this.state = PLAYING;
    }
    for (let i = 0; i < frames; i++) {
      const value = this.state === PLAYING ? this.next() : 0;
      this.squares += value * value;
      for (let c = 0; c < out.length; c++) out[c][i] = value;
    }
    this.measured += frames;
    this.sinceReport += frames;
    const due = this.state === IDLE ? this.sinceReport === Infinity : this.sinceReport * 1000 >= REPORT_MS * sampleRate;
    if (due) this.report();
    return true;
  }

  /** One output sample; leaves PLAYING where the sound has to stop. */
  next() {
    const stopping = this.hold || this.flushing >= 0;
    if (stopping || this.queued <= this.fadeSource) this.gain = Math.max(0, this.gain - this.fadeStep);
    else this.gain = Math.min(1, this.gain + this.fadeStep);
    if (stopping && this.gain === 0) {
      if (this.flushing >= 0) this.drop();
      else this.state = HELD;
      return 0;
    }
    if (this.count === 0) {
      this.dry();
      return 0;
    }
    const chunk = /** @type {Int16Array} */ (this.chunks[this.head]);
    const turn = this.turns[this.head];
    if (turn !== this.turn) {
      this.turn = turn;
      this.played = 0;
    }
    const sample = chunk[this.offset] / 32768;
    const value = this.last + (sample - this.last) * (this.step === 1 ? 1 : this.fraction);
    this.fraction += this.step;
    while (this.fraction >= 1 && this.count > 0) {
      this.fraction -= 1;
      this.advance();
    }
    return value * this.gain;
  }

  /** One source sample has been played. */
  advance() {
    const chunk = /** @type {Int16Array} */ (this.chunks[this.head]);
    this.last = chunk[this.offset++] / 32768;
    this.queued--;
    this.played++;
    if (this.offset === chunk.length) this.shift();
  }

  /** The queue is empty: the reply's end, or an underrun that asks for a deeper buffer. */
  dry() {
    this.gain = 0;
    this.fraction = 0;
    this.last = 0;
    if (this.turn <= this.ended) {
      this.prefillMs = Math.max(PREFILL_MIN_MS, this.prefillMs - PREFILL_STEP_MS / 2);
      this.rest();
    } else {
      this.underruns++;
      this.prefillMs = Math.min(PREFILL_MAX_MS, this.prefillMs + PREFILL_STEP_MS);
      this.buffer();
    }
  }

  report() {
    this.sinceReport = 0;
    const report = this.pool.pop();
    if (!report) {
      if (this.state === IDLE) this.sinceReport = Infinity; // the last word must get through
      return;
    }
    report[0] = this.state;
    report[1] = this.turn;
    report[2] = (this.played * 1000) / this.sourceRate;
    report[3] = (this.queued * 1000) / this.sourceRate;
    report[4] = Math.sqrt(this.squares / Math.max(1, this.measured));
    report[5] = this.underruns;
    report[6] = this.refused;
    report[7] = currentTime;
    this.squares = 0;
    this.measured = 0;
    this.transfer[0] = report.buffer;
    this.port.postMessage(report.buffer, this.transfer);
  }
}

registerProcessor('aigolos-playback', PlaybackProcessor);
