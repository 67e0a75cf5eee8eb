/**
 * Which words of a reply have been heard. Text arrives just before the sound that speaks it, so each piece begins where
 * the sound received so far ends; within a piece, words are spread over its sound by their length.
 */

/** How long a character takes where the end of its piece has not come yet. */
const MS_PER_CHARACTER = 62;

export class ReplyScript {
  /** @param {number} turn */
  constructor(turn) {
    this.turn = turn;
    /** @type {{text: string, startMs: number, endMs: number | null}[]} */
    this.pieces = [];
    this.soundMs = 0;
    this.whole = false;
    /** Characters given so far; where a sentence turns out longer than guessed, its words wait rather than vanish. */
    this.given = 0;
  }

  get text() {
    return this.pieces.map(({ text }) => text).join('');
  }

  /** @param {string} text */
  addText(text) {
    const last = this.pieces.at(-1);
    if (last && last.endMs === null) last.endMs = this.soundMs;
    this.pieces.push({ text, startMs: this.soundMs, endMs: null });
  }

  /** @param {number} ms */
  addSound(ms) {
    this.soundMs += ms;
  }

  /** All that has come, heard or not. */
  show() {
    this.given = this.text.length;
    return this.text;
  }

  /** Nothing more will come. */
  finish() {
    const last = this.pieces.at(-1);
    if (last && last.endMs === null) last.endMs = this.soundMs;
    this.whole = true;
  }

  /**
   * The text up to and with the word being spoken.
   * @param {number} playedMs
   */
  spoken(playedMs) {
    this.given = Math.max(this.given, this.heard(playedMs).length);
    return this.text.slice(0, this.given);
  }

  /** @param {number} playedMs */
  heard(playedMs) {
    let text = '';
    for (const piece of this.pieces) {
      // A piece begins with its first sample, not with the silence before it was sent.
      if (piece.startMs > playedMs || (playedMs === 0 && this.soundMs > 0)) break;
      const guess = piece.startMs + Math.max(this.soundMs - piece.startMs, piece.text.length * MS_PER_CHARACTER);
      const lengthMs = (piece.endMs ?? guess) - piece.startMs;
      const part = lengthMs <= 0 ? 1 : (playedMs - piece.startMs) / lengthMs;
      text += part >= 1 ? piece.text : upToWord(piece.text, part * piece.text.length);
    }
    return text;
  }
}

/**
 * @param {string} text
 * @param {number} place the word that holds this place is the last one given
 */
function upToWord(text, place) {
  const at = Math.max(Math.floor(place), text.length - text.trimStart().length);
  const end = text.slice(at).search(/\s/);
  return end < 0 ? text : text.slice(0, at + end);
}
