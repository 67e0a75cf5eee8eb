/** Says what happened to those who do not see it: final words and whole answers, never half ones. */

import { find, make } from './dom.js';

const KEPT = 6;

export class Announcer {
  constructor() {
    this.box = find('announcer', HTMLElement);
  }

  /** @param {string} text */
  say(text) {
    this.box.append(make('p', '', text));
    while (this.box.childElementCount > KEPT) this.box.firstElementChild?.remove();
  }
}
