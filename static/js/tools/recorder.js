/** A recording made in the page: started, watched, stopped, and handed on as a file. */

import { clock, t } from '../i18n.js';
import { microphoneProblem } from '../problems.js';
import { find } from '../views/dom.js';

/** What browsers record, in the order of wish, and how such a file is named. */
const FORMATS = [
  ['audio/webm;codecs=opus', 'webm'],
  ['audio/ogg;codecs=opus', 'ogg'],
  ['audio/mp4', 'm4a'],
  ['audio/webm', 'webm'],
];
const BITS_PER_SECOND = 48_000;

export class Recorder {
  /**
   * @param {import('../error-handler.js').ErrorHandler} errors
   * @param {number} limitMb
   * @param {(file: File) => void} onFile
   */
  constructor(errors, limitMb, onFile) {
    this.errors = errors;
    this.limitBytes = limitMb * 1_000_000 * 0.97; // the container's end comes on top
    this.onFile = onFile;
    this.start = find('record', HTMLButtonElement);
    this.box = find('recorder', HTMLElement);
    this.time = find('recorder-time', HTMLElement);
    this.level = find('recorder-level', HTMLElement);
    /** @type {MediaRecorder | null} */
    this.recorder = null;
    /** @type {Blob[]} */
    this.parts = [];
    this.size = 0;
    this.kept = false;
    this.start.onclick = () => void this.begin();
    find('recorder-stop', HTMLButtonElement).onclick = () => this.finish(true);
    find('recorder-discard', HTMLButtonElement).onclick = () => this.finish(false);
  }

  async begin() {
    const format = FORMATS.find(([type]) => globalThis.MediaRecorder?.isTypeSupported(type));
    if (!navigator.mediaDevices || !format) {
      this.errors.show(t(globalThis.isSecureContext ? 'live.problem.sound.title' : 'live.problem.insecure.title'));
      return;
    }
    this.errors.clear();
    this.start.disabled = true;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      const { title, text } = microphoneProblem(error);
      this.errors.show(`${title}. ${text}`);
      this.start.disabled = false;
      return;
    }
    const [type, extension] = format;
    const recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS_PER_SECOND });
    this.recorder = recorder;
    this.parts = [];
    this.size = 0;
    recorder.ondataavailable = ({ data }) => this.received(data);
    recorder.onstop = () => this.ended(stream, type.split(';')[0], extension);
    for (const track of stream.getTracks()) track.onended = () => this.finish(true);
    this.watch(stream);
    recorder.start(500);
    this.box.hidden = false;
    this.start.hidden = true;
    find('recorder-stop', HTMLButtonElement).focus();
  }

  /** @param {Blob} data */
  received(data) {
    this.parts.push(data);
    this.size += data.size;
    if (this.size > this.limitBytes) this.finish(true);
  }

  /** Shows the time and how loud it is. @param {MediaStream} stream */
  watch(stream) {
    const began = performance.now();
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const tick = () => {
      if (this.recorder === null) {
        void context.close();
        return;
      }
      analyser.getFloatTimeDomainData(samples);
      let squares = 0;
      for (const sample of samples) squares += sample * sample;
      const decibels = 10 * Math.log10(squares / samples.length + 1e-9);
      this.level.style.setProperty('--level', Math.min(1, Math.max(0, (decibels + 60) / 55)).toFixed(3));
      this.time.textContent = clock(performance.now() - began);
      requestAnimationFrame(tick);
    };
    tick();
  }

  /** @param {boolean} keep */
  finish(keep) {
    if (this.recorder?.state !== 'recording') return;
    this.kept = keep;
    this.recorder.stop();
  }

  /**
   * @param {MediaStream} stream
   * @param {string} type
   * @param {string} extension
   */
  ended(stream, type, extension) {
    this.recorder = null;
    for (const track of stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    this.box.hidden = true;
    this.start.hidden = false;
    this.start.disabled = false;
    this.start.focus();
    const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');
    if (this.kept) this.onFile(new File(this.parts, `${t('transcribe.recording_name')}-${stamp}.${extension}`, { type }));
    this.parts = [];
  }
}
