/** Where the last turn's time went, from the end of the person's voice to the answer's first sound. */

import { find, make } from './dom.js';

/** @typedef {import('../messages.js').Timings} Timings */

export class Timeline {
  constructor() {
    this.section = find('timeline', HTMLElement);
    this.title = find('timeline-title', HTMLElement);
    this.rows = find('timeline-rows', HTMLOListElement);
  }

  /**
   * @param {Timings} timings
   * @param {number | null} playbackMs from the first chunk's coming to its sounding, measured here
   */
  show(timings, playbackMs) {
    const stages = stagesOf(timings, playbackMs);
    const end = Math.max(0, ...stages.map(({ to }) => to));
    this.section.hidden = stages.length === 0;
    if (stages.length === 0) return;
    const spoken = timings.hard_end_ms !== undefined;
    const what = timings.first_audio_ms === undefined ? 'Answered' : 'Answer heard';
    const since = spoken ? 'after you stopped speaking' : 'after you asked';
    this.title.replaceChildren(`${what} `, make('strong', '', duration(end)), ` ${since}`);
    this.rows.replaceChildren(
      ...stages.map(({ name, from, to, yours }) => {
        const span = make('span', 'timeline-span');
        span.style.setProperty('--from', `${(from / Math.max(1, end)) * 100}%`);
        span.style.setProperty('--to', `${(to / Math.max(1, end)) * 100}%`);
        const track = make('span', 'timeline-track', span);
        const row = make('li', `timeline-row${yours ? ' yours' : ''}`, make('span', '', name), track);
        row.append(make('span', 'timeline-ms', duration(to - from)));
        return row;
      }),
    );
  }
}

/** @typedef {{name: string, from: number, to: number, yours?: boolean}} Stage */

/**
 * @param {Timings} t
 * @param {number | null} playbackMs
 * @returns {Stage[]}
 */
function stagesOf(t, playbackMs) {
  /** @type {Stage[]} */
  const stages = [];
  /** @type {(name: string, from: number | undefined, to: number | undefined, yours?: boolean) => void} */
  const add = (name, from, to, yours) => {
    if (from !== undefined && to !== undefined && to > from) stages.push({ name, from, to, yours });
  };
  add('Your pause', 0, t.hard_end_ms, true);
  add('Writing down', t.soft_end_ms, t.final_transcript_ms);
  add('Thinking', t.final_transcript_ms ?? 0, t.first_sentence_ms ?? t.first_token_ms);
  add('Voice', t.first_sentence_ms, t.first_sound_ms);
  if (t.first_audio_ms !== undefined && playbackMs !== null) {
    add('To your ears', t.first_audio_ms, t.first_audio_ms + playbackMs);
  }
  return stages;
}

/** @param {number} ms */
function duration(ms) {
  const whole = Math.round(ms);
  return whole < 1000 ? `${whole} ms` : `${(whole / 1000).toFixed(2)} s`;
}
