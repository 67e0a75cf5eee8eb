/** One conversation: what was said, and its sound in time with the words where it was kept. */

import { read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { clock, languageName, moment, plural, t, timeOf } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { Player } from '../tools/player.js';
import { confirm, prompt } from '../views/dialogs.js';
import { find, make } from '../views/dom.js';
import { showFound } from '../views/found.js';
import { HEAR, iconButton } from '../views/icons.js';

/**
 * @typedef {{text: string, start_ms: number, end_ms: number}} Word
 * @typedef {object} Turn
 * @property {string} session
 * @property {number} turn
 * @property {number} at
 * @property {'voice' | 'typed' | 'file'} source
 * @property {string} text
 * @property {string | null} [language]
 * @property {Word[]} [words]
 * @property {number} start_ms
 * @property {number} end_ms
 * @property {{text: string, heard: string, interrupted: boolean} | null} [reply]
 * @property {('user' | 'reply')[]} [audio] whose sound was kept
 */

const main = find('main', HTMLElement);
const id = main.dataset.conversation ?? '';
const list = find('turns', HTMLOListElement);
const heading = find('title', HTMLElement);
const errors = new ErrorHandler(find('problem', HTMLElement));
const loading = new LoadingIndicator(find('loading', HTMLElement));
const player = new Player();
let title = '';

async function load() {
  loading.skeleton(4);
  const answer = await errors.run(() => read(`/api/conversations/${encodeURIComponent(id)}`), { again: () => void load() });
  loading.hide();
  if (!answer) return;
  const { conversation, turns } = answer;
  name(conversation.title);
  const facts = [moment(conversation.created_at), t(`kind.${conversation.kind}`), plural('history.turns', turns.length)];
  const spoken = turns.find((/** @type {Turn} */ { language }) => language)?.language;
  if (spoken) facts.push(languageName(spoken));
  find('facts', HTMLElement).textContent = facts.join(' · ');
  find('actions', HTMLElement).hidden = false;
  find('downloads', HTMLElement).hidden = false;
  list.replaceChildren(...turns.map((/** @type {Turn} */ turn) => item(turn, conversation.kind)));
  player.ready();
  showFound(list, new URLSearchParams(location.search).get('q') ?? '');
}

/** @param {string} text */
function name(text) {
  title = text;
  heading.textContent = text || t('history.untitled');
  document.title = `${heading.textContent} - aigolos`;
}

/**
 * @param {Turn} turn
 * @param {'talk' | 'dictation' | 'file'} kind
 */
function item(turn, kind) {
  const element = make('li', 'talk-turn');
  if (turn.text) {
    const who = kind === 'talk' ? t('chat.you') : '';
    const at = kind === 'file' ? clock(turn.start_ms) : timeOf(turn.at);
    element.append(line(element, turn, 'user', who, at, said(turn)));
  }
  const { reply } = turn;
  if (reply) element.append(line(element, turn, 'reply', 'aigolos', '', replied(reply)));
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Turn} turn
 * @param {'user' | 'reply'} side
 * @param {string} who
 * @param {string} at
 * @param {HTMLElement} words
 */
function line(element, turn, side, who, at, words) {
  const label = make('span', 'who', who, ...(at ? [make('span', 'at', at)] : []));
  const whole = make('div', `said ${side === 'user' ? 'you' : 'it'}`, label, words);
  if (!turn.audio?.includes(side)) return whole;
  const url = `/api/conversations/${id}/audio/${turn.session}/${turn.turn}/${side}`;
  const spans = [...words.querySelectorAll('span')].filter(({ dataset }) => dataset.start !== undefined);
  const clip = player.add(url, element, spans);
  const hear = iconButton(HEAR, t(side === 'user' ? 'player.hear_you' : 'player.hear_it', { text: (words.textContent ?? '').slice(0, 60) }), () => player.play(clip));
  hear.classList.add('hear');
  words.addEventListener('click', (event) => {
    const start = event.target instanceof HTMLElement ? event.target.dataset.start : undefined;
    player.play(clip, Number(start ?? 0));
  });
  whole.append(hear);
  return whole;
}

/** The person's words, each with its place in the sound where that is known. @param {Turn} turn */
function said(turn) {
  const { words = [], text, start_ms: from } = turn;
  const whole = make('span', 'words');
  const joined = words.map((word) => word.text.trim()).join(' ');
  if (words.length === 0 || joined.replace(/\s/g, '') !== text.replace(/\s/g, '')) {
    whole.append(...shares(text));
    return whole;
  }
  for (const word of words) {
    const span = make('span', '', word.text.trim());
    span.dataset.start = String(Math.max(0, word.start_ms - from));
    span.dataset.end = String(Math.max(0, word.end_ms - from));
    whole.append(span, ' ');
  }
  return whole;
}

/** @param {NonNullable<Turn['reply']>} reply */
function replied(reply) {
  const whole = make('span', 'words');
  const heard = reply.interrupted ? reply.heard : reply.text || reply.heard;
  whole.append(...shares(heard));
  if (!reply.interrupted) return whole;
  const rest = reply.text.startsWith(heard) ? reply.text.slice(heard.length).trim() : '';
  if (rest) whole.append(' ', make('span', 'unheard', rest));
  whole.append(make('span', 'aside', t(rest ? 'conversation.unheard' : 'conversation.interrupted')));
  return whole;
}

/**
 * Words whose times nobody noted: each gets the share of the sound that its letters are of the text, in thousandths.
 * @param {string} text
 */
function shares(text) {
  const words = text.split(/(?<=\s)/);
  const total = Math.max(1, text.length);
  let at = 0;
  return words.map((word) => {
    const span = make('span', '', word);
    span.dataset.share = 'true';
    span.dataset.start = String((at / total) * 1000);
    at += word.length;
    span.dataset.end = String((at / total) * 1000);
    return span;
  });
}

find('rename', HTMLButtonElement).onclick = async () => {
  const next = await prompt({ title: t('history.rename'), label: t('history.title_label'), value: title, act: t('action.save') });
  if (next === null || next === title) return;
  const answer = await errors.run(() => read(`/api/conversations/${id}`, { method: 'PATCH', json: { title: next } }));
  if (answer) name(answer.conversation.title);
};

find('delete', HTMLButtonElement).onclick = async () => {
  const sure = await confirm({ title: t('history.delete_title'), text: t('history.delete_text', { title: heading.textContent ?? '' }), act: t('action.delete') });
  if (sure === null) return;
  const gone = await errors.run(async () => (await read(`/api/conversations/${id}`, { method: 'DELETE' }), true));
  if (gone) location.assign('/app/history/');
};

void load();
