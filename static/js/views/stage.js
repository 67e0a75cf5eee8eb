/** The circle with its words, and the buttons below it. */

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
    const label = starting ? 'Starting' : !live ? 'Start talking' : !push ? 'Stop' : held ? 'Release to send' : 'Hold to talk';
    say(this.label, label);
    say(this.state, words(scene));
    this.mute.hidden = !live || push;
    this.mute.setAttribute('aria-pressed', String(scene.muted));
    this.stopReply.hidden = !scene.answering;
    this.end.hidden = !live || !push;
    for (const mode of this.modes) mode.checked = (mode.value === 'push') === push;
  }
}

/** @param {Scene} scene */
function words({ mood, live, push, held, muted }) {
  switch (mood) {
    case 'idle':
      return 'Ready when you are';
    case 'connecting':
      return 'Connecting';
    case 'waiting':
      return 'Connection lost, coming back';
    case 'muted':
      return 'Muted: it hears nothing';
    case 'hearing':
      return held ? 'Listening, release to send' : 'Listening to you';
    case 'thinking':
      return 'Thinking';
    case 'speaking':
      return live && !push && !muted ? 'Speaking. Talk to interrupt' : 'Speaking';
    case 'listening':
      return push ? 'Hold the circle or the space bar' : 'Listening. Say something';
  }
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
