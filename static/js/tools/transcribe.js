/** A recording in, its words out: chosen, dropped or recorded; sent with its progress; written down as events tell. */

import { Failure, read, stream, upload } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { bytes, clock, languageName, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { find, make } from '../views/dom.js';
import { Recorder } from './recorder.js';

/**
 * @typedef {{id: string, state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled', file: string, bytes: number}} Job
 * @typedef {{text: string, language?: string, duration_ms: number, conversation_id: string}} Outcome
 */

/** The events that end the work. */
const ENDS = new Set(['done', 'failed', 'cancelled']);

export class Transcribe {
  /** @param {number} limitMb */
  constructor(limitMb) {
    this.limitMb = limitMb;
    this.input = find('file', HTMLInputElement);
    this.drop = find('drop', HTMLElement);
    this.language = find('transcribe-language', HTMLSelectElement);
    this.result = find('transcribe-result', HTMLElement);
    this.title = find('transcribe-file', HTMLElement);
    this.text = find('transcribe-text', HTMLElement);
    this.facts = find('transcribe-facts', HTMLElement);
    this.actions = find('transcribe-actions', HTMLElement);
    this.cancelRow = find('transcribe-cancel-row', HTMLElement);
    this.loading = new LoadingIndicator(find('transcribe-progress', HTMLElement));
    this.errors = new ErrorHandler(find('transcribe-problem', HTMLElement), { onWait: () => this.loading.hide() });
    this.recorder = new Recorder(this.errors, limitMb, (file) => void this.send(file));
    /** Of the work under way. @type {AbortController | null} */
    this.work = null;
    /** @type {string | null} */
    this.job = null;
    this.listen();
  }

  listen() {
    find('file-rule', HTMLElement).textContent = t('transcribe.rule', { limit: bytes(this.limitMb * 1_000_000) });
    this.input.onchange = () => {
      const [file] = this.input.files ?? [];
      this.input.value = ''; // the same file again is a choice too
      if (file) void this.send(file);
    };
    for (const type of ['dragenter', 'dragover']) {
      this.drop.addEventListener(type, (event) => {
        event.preventDefault();
        this.drop.classList.add('over');
      });
    }
    for (const type of ['dragleave', 'drop']) this.drop.addEventListener(type, () => this.drop.classList.remove('over'));
    this.drop.addEventListener('drop', (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void this.send(file);
    });
    // A file that misses its place must not replace the page.
    for (const type of ['dragover', 'drop']) document.addEventListener(type, (event) => event.preventDefault());
    find('transcribe-cancel', HTMLButtonElement).onclick = () => void this.cancel();
    find('transcribe-copy', HTMLButtonElement).onclick = () => void this.copy();
  }

  /** @param {File} file */
  async send(file) {
    this.stop();
    const problem = this.errors.validateFile(file, this.limitMb);
    if (problem) {
      this.errors.show(problem);
      return;
    }
    const work = this.begin(file.name);
    const again = () => void this.send(file);
    const answer = await this.errors.run(
      () => {
        const form = new FormData();
        if (this.language.value) form.set('language', this.language.value);
        form.set('file', file);
        this.loading.percent(0, t('transcribe.stage.upload'));
        return upload('/api/asr/transcribe/', form, {
          signal: work.signal,
          onProgress: (fraction) => this.loading.percent(fraction, t('transcribe.stage.upload')),
        });
      },
      { signal: work.signal, again },
    );
    if (answer) await this.follow(answer.job, answer.events, work, again);
    else if (this.work === work) this.end();
  }

  /** Work that was begun on an earlier visit, and still goes on. */
  async resume() {
    const answer = await read('/api/jobs/').catch(() => null);
    /** @type {Job | undefined} */
    const job = answer?.jobs?.find((/** @type {Job} */ { state }) => state === 'queued' || state === 'running');
    if (!job || this.work) return;
    const work = this.begin(job.file);
    await this.follow(job, `/api/jobs/${job.id}/events`, work, () => void this.resume());
  }

  /** @param {string} name */
  begin(name) {
    const work = new AbortController();
    this.work = work;
    this.errors.clear();
    this.title.textContent = name;
    this.text.replaceChildren();
    this.facts.textContent = '';
    this.result.hidden = true;
    this.actions.hidden = true;
    this.cancelRow.hidden = false;
    return work;
  }

  /**
   * Reads the events to their end; a broken line is taken up where it broke.
   * @param {Job} job
   * @param {string} events
   * @param {AbortController} work
   * @param {() => void} again
   */
  async follow(job, events, work, again) {
    const { signal } = work;
    this.job = job.id;
    let lastEventId = '';
    const last = await this.errors.run(
      async ({ alive }) => {
        for await (const event of stream(events, { lastEventId, signal })) {
          lastEventId = event.id || lastEventId;
          alive();
          if (ENDS.has(event.name)) return event;
          this.told(event.name, event.data);
        }
        throw new Failure(0, { detail: 'the events ended before the work' });
      },
      { signal, again: () => void this.retake(job, events, again) },
    );
    if (this.work !== work) return;
    this.end();
    if (last?.name === 'done') this.done(last.data);
    else if (last?.name === 'failed') this.errors.show(this.errors.describe(new Failure(last.data.status, last.data)), { again });
    else if (last) this.errors.show(t('transcribe.cancelled'));
  }

  /** @param {Job} job @param {string} events @param {() => void} again */
  async retake(job, events, again) {
    const work = this.begin(job.file);
    await this.follow(job, events, work, again);
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  told(name, data) {
    if (name === 'progress') {
      this.progress(data.stage, data.fraction);
    } else if (name === 'text') {
      this.result.hidden = false;
      this.text.append(make('span', 'fresh', `${this.text.childElementCount > 0 ? ' ' : ''}${data.text.trim()}`));
      this.text.scrollTop = this.text.scrollHeight;
    }
  }

  /** @param {string} stage @param {number | null | undefined} fraction */
  progress(stage, fraction) {
    const label = t(`transcribe.stage.${stage}`);
    if (stage === 'queued' || typeof fraction !== 'number') this.loading.indeterminate(label);
    else this.loading.percent(fraction, label);
  }

  /** @param {Outcome} outcome */
  done(outcome) {
    this.result.hidden = false;
    this.text.textContent = outcome.text || t('transcribe.no_words');
    const { language } = outcome;
    this.facts.textContent = [clock(outcome.duration_ms), ...(language ? [languageName(language)] : [])].join(' · ');
    find('transcribe-history', HTMLAnchorElement).href = `/app/history/${outcome.conversation_id}/`;
    for (const link of this.actions.querySelectorAll('a')) {
      if (link.dataset.format) link.href = `/api/conversations/${outcome.conversation_id}/export?format=${link.dataset.format}`;
    }
    this.actions.hidden = false;
  }

  /** Nothing is under way any more. */
  end() {
    this.work = null;
    this.job = null;
    this.loading.hide();
    this.cancelRow.hidden = true;
  }

  /** Drops what is under way on this side. */
  stop() {
    this.work?.abort();
    this.errors.clear();
    this.end();
  }

  async cancel() {
    const { job } = this;
    this.stop();
    this.input.focus();
    if (!job) return;
    await this.errors.run(() => read(`/api/jobs/${job}`, { method: 'DELETE' }));
    if (!this.work) this.errors.show(t('transcribe.cancelled'));
  }

  async copy() {
    const button = find('transcribe-copy', HTMLButtonElement);
    try {
      await navigator.clipboard.writeText(this.text.textContent ?? '');
      button.textContent = t('action.copied');
    } catch {
      getSelection()?.selectAllChildren(this.text); // the browser does not let us: one key is left to press
      button.textContent = t('action.copy_yourself');
    }
    setTimeout(() => (button.textContent = t('action.copy')), 3000);
  }
}
