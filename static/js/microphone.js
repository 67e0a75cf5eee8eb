/** The microphone over time: opened, listed, moved with the system's choice, and watched for being dead. */

import { microphoneProblem, microphoneSilent } from './problems.js';

/**
 * @typedef {import('./audio.js').Sound} Sound
 * @typedef {import('./problems.js').Problem} Problem
 *
 * @typedef {object} Handlers
 * @property {(problem: Problem) => void} onProblem
 * @property {(key: string) => void} onSolved
 * @property {(devices: {id: string, label: string}[]) => void} onList
 * @property {() => void} onMoved the system's default is another one now, and it is the one in use
 */

/** Complete silence for so long, in an open microphone, is a fault and not a pause. */
const DEAD_AFTER_MS = 6000;
const CHUNK_MS = 20;

export class Microphone {
  /**
   * @param {Sound} sound
   * @param {Handlers} handlers
   */
  constructor(sound, handlers) {
    this.sound = sound;
    this.handlers = handlers;
    this.deadMs = 0;
    this.systemDefault = '';
  }

  /**
   * @param {string} deviceId empty: the system's default
   * @returns {Promise<boolean>} whether one is open now
   */
  async open(deviceId) {
    try {
      await this.sound.openMicrophone(deviceId);
    } catch (error) {
      this.handlers.onProblem(microphoneProblem(error));
      return false;
    }
    if (!this.sound.recording) return false;
    this.handlers.onSolved('microphone');
    this.deadMs = 0;
    await this.list();
    return true;
  }

  async list() {
    const devices = await this.sound.microphones();
    this.systemDefault = devices.find(({ id }) => id === 'default')?.label ?? '';
    this.handlers.onList(devices);
  }

  /**
   * A device came or went.
   * @param {string} chosen
   */
  async changed(chosen) {
    const before = this.systemDefault;
    await this.list();
    if (before && this.systemDefault !== before && this.sound.recording && chosen === '') this.handlers.onMoved();
  }

  /** @param {boolean} silenced by the system, while the person is not muted */
  silenced(silenced) {
    if (silenced) this.handlers.onProblem(microphoneSilent());
    else this.handlers.onSolved('silence');
  }

  /**
   * @param {number} peak of one chunk
   * @param {boolean} muted silence is what was asked for
   */
  watch(peak, muted) {
    if (peak > 0 || muted) {
      if (this.deadMs >= DEAD_AFTER_MS) this.handlers.onSolved('silence');
      this.deadMs = 0;
      return;
    }
    const before = this.deadMs;
    this.deadMs += CHUNK_MS;
    if (before < DEAD_AFTER_MS && this.deadMs >= DEAD_AFTER_MS) this.handlers.onProblem(microphoneSilent());
  }
}
