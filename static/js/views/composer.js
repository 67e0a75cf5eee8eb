/** The text field, and the examples that fill it. */

import { find } from './dom.js';

export class Composer {
  /** @param {(text: string) => boolean} onSend false: not taken, the words stay */
  constructor(onSend) {
    this.field = find('text', HTMLInputElement);
    find('composer', HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      const text = this.field.value.trim();
      if (text && onSend(text)) this.field.value = '';
    };
    for (const example of find('examples', HTMLElement).querySelectorAll('button')) {
      example.onclick = () => {
        onSend(example.textContent ?? '');
        this.field.focus({ preventScroll: true });
      };
    }
  }

  /** @param {number} characters */
  limit(characters) {
    this.field.maxLength = characters;
  }
}
