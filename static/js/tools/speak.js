/** A text in, its sound out: heard while it arrives, kept for downloading. */

import { call, Failure, isAbort, read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { bytes, language, languageName, number, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { find, make } from '../views/dom.js';
import { showCount } from './chat.js';
import { Draft } from './draft.js';
import { playerFor } from './playing.js';

/** @typedef {{id: string, name: string, language: string}} Voice */

const TYPES = /** @type {Record<string, string>} */ ({ wav: 'audio/wav', mp3: 'audio/mpeg', opus: 'audio/ogg' });
const ENDINGS = /** @type {Record<string, string>} */ ({ wav: 'wav', mp3: 'mp3', opus: 'ogg' });

export class Speak {
  /** @param {number} limit characters a text may have */
  constructor(limit) {
    this.limit = limit;
    this.form = find('speak-form', HTMLFormElement);
    this.field = find('speak-text', HTMLTextAreaElement);
    this.count = find('speak-count', HTMLElement);
    this.voice = find('speak-voice', HTMLSelectElement);
    this.format = find('speak-format', HTMLSelectElement);
    this.speed = find('speak-speed', HTMLInputElement);
    this.speedValue = find('speak-speed-value', HTMLOutputElement);
    this.go = find('speak-go', HTMLButtonElement);
    this.stopButton = find('speak-stop', HTMLButtonElement);
    this.result = find('speak-result', HTMLElement);
    this.facts = find('speak-facts', HTMLElement);
    this.audio = find('speak-audio', HTMLAudioElement);
    this.download = find('speak-download', HTMLAnchorElement);
    this.loading = new LoadingIndicator(find('speak-progress', HTMLElement));
    this.errors = new ErrorHandler(find('speak-problem', HTMLElement), { onWait: () => this.loading.hide() });
    this.draft = new Draft('speak', this.field);
    /** @type {AbortController | null} */
    this.work = null;
    /** @type {import('./playing.js').Player | null} */
    this.player = null;
    this.url = '';
    this.field.oninput = () => this.show();
    this.speed.oninput = () => this.show();
    this.stopButton.onclick = () => this.stop();
    this.form.onsubmit = (event) => {
      event.preventDefault();
      void this.speak();
    };
    this.show();
  }

  show() {
    showCount(this.count, this.field.value, this.limit);
    const value = Number(this.speed.value);
    this.speedValue.value = `${number(value, { minimumFractionDigits: 1 })}×`;
    this.speed.setAttribute('aria-valuetext', this.speedValue.value);
    const busy = this.work !== null || this.player !== null;
    this.stopButton.hidden = !busy;
    this.go.hidden = busy;
  }

  /** The voices, by language; the page's own language first. */
  async list() {
    const answer = await read('/api/tts/voices/').catch(() => null);
    if (!answer?.voices?.length) return; // the server's choice serves
    /** @type {Map<string, Voice[]>} */
    const groups = new Map();
    for (const voice of /** @type {Voice[]} */ (answer.voices)) groups.set(voice.language, [...(groups.get(voice.language) ?? []), voice]);
    const own = [...groups].sort(([a], [b]) => Number(b.startsWith(language)) - Number(a.startsWith(language)) || a.localeCompare(b));
    this.voice.replaceChildren(
      ...own.map(([code, voices]) => {
        const group = make('optgroup', '');
        group.label = languageName(code);
        group.append(...voices.map(({ id, name }) => new Option(name, id, false, id === answer.default)));
        return group;
      }),
    );
    this.voice.value = answer.default;
  }

  async speak() {
    const text = this.field.value.trim();
    const problem = this.errors.validateText(text, this.limit);
    if (problem) {
      this.errors.show(problem);
      this.field.focus();
      return;
    }
    this.stop();
    const work = new AbortController();
    this.work = work;
    this.result.hidden = true;
    this.show();
    this.stopButton.focus();
    const format = this.format.value;
    const parts = await this.errors.run(() => this.receive(text, format, work.signal), { signal: work.signal, again: () => void this.speak() });
    if (this.work !== work) return;
    this.work = null;
    this.loading.hide();
    if (parts) this.keep(new Blob(parts, { type: TYPES[format] }), format);
    else this.silence();
    this.show();
    if (document.activeElement === document.body) this.go.focus();
  }

  /**
   * The sound, played as it comes.
   * @param {string} text
   * @param {string} format
   * @param {AbortSignal} signal
   * @returns {Promise<Uint8Array<ArrayBuffer>[]>}
   */
  async receive(text, format, signal) {
    const json = { text, format, speed: Number(this.speed.value), ...(this.voice.value ? { voice: this.voice.value } : {}) };
    this.loading.indeterminate(t('speak.making'));
    const response = await call('/api/tts/synthesize/', { method: 'POST', json, signal, headers: { accept: '*/*' } });
    this.silence();
    const player = playerFor(format, () => this.played(player));
    this.player = player;
    const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
    const parts = [];
    let size = 0;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        parts.push(value);
        size += value.byteLength;
        player?.push(value);
        this.loading.indeterminate(t('speak.arriving', { size: bytes(size) }));
      }
    } catch (error) {
      if (signal.aborted || isAbort(error)) throw error;
      throw new Failure(0, { detail: String(error) });
    }
    if (size === 0) throw new Failure(0, { detail: 'no sound came' });
    player?.end();
    return parts;
  }

  /** @param {Blob} blob @param {string} format */
  keep(blob, format) {
    URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(blob);
    this.audio.src = this.url;
    this.audio.hidden = false;
    this.download.href = this.url;
    this.download.download = `aigolos.${ENDINGS[format]}`;
    this.download.hidden = false;
    this.facts.textContent = t('speak.ready', { size: bytes(blob.size) });
    this.result.hidden = false;
    this.draft.forget();
    // What cannot be played in pieces is played whole.
    if (this.player === null) this.audio.play().catch(() => {});
    else this.audio.onplay = () => this.silence();
  }

  /** @param {import('./playing.js').Player | null} player whose sound has ended */
  played(player) {
    if (this.player !== player) return;
    this.silence();
    this.show();
  }

  silence() {
    this.player?.stop();
    this.player = null;
  }

  stop() {
    this.work?.abort();
    this.work = null;
    this.silence();
    this.audio.pause();
    this.loading.hide();
    this.show();
    this.go.focus();
  }
}
