/** That something is under way, and how far it is. */

import { percent, t } from './i18n.js';
import { make } from './views/dom.js';

export class LoadingIndicator {
  /** @param {HTMLElement} container */
  constructor(container) {
    this.container = container;
    /** @type {'' | 'percent' | 'indeterminate' | 'spinner' | 'skeleton'} */
    this.kind = '';
    this.fraction = 0;
    /** @type {HTMLElement} */
    this.bar = make('div', '');
    /** @type {HTMLElement} */
    this.words = make('span', '');
    /** @type {HTMLElement} */
    this.number = make('span', '');
  }

  /**
   * A bar that fills.
   * @param {number} fraction 0 to 1
   * @param {string} label what is under way
   */
  percent(fraction, label) {
    const part = Math.min(1, Math.max(0, fraction));
    if (this.kind !== 'percent') this.build('percent', label);
    this.fraction = part;
    this.say(label);
    this.bar.setAttribute('aria-valuenow', String(Math.round(part * 100)));
    this.bar.style.setProperty('--part', part.toFixed(4));
    this.number.textContent = percent(part);
  }

  /**
   * A bar for what has no known end.
   * @param {string} label
   */
  indeterminate(label) {
    if (this.kind !== 'indeterminate') this.build('indeterminate', label);
    this.say(label);
  }

  /** @param {string} [label] */
  spinner(label = t('loading.wait')) {
    if (this.kind !== 'spinner') this.build('spinner', label);
    this.say(label);
  }

  /**
   * The shape of what will come.
   * @param {number} [lines]
   */
  skeleton(lines = 3) {
    this.build('skeleton', t('loading.wait'));
    for (let i = 0; i < lines; i++) this.bar.append(make('span', 'loading-line'));
  }

  /** It is over. */
  hide() {
    this.kind = '';
    this.container.replaceChildren();
    this.container.removeAttribute('aria-busy');
  }

  /**
   * @param {'percent' | 'indeterminate' | 'spinner' | 'skeleton'} kind
   * @param {string} label
   */
  build(kind, label) {
    this.kind = kind;
    this.words = make('span', kind === 'skeleton' ? 'unseen' : 'loading-label', label);
    this.number = make('span', 'loading-number');
    const measured = kind === 'percent' || kind === 'indeterminate';
    this.bar = make('div', measured ? 'loading-track' : kind === 'spinner' ? 'loading-wheel' : 'loading-lines');
    if (measured) {
      this.bar.append(make('div', 'loading-bar'));
      this.bar.setAttribute('role', 'progressbar');
      this.bar.setAttribute('aria-label', label);
      if (kind === 'percent') {
        this.bar.setAttribute('aria-valuemin', '0');
        this.bar.setAttribute('aria-valuemax', '100');
      }
    } else {
      this.bar.setAttribute('aria-hidden', 'true');
    }
    const said = make('p', 'loading-words', this.words, this.number);
    if (!measured) said.setAttribute('role', 'status');
    this.container.replaceChildren(make('div', `loading loading-${kind}`, ...(kind === 'spinner' ? [this.bar, said] : [said, this.bar])));
    this.container.setAttribute('aria-busy', 'true');
  }

  /** @param {string} label */
  say(label) {
    if (this.words.textContent === label) return;
    this.words.textContent = label;
    if (this.bar.getAttribute('role') === 'progressbar') this.bar.setAttribute('aria-label', label);
  }
}
