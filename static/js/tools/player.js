/** Plays a conversation's sound, turn by turn, and shows where in the words it is. */

import { clock, t } from '../i18n.js';
import { find } from '../views/dom.js';

/**
 * @typedef {object} Clip the sound of one side of a turn
 * @property {string} url
 * @property {HTMLElement} turn
 * @property {HTMLElement[]} words each with its `data-start` and `data-end`: milliseconds, or thousandths of the whole
 */

export class Player {
  constructor() {
    this.bar = find('player', HTMLElement);
    this.toggle = find('player-toggle', HTMLButtonElement);
    this.seek = find('player-seek', HTMLInputElement);
    this.time = find('player-time', HTMLElement);
    this.part = find('player-part', HTMLElement);
    this.audio = new Audio();
    this.audio.preload = 'metadata';
    /** @type {Clip[]} */
    this.clips = [];
    this.at = 0;
    /** @type {HTMLElement | null} */
    this.lit = null;
    this.frame = 0;
    this.dragging = false;
    this.audio.onplay = this.audio.onpause = () => this.show();
    this.audio.onloadedmetadata = () => this.show();
    this.audio.onended = () => this.next();
    this.toggle.onclick = () => {
      if (this.audio.paused) this.play(this.clips[this.at] ?? this.clips[0], null);
      else this.audio.pause();
    };
    this.seek.oninput = () => {
      if (Number.isFinite(this.audio.duration)) this.audio.currentTime = (Number(this.seek.value) / 1000) * this.audio.duration;
      this.show();
    };
    document.addEventListener('keydown', (event) => {
      const place = event.target;
      const busy = place instanceof HTMLElement && place.closest('a, button, input, textarea, select, dialog');
      if (event.key !== ' ' || busy || this.bar.hidden) return;
      event.preventDefault();
      this.toggle.click();
    });
  }

  /**
   * @param {string} url
   * @param {HTMLElement} turn
   * @param {HTMLElement[]} words
   * @returns {Clip}
   */
  add(url, turn, words) {
    const clip = { url, turn, words };
    this.clips.push(clip);
    return clip;
  }

  /** All clips are known. */
  ready() {
    this.bar.hidden = this.clips.length === 0;
    this.at = 0;
    if (this.clips.length > 0) this.audio.src = this.clips[0].url;
    this.show();
  }

  /**
   * @param {Clip} clip
   * @param {number | null} [from] as its words have it; null: where it stands
   */
  play(clip, from = 0) {
    const index = this.clips.indexOf(clip);
    if (index !== this.at || !this.audio.src) {
      this.at = index;
      this.audio.src = clip.url;
    }
    const begin = () => {
      if (from !== null) this.audio.currentTime = this.secondsOf(clip, from);
      this.audio.play().catch(() => this.show());
    };
    if (this.audio.readyState >= HTMLMediaElement.HAVE_METADATA || !from) begin();
    else this.audio.addEventListener('loadedmetadata', begin, { once: true });
  }

  /** @param {Clip} clip @param {number} place */
  secondsOf(clip, place) {
    const shared = clip.words[0]?.dataset.share !== undefined;
    const { duration } = this.audio;
    return shared ? (Number.isFinite(duration) ? (place / 1000) * duration : 0) : place / 1000;
  }

  /** The clip has been heard to its end. */
  next() {
    const clip = this.clips[this.at + 1];
    if (clip) {
      this.play(clip);
      return;
    }
    this.at = 0;
    this.audio.src = this.clips[0].url;
    this.show();
  }

  /** Puts the player, and the word that sounds, on the page. */
  show() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.bar.classList.toggle('playing', playing);
    this.toggle.setAttribute('aria-label', t(playing ? 'player.pause' : 'player.play'));
    const { currentTime, duration } = this.audio;
    const known = Number.isFinite(duration) && duration > 0;
    const time = `${clock(currentTime * 1000)} / ${known ? clock(duration * 1000) : '…'}`;
    const part = t('player.part', { n: this.at + 1, count: this.clips.length });
    if (this.time.textContent !== time) this.time.textContent = time;
    if (this.part.textContent !== part) this.part.textContent = part;
    this.seek.value = String(known ? Math.round((currentTime / duration) * 1000) : 0);
    this.seek.setAttribute('aria-valuetext', `${time}, ${part}`);
    this.light(playing || currentTime > 0);
    cancelAnimationFrame(this.frame);
    if (playing) this.frame = requestAnimationFrame(() => this.show());
  }

  /** @param {boolean} on */
  light(on) {
    const clip = this.clips[this.at];
    for (const { turn } of this.clips) turn.classList.toggle('playing', on && turn === clip?.turn);
    const word = on && clip ? this.wordAt(clip) : null;
    if (word === this.lit) return;
    this.lit?.classList.remove('now');
    word?.classList.add('now');
    this.lit = word;
    if (!word || this.audio.paused) return;
    const { top, bottom } = word.getBoundingClientRect();
    if (top < 80 || bottom > innerHeight - 110) word.scrollIntoView({ block: 'center', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
  }

  /** @param {Clip} clip @returns {HTMLElement | null} */
  wordAt(clip) {
    const now = this.audio.currentTime;
    const spoken = clip.words.filter(({ dataset }) => this.secondsOf(clip, Number(dataset.start)) <= now);
    return spoken.at(-1) ?? null;
  }
}
