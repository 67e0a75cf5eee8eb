/**
 * What the page has heard and played lately, for those who look into a fault: `aigolos.diagnostics()` in the console.
 * Levels are measured on the audio thread and timed by its clock, so microphone and loudspeaker can be compared.
 */

/** At 50 levels a second: the last minute. */
const KEPT = 3000;

class Track {
  constructor() {
    this.times = new Float64Array(KEPT);
    this.levels = new Float32Array(KEPT);
    this.count = 0;
  }

  /**
   * @param {number} at seconds of the audio clock
   * @param {number} level root mean square, 0 to 1
   */
  add(at, level) {
    this.times[this.count % KEPT] = at;
    this.levels[this.count % KEPT] = level;
    this.count++;
  }

  /** Oldest first. @returns {{at: number, level: number}[]} */
  list() {
    const first = Math.max(0, this.count - KEPT);
    return Array.from({ length: this.count - first }, (_, i) => {
      const slot = (first + i) % KEPT;
      return { at: this.times[slot], level: this.levels[slot] };
    });
  }
}

export class Diagnostics {
  constructor() {
    this.microphone = new Track();
    this.loudspeaker = new Track();
    this.playedMs = 0;
    this.underruns = 0;
    this.refusedChunks = 0;
    this.sessions = 0;
  }
}
