/** What is wrong, what to do about it, and a button that does it. One notice of each kind at a time. */

import { t } from '../i18n.js';
import { find, make } from './dom.js';

/** @typedef {import('../problems.js').Problem} Problem */

/** @type {Record<Problem['tone'], string[]>} */
const ICONS = {
  error: ['M12 4 21 20H3z', 'M12 10v4.5M12 17.2v.1'],
  wait: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z', 'M12 7.5V12l3 2'],
  hint: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z', 'M12 11v5M12 7.8v.1'],
};

export class Notices {
  /** @param {(remedy: NonNullable<Problem['remedy']>) => void} onRemedy */
  constructor(onRemedy) {
    this.box = find('notices', HTMLElement);
    this.onRemedy = onRemedy;
    /** @type {Map<string, {title: string, element: HTMLElement, text: HTMLElement}>} */
    this.shown = new Map();
  }

  /** @param {Problem} problem */
  show(problem) {
    const known = this.shown.get(problem.key);
    if (known?.title === problem.title) {
      // The same, a second later: change the words without announcing all of it again.
      if (known.text.textContent !== problem.text) known.text.textContent = problem.text;
      return;
    }
    this.clear(problem.key);
    const title = make('strong', 'notice-title', problem.title);
    const text = make('p', 'notice-text', problem.text);
    const close = make('button', 'notice-close', icon(['M6 6l12 12M18 6L6 18']));
    close.type = 'button';
    close.setAttribute('aria-label', t('live.dismiss', { title: problem.title }));
    close.onclick = () => this.clear(problem.key);
    const said = make('div', '', title, text);
    said.className = 'notice-said';
    said.setAttribute('role', problem.tone === 'error' ? 'alert' : 'status');
    const mark = icon(ICONS[problem.tone]);
    mark.classList.add('notice-icon');
    const element = make('div', `notice ${problem.tone}`, mark, said, close);
    if (problem.detail) element.append(make('p', 'notice-detail', problem.detail));
    if (problem.link) {
      const more = make('a', '', problem.link.label);
      more.href = problem.link.href;
      element.append(make('p', 'notice-more', more));
    }
    if (problem.remedy && problem.remedyLabel) {
      const { remedy } = problem;
      const act = make('button', '', problem.remedyLabel);
      act.type = 'button';
      act.onclick = () => this.onRemedy(remedy);
      element.append(make('p', 'notice-act', act));
    }
    this.box.append(element);
    this.shown.set(problem.key, { title: problem.title, element, text });
  }

  /** @param {string} key */
  clear(key) {
    this.shown.get(key)?.element.remove();
    this.shown.delete(key);
  }
}

/** @param {string[]} paths */
function icon(paths) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const d of paths) {
    const path = document.createElementNS(space, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}
