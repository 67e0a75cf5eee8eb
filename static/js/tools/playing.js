/** Sound that is heard while it arrives. */

/**
 * @typedef {object} Player
 * @property {(bytes: Uint8Array<ArrayBuffer>) => void} push
 * @property {() => void} end all has been given
 * @property {() => void} stop at once
 */

/**
 * @param {string} format
 * @param {() => void} onEnd the last of it has been heard
 * @returns {Player | null} null: this browser plays such sound only when it is whole
 */
export function playerFor(format, onEnd) {
  if (format === 'wav' && typeof AudioContext === 'function') return new WavPlayer(onEnd);
  const type = format === 'mp3' ? 'audio/mpeg' : 'audio/ogg; codecs=opus';
  return globalThis.MediaSource?.isTypeSupported(type) ? new SourcePlayer(type, onEnd) : null;
}

/** Through the browser's own decoder. @implements {Player} */
class SourcePlayer {
  /**
   * @param {string} type
   * @param {() => void} onEnd
   */
  constructor(type, onEnd) {
    this.audio = new Audio();
    this.source = new MediaSource();
    /** @type {SourceBuffer | null} */
    this.buffer = null;
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this.waiting = [];
    this.whole = false;
    this.url = URL.createObjectURL(this.source);
    this.audio.src = this.url;
    this.audio.onended = onEnd;
    this.audio.onerror = onEnd;
    this.source.onsourceopen = () => {
      this.buffer = this.source.addSourceBuffer(type);
      this.buffer.onupdateend = () => this.feed();
      this.feed();
    };
    this.audio.play().catch(() => {}); // held back by the browser: the whole is offered at the end
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  push(bytes) {
    this.waiting.push(bytes);
    this.feed();
  }

  end() {
    this.whole = true;
    this.feed();
  }

  feed() {
    if (!this.buffer || this.buffer.updating || this.source.readyState !== 'open') return;
    const next = this.waiting.shift();
    try {
      if (next) this.buffer.appendBuffer(next);
      else if (this.whole) this.source.endOfStream();
    } catch {
      this.waiting = []; // the browser's buffer is full: what it has is heard, the whole is offered at the end
    }
  }

  stop() {
    this.audio.onended = this.audio.onerror = null;
    this.audio.pause();
    this.audio.removeAttribute('src');
    this.audio.load();
    URL.revokeObjectURL(this.url);
  }
}

/** Samples put one behind the other. @implements {Player} */
class WavPlayer {
  /** @param {() => void} onEnd */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.wav = new WavReader();
    /** @type {AudioContext | null} */
    this.context = null;
    this.at = 0;
    this.whole = false;
    /** @type {AudioBufferSourceNode | null} */
    this.last = null;
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  push(bytes) {
    const samples = this.wav.read(bytes);
    if (!samples || samples.length === 0) return;
    const { rate, channels } = this.wav;
    // At the sound's own rate, so that pieces meet without a click.
    this.context ??= new AudioContext({ sampleRate: rate });
    const frames = Math.floor(samples.length / channels);
    const buffer = this.context.createBuffer(channels, frames, rate);
    for (let channel = 0; channel < channels; channel++) {
      const data = buffer.getChannelData(channel);
      for (let i = 0; i < frames; i++) data[i] = samples[i * channels + channel] / 32_768;
    }
    const node = new AudioBufferSourceNode(this.context, { buffer });
    node.connect(this.context.destination);
    this.at = Math.max(this.at, this.context.currentTime + 0.06);
    node.start(this.at);
    this.at += buffer.duration;
    this.last = node;
    node.onended = () => this.whole && this.last === node && this.finish();
  }

  end() {
    this.whole = true;
    if (!this.context || this.context.currentTime >= this.at) this.finish();
  }

  finish() {
    this.stop();
    this.onEnd();
  }

  stop() {
    this.last = null;
    void this.context?.close().catch(() => {});
    this.context = null;
  }
}

/** Samples out of a WAV file that arrives in pieces: 16 bit, the length in its head not to be believed. */
export class WavReader {
  constructor() {
    this.rest = new Uint8Array(0);
    this.rate = 0;
    this.channels = 1;
    this.inData = false;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Int16Array | null} whole frames; null: the head is not all there
   */
  read(bytes) {
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    this.rest = all;
    if (!this.inData && !this.head()) return null;
    const frame = 2 * this.channels;
    const whole = this.rest.length - (this.rest.length % frame);
    const samples = new Int16Array(this.rest.slice(0, whole).buffer);
    this.rest = this.rest.slice(whole);
    return samples;
  }

  /** Reads the chunks before the samples. */
  head() {
    const view = new DataView(this.rest.buffer, this.rest.byteOffset, this.rest.length);
    for (let at = 12; at + 8 <= view.byteLength; ) {
      const name = String.fromCharCode(...this.rest.slice(at, at + 4));
      const size = view.getUint32(at + 4, true);
      if (name === 'data') {
        this.rest = this.rest.slice(at + 8);
        this.inData = true;
        return this.rate > 0;
      }
      if (at + 8 + size > view.byteLength) return false;
      if (name === 'fmt ') {
        this.channels = view.getUint16(at + 10, true);
        this.rate = view.getUint32(at + 12, true);
      }
      at += 8 + size + (size % 2);
    }
    return false;
  }
}
