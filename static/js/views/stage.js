/** The circle with its words, and the buttons below it. */

import { t } from '../i18n.js';
import { find } from './dom.js';
import { Orb } from './orb.js';

/**
 * @typedef {import('./orb.js').Mood} Mood
 *
 * @typedef {object} Scene everything the stage shows
 * @property {Mood} mood
 * @property {boolean} live the microphone is open
 * @property {boolean} starting
 * @property {boolean} push
 * @property {boolean} held the talk button is down
 * @property {boolean} muted
 * @property {boolean} answering there is an answer to stop
 */

export class Stage {
  constructor() {
    this.talk = find('talk', HTMLButtonElement);
    this.label = find('talk-label', HTMLElement);
    this.state = find('state', HTMLElement);
    this.mute = find('mute', HTMLButtonElement);
    this.stopReply = find('stop-reply', HTMLButtonElement);
    this.end = find('end', HTMLButtonElement);
    this.orb = new Orb(find('orb', HTMLCanvasElement));
    /** @type {HTMLInputElement[]} */
    this.modes = [...document.querySelectorAll('input')].filter(({ name }) => name === 'turns');
  }

  /** @param {Scene} scene */
  show(scene) {
    const { live, push, held, starting } = scene;
    this.orb.show(scene.mood);
    document.body.dataset.mood = scene.mood;
    this.talk.classList.toggle('live', live);
    this.talk.classList.toggle('push', push);
    this.talk.classList.toggle('held', held);
    const label = starting ? 'starting' : !live ? 'start' : !push ? 'stop' : held ? 'release' : 'hold';
    say(this.label, t(`live.label.${label}`));
    say(this.state, t(`live.state.${words(scene)}`));
    this.mute.hidden = !live || push;
    this.mute.setAttribute('aria-pressed', String(scene.muted));
    this.stopReply.hidden = !scene.answering;
    this.end.hidden = !live || !push;
    for (const mode of this.modes) mode.checked = (mode.value === 'push') === push;
  }
}

/** The name of the words that say what is so. @param {Scene} scene */
function words({ mood, live, push, held, muted }) {
  switch (mood) {
    case 'idle':
      return 'idle';
    case 'connecting':
      return 'connecting';
    case 'waiting':
      return 'waiting';
    case 'muted':
      return 'muted';
    case 'hearing':
      return held ? 'held' : 'hearing';
    case 'thinking':
      return 'thinking';
    case 'speaking':
      return live && !push && !muted ? 'speaking_open' : 'speaking';
    case 'listening':
      return push ? 'push' : 'listening';
  }
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
