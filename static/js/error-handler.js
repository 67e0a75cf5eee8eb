/** What went wrong, in plain words, and what is done about it: tried again where that helps, said where it does not. */

import { Failure, isAbort } from './api.js';
import { bytes, has, language, number, plural, t } from './i18n.js';
import { sentence } from './problems.js';
import { make } from './views/dom.js';

/**
 * @typedef {object} Described
 * @property {number} status 0: no answer came
 * @property {string} code
 * @property {string} title
 * @property {string} text what happened
 * @property {string} hint what to do
 * @property {string} requestId
 * @property {boolean} passing it may be over in a moment
 * @property {boolean} untouched the server surely did nothing
 * @property {number | null} retryAfterMs
 *
 * @typedef {object} Options
 * @property {number} [tries]
 * @property {number} [firstMs] the wait before the second try, before jitter
 * @property {number} [longestMs] longer waits than this are the person's to decide
 * @property {() => number} [random]
 * @property {(ms: number, signal: AbortSignal) => Promise<void>} [wait]
 * @property {(path: string) => void} [leave] goes to another page
 * @property {() => void} [onWait] it waits now: nothing is under way
 *
 * @typedef {object} Run
 * @property {boolean} [repeatable] doing it twice does no harm
 * @property {AbortSignal} [signal]
 * @property {() => void} [again] what the button "try again" does when all tries have failed
 */

const KNOWN = [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504];
/** Over in a moment, perhaps; everything else stays as it is however often one asks. */
const PASSING = new Set([0, 429, 502, 503, 504]);
/** The server refused before it did anything. */
const UNTOUCHED = new Set([429, 503]);
/** A 503 that waits for a person, not for time. */
const LASTING = new Set(['model_missing']);
const KINDS = new Set(['wav', 'mp3', 'flac', 'ogg', 'oga', 'opus', 'webm', 'm4a', 'mp4']);

export class ErrorHandler {
  /**
   * @param {HTMLElement} container where it is said
   * @param {Options} [options]
   */
  constructor(container, options = {}) {
    this.container = container;
    this.tries = options.tries ?? 3;
    this.firstMs = options.firstMs ?? 1000;
    this.longestMs = options.longestMs ?? 30_000;
    this.random = options.random ?? Math.random;
    this.wait = options.wait ?? sleep;
    this.onWait = options.onWait ?? (() => {});
    this.leave = options.leave ?? ((path) => location.assign(path));
  }

  /**
   * Does something that may fail. What may pass is tried again, three times in all; what stays is shown.
   * @template T
   * @param {(control: {tried: number, alive: () => void}) => Promise<T>} attempt calls `alive` when something new has
   *   come, so that a stream that breaks now and then is not given up
   * @param {Run} [run]
   * @returns {Promise<T | undefined>} undefined: it failed and was shown, or the signal ended it
   */
  async run(attempt, { repeatable = true, signal, again } = {}) {
    let tried = 0;
    const alive = () => {
      tried = 0;
      this.clear();
    };
    for (;;) {
      try {
        const result = await attempt({ tried, alive });
        this.clear();
        return result;
      } catch (error) {
        if (signal?.aborted || isAbort(error)) {
          this.clear();
          return undefined;
        }
        tried += 1;
        const described = this.describe(error);
        const delayMs = this.delay(described, tried);
        if (tried >= this.tries || delayMs > this.longestMs || !mayRetry(described, repeatable)) {
          this.show(described, { tried, again });
          return undefined;
        }
        if (!(await this.pause(described, delayMs, tried, signal))) return undefined;
      }
    }
  }

  /**
   * Before the next try: what the server asks for, else twice as long each time, with jitter so that all who wait do
   * not come at once.
   * @param {Described} described
   * @param {number} tried
   */
  delay({ retryAfterMs }, tried) {
    const jitter = 0.5 + this.random() / 2;
    const own = this.firstMs * 2 ** (tried - 1) * jitter;
    return retryAfterMs === null ? own : retryAfterMs + Math.min(own, 1000) * (1 - jitter);
  }

  /**
   * @param {unknown} error
   * @returns {Described}
   */
  describe(error) {
    const failure = error instanceof Failure ? error : null;
    const status = failure?.status ?? -1;
    const name = status === 0 ? (navigator.onLine === false ? 'offline' : 'network') : KNOWN.includes(status) ? String(status) : 'unknown';
    const code = failure?.code ?? '';
    const translated = failure && failure.message && (language === 'en' || failure.message !== failure.detail);
    const own = has(`problem.${code}`) ? t(`problem.${code}`) : t(`failure.${name}.text`);
    const plain = status > 0 && translated ? sentence(failure.message) : own;
    const hint = failure?.hint && translated && status > 0 ? sentence(failure.hint) : t(has(`failure.${code}.hint`) ? `failure.${code}.hint` : `failure.${name}.hint`);
    return {
      status,
      code,
      title: t(has(`failure.${code}.title`) ? `failure.${code}.title` : `failure.${name}.title`),
      text: status < 0 && error instanceof Error ? `${plain} (${error.message})` : plain,
      hint,
      requestId: failure?.requestId ?? '',
      passing: PASSING.has(status) && !LASTING.has(code),
      untouched: UNTOUCHED.has(status),
      retryAfterMs: failure?.retryAfterMs ?? null,
    };
  }

  /**
   * Shows what stays wrong. Whoever is not logged in is led to the log-in, and back.
   * @param {Described | string} problem a text: said by the page itself, before anything was sent
   * @param {{tried?: number, again?: () => void}} [more]
   */
  show(problem, { tried = 1, again } = {}) {
    if (typeof problem === 'string') {
      this.put('error', 'alert', make('strong', 'failure-title', problem));
      return;
    }
    if (problem.status === 401 && problem.code !== 'wrong_credentials') {
      this.leave(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    const parts = [make('strong', 'failure-title', problem.title), make('p', '', problem.text)];
    if (tried > 1) parts.push(make('p', 'failure-tries', plural('failure.gave_up', tried)));
    if (problem.retryAfterMs !== null && problem.retryAfterMs > this.longestMs) {
      parts.push(make('p', '', plural('failure.later', Math.ceil(problem.retryAfterMs / 60_000))));
    }
    parts.push(make('p', 'soft', problem.hint));
    if (problem.requestId && problem.status >= 500) {
      parts.push(make('p', 'soft small', `${t('failure.request')} `, make('code', '', problem.requestId)));
    }
    const box = this.put('error', 'alert', ...parts);
    if (again) box.append(make('p', 'actions', button(t('failure.again'), again)));
  }

  /**
   * Says that it waits, and waits.
   * @param {Described} described
   * @param {number} ms
   * @param {number} tried
   * @param {AbortSignal} [signal]
   * @returns {Promise<boolean>} false: it was ended meanwhile
   */
  async pause(described, ms, tried, signal) {
    this.onWait();
    const now = new AbortController();
    const ended = new AbortController();
    const countdown = make('span', '');
    countdown.setAttribute('aria-hidden', 'true');
    const until = performance.now() + ms;
    const tell = () => (countdown.textContent = plural('failure.waiting', Math.max(1, Math.round((until - performance.now()) / 1000))));
    tell();
    const timer = setInterval(tell, 1000);
    const next = t('failure.try', { n: tried + 1, of: this.tries });
    const box = this.put('wait', 'status', make('strong', 'failure-title', described.title), make('p', '', described.text), make('p', 'failure-next', `${next} `, countdown));
    box.append(make('p', 'actions', button(t('failure.now'), () => now.abort()), button(t('action.cancel'), () => ended.abort())));
    const either = AbortSignal.any([now.signal, ended.signal, ...(signal ? [signal] : [])]);
    await this.wait(ms, either);
    clearInterval(timer);
    if (!ended.signal.aborted && !signal?.aborted) return true;
    this.clear();
    return false;
  }

  clear() {
    this.container.replaceChildren();
  }

  /** Whether nothing is said. */
  get quiet() {
    return this.container.childElementCount === 0;
  }

  /**
   * @param {'error' | 'wait'} tone
   * @param {'alert' | 'status'} role
   * @param {...HTMLElement} parts
   */
  put(tone, role, ...parts) {
    const said = make('div', '', ...parts);
    said.setAttribute('role', role);
    const box = make('div', `failure ${tone}`, said);
    this.container.replaceChildren(box);
    return box;
  }

  /**
   * Why a recording need not be sent; null where nothing speaks against it. What it really is, the server finds out.
   * @param {{name: string, size: number, type: string}} file
   * @param {number} limitMb
   * @returns {string | null}
   */
  validateFile({ name, size, type }, limitMb) {
    if (size === 0) return t('invalid.file_empty', { name });
    if (size > limitMb * 1_000_000) return t('invalid.file_size', { name, size: bytes(size), limit: bytes(limitMb * 1_000_000) });
    const extension = name.includes('.') ? name.slice(name.lastIndexOf('.') + 1).toLowerCase() : '';
    const kind = type.split(/[/;]/)[0];
    const fitting = kind === '' || kind === 'audio' || kind === 'video' || type === 'application/ogg' || type === 'application/octet-stream';
    return KINDS.has(extension) && fitting ? null : t('invalid.file_kind', { name });
  }

  /**
   * @param {string} text
   * @param {number} limit in characters, as people count them
   * @returns {string | null} why it need not be sent
   */
  validateText(text, limit) {
    if (text.trim() === '') return t('invalid.text_empty');
    const length = count(text);
    return length > limit ? t('invalid.text_long', { n: number(length), limit: number(limit) }) : null;
  }
}

/**
 * @param {Described} described
 * @param {boolean} repeatable
 */
function mayRetry({ passing, untouched }, repeatable) {
  return passing && (repeatable || untouched);
}

/** Characters, not halves of them. @param {string} text */
export const count = (text) => [...text.trim()].length;

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>} at its end, or when the signal comes
 */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
  });
}

/**
 * @param {string} label
 * @param {() => void} act
 */
function button(label, act) {
  const element = make('button', 'button', label);
  element.type = 'button';
  element.onclick = act;
  return element;
}
