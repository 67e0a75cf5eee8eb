/**
 * Microphone and loudspeaker: one AudioContext at the machine's own rate, a worklet for each direction.
 * Nothing here knows the protocol; it deals in chunks of samples, turns and levels.
 */

import { t } from './i18n.js';

/**
 * @typedef {'idle' | 'buffering' | 'playing' | 'held'} PlaybackState
 * @typedef {{state: PlaybackState, turn: number, playedMs: number, queuedMs: number, level: number, underruns: number,
 *   refused: number, at: number}} PlaybackReport
 * @typedef {{level: number, peak: number, at: number}} Level
 *
 * @typedef {object} Handlers
 * @property {(samples: Uint8Array<ArrayBuffer>, level: Level) => void} onChunk valid only during the call
 * @property {(report: PlaybackReport) => void} onPlayback
 * @property {() => void} onMicrophoneLost the device went away
 * @property {(silenced: boolean) => void} onMicrophoneSilenced the system cut it off, or gave it back
 * @property {(running: boolean) => void} onRunning whether the browser lets sound through
 * @property {() => void} onDevices
 */

const CHUNK_MS = 20;
const CAPTURE_HEADER = 16;
const SERVER_RATE_MIN = 8000;
const SERVER_RATE_MAX = 48_000;
const FALLBACK_RATE = 24_000;
/** Chunks kept while the loudspeaker opens, which takes some 100 ms: 10 s. */
const EARLY_CHUNKS = 500;
/** A loudspeaker may take so long to start (wireless ones do); after that the browser is holding it back. */
export const STARTING_MS = 3000;
/** @type {PlaybackState[]} */
const STATES = ['idle', 'buffering', 'playing', 'held'];

/** @param {string} name */
const worklet = (name) => new URL(`./worklets/${name}.js`, import.meta.url);

/** Whether this browser, on this address, can play and record through worklets. */
export function soundPossible() {
  return globalThis.isSecureContext && typeof AudioWorkletNode === 'function';
}

export class Sound {
  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    /** @type {AudioContext | null} */
    this.context = null;
    /** Differs from `context` only where the browser cannot mix rates (Firefox). @type {AudioContext | null} */
    this.captureContext = null;
    /** @type {Promise<void> | null} */
    this.preparing = null;
    /** @type {AudioWorkletNode | null} */
    this.player = null;
    /** @type {AudioWorkletNode | null} */
    this.recorder = null;
    /** @type {MediaStreamAudioSourceNode | null} */
    this.source = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** Sound that came before the loudspeaker was open. @type {{turn: number, buffer: ArrayBuffer, offset: number}[]} */
    this.early = [];
    /** Grows with each opening, so that a slow answer to an old request is recognised. */
    this.opening = 0;
    this.muted = false;
    this.wokenAt = -Infinity;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.handlers.onDevices());
  }

  get running() {
    return this.context?.state === 'running';
  }

  /** Whether sound given now will be played: at once, or as soon as the device has started. */
  get willing() {
    return this.running || (this.context !== null && performance.now() - this.wokenAt < STARTING_MS);
  }

  get recording() {
    return this.stream !== null;
  }

  /** Samples a second that `onChunk` gives. */
  get inputRate() {
    const rate = (this.captureContext ?? this.context)?.sampleRate ?? FALLBACK_RATE;
    return Math.round(rate / decimation(rate));
  }

  /** Samples a second that `play` takes: the context's own wherever the server can send it. */
  get outputRate() {
    const rate = this.context?.sampleRate ?? FALLBACK_RATE;
    return rate >= SERVER_RATE_MIN && rate <= SERVER_RATE_MAX ? rate : FALLBACK_RATE;
  }

  /** Opens the loudspeaker; may be called again and again. */
  prepare() {
    this.preparing ??= this.openPlayer().catch((error) => {
      this.preparing = null;
      throw error;
    });
    return this.preparing;
  }

  async openPlayer() {
    const context = new AudioContext({ latencyHint: 'interactive' });
    this.context = context;
    context.onstatechange = () => this.handlers.onRunning(context.state === 'running');
    await context.audioWorklet.addModule(worklet('playback'));
    const player = new AudioWorkletNode(context, 'aigolos-playback', {
      numberOfInputs: 0,
      outputChannelCount: [2],
      processorOptions: { sourceRate: this.outputRate },
    });
    player.port.onmessage = ({ data }) => this.playback(player, data);
    player.connect(context.destination);
    this.player = player;
    for (const { turn, buffer, offset } of this.early.splice(0)) this.play(turn, buffer, offset);
    this.wake();
  }

  /** Asks the browser to let sound through; it does so only during a gesture. */
  wake() {
    if (!this.running) this.wokenAt = performance.now();
    for (const context of new Set([this.context, this.captureContext])) {
      if (context && context.state !== 'running') context.resume().catch(() => {});
    }
  }

  /**
   * Opens a microphone, closing the one in use.
   * @param {string} deviceId empty: the system's default
   * @throws {DOMException} as getUserMedia does
   */
  async openMicrophone(deviceId) {
    const turn = ++this.opening;
    await this.prepare();
    const stream = await this.requestStream(deviceId);
    if (turn !== this.opening) {
      stopStream(stream);
      return;
    }
    this.releaseMicrophone();
    const [track] = stream.getAudioTracks();
    track.enabled = !this.muted;
    track.onended = () => this.stream === stream && this.handlers.onMicrophoneLost();
    track.onmute = () => this.handlers.onMicrophoneSilenced(true);
    track.onunmute = () => this.handlers.onMicrophoneSilenced(false);
    this.stream = stream;
    try {
      await this.connectMicrophone(stream, track);
    } catch (error) {
      this.releaseMicrophone();
      throw error;
    }
  }

  /** @param {string} deviceId */
  async requestStream(deviceId) {
    const wishes = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    if (!deviceId) return navigator.mediaDevices.getUserMedia({ audio: wishes });
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...wishes, deviceId: { exact: deviceId } } });
    } catch (error) {
      if (!(error instanceof DOMException) || !['OverconstrainedError', 'NotFoundError'].includes(error.name)) throw error;
      return navigator.mediaDevices.getUserMedia({ audio: wishes }); // the chosen one is not plugged in today
    }
  }

  /**
   * @param {MediaStream} stream
   * @param {MediaStreamTrack} track
   */
  async connectMicrophone(stream, track) {
    const main = /** @type {AudioContext} */ (this.context);
    let context = main;
    let source;
    try {
      source = main.createMediaStreamSource(stream);
    } catch {
      // Firefox does not join a microphone and a context of different rates.
      context = new AudioContext({ sampleRate: track.getSettings().sampleRate });
      this.captureContext = context;
      source = context.createMediaStreamSource(stream);
    }
    await context.audioWorklet.addModule(worklet('capture'));
    if (this.stream !== stream) return;
    const recorder = new AudioWorkletNode(context, 'aigolos-capture', {
      numberOfOutputs: 0,
      processorOptions: { chunkMs: CHUNK_MS, decimate: decimation(context.sampleRate) },
    });
    recorder.port.onmessage = ({ data }) => this.captured(recorder, data);
    source.connect(recorder);
    this.source = source;
    this.recorder = recorder;
    this.wake();
  }

  closeMicrophone() {
    this.opening++;
    this.releaseMicrophone();
  }

  releaseMicrophone() {
    this.source?.disconnect();
    if (this.recorder) {
      this.recorder.port.postMessage('stop');
      this.recorder.port.onmessage = null;
    }
    if (this.stream) stopStream(this.stream);
    this.captureContext?.close().catch(() => {});
    this.source = this.recorder = this.stream = this.captureContext = null;
  }

  /** @param {boolean} muted the microphone then gives silence, at its source */
  mute(muted) {
    this.muted = muted;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Which device is open: its id and name. */
  get microphone() {
    const track = this.stream?.getAudioTracks()[0];
    return track ? { id: track.getSettings().deviceId ?? '', label: track.label } : null;
  }

  /** @returns {Promise<{id: string, label: string}[]>} */
  async microphones() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return devices
      .filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId !== '')
      .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || t('live.microphone_n', { n: index + 1 }) }));
  }

  /**
   * @param {number} turn
   * @param {ArrayBuffer} buffer taken over
   * @param {number} offset where its samples begin
   */
  play(turn, buffer, offset) {
    if (this.player) this.player.port.postMessage({ type: 'chunk', turn, buffer, offset }, [buffer]);
    else if (this.preparing && this.early.length < EARLY_CHUNKS) this.early.push({ turn, buffer, offset });
  }

  /** @param {number} turn whose last chunk has been given */
  finish(turn) {
    this.player?.port.postMessage({ type: 'end', turn });
  }

  /** @param {number} turn silenced and dropped, with all before it */
  flush(turn) {
    this.player?.port.postMessage({ type: 'flush', turn });
  }

  /** @param {boolean} hold */
  hold(hold) {
    this.player?.port.postMessage({ type: 'hold', hold });
  }

  /**
   * @param {AudioWorkletNode} recorder
   * @param {ArrayBuffer} buffer
   */
  captured(recorder, buffer) {
    const [level, peak] = new Float32Array(buffer, 0, 2);
    const [at] = new Float64Array(buffer, 8, 1);
    this.handlers.onChunk(new Uint8Array(buffer, CAPTURE_HEADER), { level, peak, at });
    recorder.port.postMessage(buffer, [buffer]);
  }

  /**
   * @param {AudioWorkletNode} player
   * @param {ArrayBuffer} buffer
   */
  playback(player, buffer) {
    const [state, turn, playedMs, queuedMs, level, underruns, refused, at] = new Float64Array(buffer);
    player.port.postMessage(buffer, [buffer]);
    // What has been handed to the system is not yet heard; a wireless headset may be 200 ms behind.
    const behindMs = state === 0 ? 0 : (this.context?.outputLatency ?? 0) * 1000;
    const heardMs = Math.max(0, playedMs - behindMs);
    this.handlers.onPlayback({ state: STATES[state], turn, playedMs: heardMs, queuedMs, level, underruns, refused, at });
  }
}

/** @param {number} rate */
function decimation(rate) {
  return Math.ceil(rate / SERVER_RATE_MAX);
}

/** @param {MediaStream} stream */
function stopStream(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}
