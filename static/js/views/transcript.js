/** What was said, turn by turn. Unstable words are grey, stable ones black; a reply grows as it is heard. */

import { t } from '../i18n.js';
import { find, make } from './dom.js';

/** Turns kept on the page; older ones leave it, not the conversation. */
const KEPT = 200;
/** So close to the end counts as reading the newest. */
const NEAR_END = 80;

/** @typedef {{item: HTMLLIElement, you: HTMLElement | null, it: HTMLElement | null, shown: string}} Turn */

export class Transcript {
  constructor() {
    this.list = find('turns', HTMLOListElement);
    this.scroller = find('scroll', HTMLElement);
    this.empty = find('empty', HTMLElement);
    /** @type {Map<number, Turn>} */
    this.turns = new Map();
    /** Typed, but not yet given a number by the server. @type {{text: string, turn: Turn}[]} */
    this.typed = [];
    this.following = true;
    this.scroller.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.scroller;
      this.following = scrollHeight - scrollTop - clientHeight < NEAR_END;
    });
  }

  /** @param {number} id a voice was found */
  listening(id) {
    const words = this.yours(this.turn(id));
    if (words.childNodes.length === 0) words.append(make('span', 'ellipsis', unseen(t('live.listening'))));
    this.follow();
  }

  /**
   * @param {number} id
   * @param {string} stable
   * @param {string} unstable
   */
  partial(id, stable, unstable) {
    const space = stable && unstable ? ' ' : '';
    this.yours(this.turn(id)).replaceChildren(make('span', 'stable', stable + space), make('span', 'unstable', unstable));
    this.follow();
  }

  /**
   * @param {number} id
   * @param {string} text empty: sound, but no words
   */
  final(id, text) {
    if (!text) {
      this.remove(id);
      return;
    }
    this.adopt(id, text);
    this.yours(this.turn(id)).replaceChildren(make('span', 'stable', text));
    this.follow();
  }

  /** @param {string} text */
  type(text) {
    const turn = this.add();
    this.yours(turn).replaceChildren(make('span', 'stable', text));
    this.typed.push({ text, turn });
    this.following = true;
    this.follow();
  }

  /** @param {number} id the machine has something to say */
  answering(id) {
    this.adopt(id, null);
    const words = this.its(this.turn(id));
    if (words.childNodes.length === 0) words.append(make('span', 'ellipsis', unseen(t('live.thinking'))));
    this.follow();
  }

  /**
   * @param {number} id
   * @param {string} text what has been heard so far
   */
  spoken(id, text) {
    const turn = this.turn(id);
    if (text === turn.shown) return;
    const words = this.its(turn);
    if (turn.shown && text.startsWith(turn.shown)) words.append(make('span', 'fresh', text.slice(turn.shown.length)));
    else words.replaceChildren(make('span', 'fresh', text));
    turn.shown = text;
    this.follow();
  }

  /**
   * @param {number} id
   * @param {string} text what was heard
   * @param {string} [aside] why it ended early
   */
  ended(id, text, aside) {
    const turn = this.turns.get(id);
    if (!turn?.it) return;
    const words = this.its(turn);
    words.textContent = text;
    turn.shown = text;
    if (aside) words.append(make('span', 'aside', aside));
    this.follow();
  }

  /** Utterances nobody will finish: their session is gone. */
  abandon(waiting = /** @type {string[]} */ ([])) {
    for (const [id, { you, it }] of this.turns) {
      if (!it && you?.querySelector('.ellipsis')) this.remove(id);
      else you?.querySelector('.unstable')?.replaceWith(make('span', 'aside', t('live.aside.rest_lost')));
      it?.querySelector('.ellipsis')?.replaceWith(make('span', 'aside', t('live.aside.lost')));
    }
    this.typed = this.typed.filter(({ text }) => waiting.includes(text));
  }

  /** @param {number} id */
  remove(id) {
    this.turns.get(id)?.item.remove();
    this.turns.delete(id);
    this.empty.hidden = this.list.childElementCount > 0;
  }

  /**
   * Gives a typed turn the number the server gave it.
   * @param {number} id
   * @param {string | null} text
   */
  adopt(id, text) {
    if (this.turns.has(id)) return;
    const at = text === null ? 0 : this.typed.findIndex((typed) => typed.text === text);
    const typed = this.typed[at];
    if (!typed) return;
    this.typed.splice(at, 1);
    this.turns.set(id, typed.turn);
  }

  /** @param {number} id */
  turn(id) {
    let turn = this.turns.get(id);
    if (!turn) {
      turn = this.add();
      this.turns.set(id, turn);
      const oldest = this.turns.keys().next().value;
      if (this.turns.size > KEPT && oldest !== undefined) this.remove(oldest);
    }
    return turn;
  }

  /** @returns {Turn} */
  add() {
    const item = make('li', 'turn');
    this.list.append(item);
    this.empty.hidden = true;
    return { item, you: null, it: null, shown: '' };
  }

  /** @param {Turn} turn */
  yours(turn) {
    turn.you ??= line(turn.item, 'you', t('chat.you'));
    return turn.you;
  }

  /** @param {Turn} turn */
  its(turn) {
    turn.it ??= line(turn.item, 'it', 'aigolos');
    return turn.it;
  }

  follow() {
    if (this.following) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

/**
 * @param {HTMLElement} item
 * @param {'you' | 'it'} kind
 * @param {string} who
 */
function line(item, kind, who) {
  const words = make('span', 'words');
  const whole = make('p', `line ${kind}`, make('span', 'who', who), words);
  if (kind === 'you') item.prepend(whole);
  else item.append(whole);
  return words;
}

/** @param {string} text */
const unseen = (text) => make('span', 'unseen', text);
