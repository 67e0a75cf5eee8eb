/**
 * The microphone's end of the audio thread: mono 16-bit chunks and their level, posted to the page.
 *
 * `process()` allocates nothing in steady state: chunks are written into buffers that the page hands back after sending.
 * A chunk's buffer is a header (level and peak as 32-bit floats, the context's time as a 64-bit one) and then the samples.
 */

/** Bytes before the samples. */
const HEADER = 16;
/** Buffers made at the start: 64 chunks of 20 ms is 1.3 s of a page that does not answer. */
const POOL = 64;

/** @typedef {{buffer: ArrayBuffer, levels: Float32Array, time: Float64Array, samples: Int16Array}} Slot */

/**
 * @param {ArrayBuffer} buffer
 * @returns {Slot}
 */
function slot(buffer) {
  return {
    buffer,
    levels: new Float32Array(buffer, 0, 2),
    time: new Float64Array(buffer, 8, 1),
    samples: new Int16Array(buffer, HEADER),
  };
}

class CaptureProcessor extends AudioWorkletProcessor {
  /** @param {{processorOptions: {chunkMs: number, decimate: number}}} options */
  constructor(options) {
    super();
    const { chunkMs, decimate } = options.processorOptions;
    /** Input frames averaged into one sample: keeps the rate at or below 48 kHz. */
    this.decimate = decimate;
    this.chunkSamples = Math.round((sampleRate / decimate) * (chunkMs / 1000));
    /** @type {Slot[]} */
    this.pool = [];
    for (let i = 0; i < POOL; i++) this.pool.push(slot(new ArrayBuffer(HEADER + this.chunkSamples * 2)));
    this.slot = this.take();
    this.sum = 0;
    this.summed = 0;
    this.squares = 0;
    this.peak = 0;
    this.filled = 0;
    this.running = true;
    /** Reused as the transfer list of every message. @type {ArrayBuffer[]} */
    this.transfer = [this.slot.buffer];
    this.port.onmessage = ({ data }) => {
      if (data === 'stop') this.running = false;
      else if (this.pool.length < POOL) this.pool.push(slot(data));
    };
  }

  /** @returns {Slot} */
  take() {
    // An empty pool means the page stands still; a new buffer costs less than lost words.
    return this.pool.pop() ?? slot(new ArrayBuffer(HEADER + this.chunkSamples * 2));
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channels = inputs[0];
    if (!channels || channels.length === 0) return this.running;
    const frames = channels[0].length;
    const scale = 1 / (channels.length * this.decimate);
    for (let i = 0; i < frames; i++) {
      for (let c = 0; c < channels.length; c++) this.sum += channels[c][i];
      if (++this.summed < this.decimate) continue;
      const value = this.sum * scale;
      this.sum = 0;
      this.summed = 0;
      this.write(value);
    }
    return this.running;
  }

  /** @param {number} value one mono sample, -1 to 1 */
  write(value) {
    const size = Math.abs(value);
    if (size > this.peak) this.peak = size;
    this.squares += value * value;
    const clamped = value > 1 ? 1 : value < -1 ? -1 : value;
    this.slot.samples[this.filled++] = Math.round(clamped * 32767);
    if (this.filled < this.chunkSamples) return;
    this.slot.levels[0] = Math.sqrt(this.squares / this.filled);
    this.slot.levels[1] = this.peak;
    this.slot.time[0] = currentTime;
    this.transfer[0] = this.slot.buffer;
    this.port.postMessage(this.slot.buffer, this.transfer);
    this.squares = 0;
    this.peak = 0;
    this.filled = 0;
    this.slot = this.take();
  }
}

registerProcessor('aigolos-capture', CaptureProcessor);
