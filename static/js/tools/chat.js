/** A conversation in writing; the answer is shown as it is written. */

import { Failure, isAbort, stream } from '../api.js';
import { count, ErrorHandler } from '../error-handler.js';
import { language, plural, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { find, make } from '../views/dom.js';
import { Draft } from './draft.js';

export class Chat {
  /** @param {number} limit characters a message may have */
  constructor(limit) {
    this.limit = limit;
    this.form = find('chat-form', HTMLFormElement);
    this.field = find('chat-text', HTMLTextAreaElement);
    this.count = find('chat-count', HTMLElement);
    this.turns = find('chat-turns', HTMLOListElement);
    this.scroller = find('chat-scroll', HTMLElement);
    this.stopButton = find('chat-stop', HTMLButtonElement);
    this.sendButton = find('chat-send', HTMLButtonElement);
    this.historyLink = find('chat-history', HTMLAnchorElement);
    this.newButton = find('chat-new', HTMLButtonElement);
    this.announcer = find('chat-announcer', HTMLElement);
    this.loading = new LoadingIndicator(find('chat-progress', HTMLElement));
    this.errors = new ErrorHandler(find('chat-problem', HTMLElement), { onWait: () => this.loading.hide() });
    this.draft = new Draft('chat', this.field);
    /** @type {string | null} */
    this.conversation = null;
    /** Of the answer under way. @type {AbortController | null} */
    this.work = null;
    this.field.oninput = () => this.show();
    this.field.onkeydown = (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.form.requestSubmit();
    };
    this.form.onsubmit = (event) => {
      event.preventDefault();
      if (!this.work) void this.send(this.field.value.trim());
    };
    this.stopButton.onclick = () => this.stop();
    this.newButton.onclick = () => this.restart();
  }

  /** Puts on the page what is so. */
  show() {
    showCount(this.count, this.field.value, this.limit);
    this.stopButton.hidden = this.work === null;
    this.sendButton.hidden = this.work !== null;
    find('chat-empty', HTMLElement).hidden = this.turns.childElementCount > 0;
    this.newButton.hidden = this.turns.childElementCount === 0;
    this.historyLink.hidden = this.conversation === null;
    if (this.conversation) this.historyLink.href = `/app/history/${this.conversation}/`;
  }

  /** @param {string} message */
  async send(message) {
    const problem = this.errors.validateText(message, this.limit);
    if (problem) {
      this.errors.show(problem);
      this.field.focus();
      return;
    }
    const yours = this.bubble('you', t('chat.you'));
    yours.append(message);
    this.field.value = '';
    await this.ask(message, yours);
  }

  /**
   * @param {string} message
   * @param {HTMLElement} yours the words as they are shown
   */
  async ask(message, yours) {
    const work = new AbortController();
    this.work = work;
    this.errors.clear();
    this.show();
    const progress = { text: '', began: false, words: /** @type {HTMLElement | null} */ (null), broken: /** @type {unknown} */ (null) };
    const again = () => void this.ask(message, yours);
    const ended = await this.errors.run(() => this.answer(message, work.signal, progress), { signal: work.signal, again });
    if (this.work !== work) return;
    this.work = null;
    this.loading.hide();
    if (ended === 'broken') {
      this.aside(progress.words, t('chat.broken'));
      this.errors.show(this.errors.describe(progress.broken), { again });
    } else if (progress.words && work.signal.aborted) {
      this.aside(progress.words, t('chat.stopped'));
    } else if (!ended && this.errors.quiet) {
      this.giveBack(message, yours); // stopped before anything came
    }
    if (ended === 'whole') {
      this.announcer.textContent = `aigolos: ${progress.text}`;
      this.draft.forget();
    }
    this.show();
  }

  /**
   * One request. Once an answer has begun it is not asked for again by itself: that would be a second turn.
   * @param {string} message
   * @param {AbortSignal} signal
   * @param {{text: string, began: boolean, words: HTMLElement | null, broken: unknown}} progress
   * @returns {Promise<'whole' | 'broken'>}
   */
  async answer(message, signal, progress) {
    const json = { message, ...(this.conversation ? { conversation_id: this.conversation } : {}) };
    this.loading.spinner(t('chat.thinking'));
    try {
      for await (const { name, data } of stream('/api/llm/chat/', { method: 'POST', json, signal })) {
        if (name === 'started') {
          this.conversation = data.conversation_id;
        } else if (name === 'delta') {
          this.loading.hide();
          progress.began = true;
          progress.words ??= this.bubble('it', 'aigolos');
          progress.text += data.text;
          progress.words.append(data.text);
          this.follow();
        } else if (name === 'withdrawn') {
          progress.text = '';
          if (progress.words) progress.words.textContent = '';
        } else if (name === 'done') {
          if (progress.words && data.text) progress.words.textContent = progress.text = data.text;
          return 'whole';
        } else if (name === 'failed') {
          throw new Failure(data.status, data);
        }
      }
      throw new Failure(0, { detail: 'the answer ended in the middle' });
    } catch (error) {
      if (!progress.began || isAbort(error) || signal.aborted) throw error;
      progress.broken = error;
      return 'broken';
    }
  }

  /** What was not taken goes back into the field. @param {string} message @param {HTMLElement} yours */
  giveBack(message, yours) {
    if (this.field.value !== '') return;
    this.field.value = message;
    yours.closest('li')?.remove();
  }

  stop() {
    this.work?.abort();
    this.field.focus();
  }

  restart() {
    const { work } = this;
    this.work = null;
    work?.abort();
    this.conversation = null;
    this.turns.replaceChildren();
    this.errors.clear();
    this.loading.hide();
    this.show();
    this.field.focus();
  }

  /** @param {'you' | 'it'} kind @param {string} who */
  bubble(kind, who) {
    const words = make('span', 'words');
    this.turns.append(make('li', `bubble ${kind}`, make('span', 'who', who), words));
    this.follow();
    return words;
  }

  /** @param {HTMLElement | null} words @param {string} text */
  aside(words, text) {
    words?.after(make('span', 'aside', text));
  }

  follow() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

/**
 * @param {HTMLElement} place
 * @param {string} text
 * @param {number} limit
 */
export function showCount(place, text, limit) {
  const length = count(text);
  place.textContent = plural('text.count', length, { limit: new Intl.NumberFormat(language).format(limit) });
  place.classList.toggle('over', length > limit);
}
