/** Where the last turn's time went, from the end of the person's voice to the answer's first sound. */

import { number, t } from '../i18n.js';
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
    const what = timings.first_audio_ms === undefined ? 'answered' : 'heard';
    const [before, after] = t(`timeline.${what}_${spoken ? 'spoken' : 'asked'}`).split('{time}');
    this.title.replaceChildren(before, make('strong', '', duration(end)), after ?? '');
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
 * @param {Timings} at
 * @param {number | null} playbackMs
 * @returns {Stage[]}
 */
function stagesOf(at, playbackMs) {
  /** @type {Stage[]} */
  const stages = [];
  /** @type {(name: string, from: number | undefined, to: number | undefined, yours?: boolean) => void} */
  const add = (name, from, to, yours) => {
    if (from !== undefined && to !== undefined && to > from) stages.push({ name, from, to, yours });
  };
  add(t('timeline.pause'), 0, at.hard_end_ms, true);
  add(t('timeline.writing'), at.soft_end_ms, at.final_transcript_ms);
  add(t('timeline.thinking'), at.final_transcript_ms ?? 0, at.first_sentence_ms ?? at.first_token_ms);
  add(t('timeline.voice'), at.first_sentence_ms, at.first_sound_ms);
  if (at.first_audio_ms !== undefined && playbackMs !== null) {
    add(t('timeline.ears'), at.first_audio_ms, at.first_audio_ms + playbackMs);
  }
  return stages;
}

/** @param {number} ms */
function duration(ms) {
  const whole = Math.round(ms);
  return whole < 1000 ? t('timeline.ms', { n: number(whole) }) : t('timeline.s', { n: number(whole / 1000, { minimumFractionDigits: 2, maximumFractionDigits: 2 }) });
}
