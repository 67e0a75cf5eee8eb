/** What the server tells about turns, put where it is seen and heard. */

import { t } from './i18n.js';
import { serverProblem } from './problems.js';

/**
 * @typedef {import('./messages.js').ServerEvent} ServerEvent
 *
 * @typedef {object} Places
 * @property {import('./views/transcript.js').Transcript} transcript
 * @property {import('./replies.js').Replies} replies
 * @property {import('./views/announcer.js').Announcer} announcer
 * @property {(problem: import('./problems.js').Problem) => void} onProblem
 * @property {() => void} onAnswer an answer begins: what was wrong with the turn before is over
 * @property {(event: import('./messages.js').SessionReady) => void} onReady
 */

/** How a reply ended, if not well; the key of the words that say it. */
const ASIDES = { whole: undefined, interrupted: 'live.aside.interrupted', stopped: 'live.aside.stopped', failed: 'live.aside.failed' };

export class Conversation {
  /** @param {Places} places */
  constructor(places) {
    this.places = places;
    /** Whether a voice is being heard. */
    this.hearing = false;
    /** Whether an answer is due. */
    this.due = false;
  }

  /** @param {ServerEvent} event */
  event(event) {
    const { transcript, replies, announcer } = this.places;
    switch (event.type) {
      case 'session.ready':
        this.places.onReady(event);
        break;
      case 'speech.started':
        this.hearing = true;
        transcript.listening(event.turn);
        break;
      case 'speech.stopped':
        this.hearing = false;
        this.due = true;
        break;
      case 'transcript.partial':
        transcript.partial(event.turn, event.stable, event.unstable);
        break;
      case 'transcript.final':
        transcript.final(event.turn, event.text);
        this.due = event.text !== '';
        if (event.text) announcer.say(t('live.say.you', { text: event.text }));
        break;
      case 'reply.started':
        this.places.onAnswer();
        replies.started(event.turn);
        transcript.answering(event.turn);
        break;
      case 'reply.text.delta':
        replies.text(event.turn, event.delta);
        break;
      case 'reply.paused':
        replies.hold(event.turn);
        break;
      case 'reply.resumed':
        replies.release();
        break;
      case 'reply.done':
        this.due = false;
        replies.done(event.turn, event.text, event.timings);
        break;
      case 'reply.cancelled':
        this.due = false;
        replies.cancelled(event.turn, event.heard_text, event.reason, event.timings);
        break;
      case 'error':
        this.failed(event);
        break;
      default:
        break; // of no concern to the page, or of a newer server
    }
  }

  /** Nothing is under way any more. */
  rest() {
    this.hearing = this.due = false;
  }

  /**
   * The session is gone, and with it whatever was not finished.
   * @param {string[]} [waiting] what was typed and is said to the next one
   */
  lost(waiting) {
    this.places.replies.orphan();
    this.places.transcript.abandon(waiting);
  }

  /** @param {import('./messages.js').ErrorEvent_} event */
  failed(event) {
    const problem = serverProblem(event);
    if (problem) this.places.onProblem(problem);
    if (event.turn !== undefined || event.code === 'nothing_to_commit') this.due = false;
  }

  /**
   * @param {number} turn
   * @param {string} text
   * @param {'whole' | 'interrupted' | 'stopped' | 'failed'} ending
   */
  replyEnded(turn, text, ending) {
    const aside = ASIDES[ending];
    this.places.transcript.ended(turn, text, aside && t(aside));
    if (text) this.places.announcer.say(`aigolos: ${text}`);
  }
}
