/** The list of conversations: looked through, renamed, deleted. */

import { read } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { plural, t, when } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { confirm, prompt } from '../views/dialogs.js';
import { find, make } from '../views/dom.js';
import { debounced } from '../views/forms.js';
import { BIN, iconButton, PENCIL } from '../views/icons.js';
import { pieces } from '../views/marked.js';

/**
 * @typedef {{id: string, kind: 'talk' | 'dictation' | 'file', title: string, turns: number, created_at: number,
 *   updated_at: number, snippet?: string}} Conversation
 */

const PAGE = 30;
const list = find('list', HTMLOListElement);
const search = find('search', HTMLInputElement);
const more = find('more', HTMLButtonElement);
const empty = find('empty', HTMLElement);
const found = find('found', HTMLElement);
const deleteAll = find('delete-all', HTMLButtonElement);
const heading = /** @type {HTMLElement} */ (document.querySelector('h1'));
const errors = new ErrorHandler(find('problem', HTMLElement));
const loading = new LoadingIndicator(find('loading', HTMLElement));

/** Of the newest request; older ones end when it begins. */
let current = new AbortController();
/** @type {string | null} */
let cursor = null;
/** The last page could not be had: the person asks for it, not the screen. */
let failed = false;
let query = new URLSearchParams(location.search).get('q') ?? '';

/** Begins the list anew. */
async function begin() {
  current.abort();
  current = new AbortController();
  cursor = null;
  more.hidden = true;
  if (list.childElementCount === 0) loading.skeleton(4);
  await load(current.signal, true);
}

/**
 * @param {AbortSignal} signal
 * @param {boolean} first
 */
async function load(signal, first) {
  if (!first) loading.spinner();
  more.hidden = true;
  const parameters = new URLSearchParams({ limit: String(PAGE), ...(query ? { q: query } : {}), ...(cursor ? { cursor } : {}) });
  const page = await errors.run(() => read(`/api/conversations/?${parameters}`, { signal }), { signal, again: () => void load(signal, first) });
  if (signal.aborted) return;
  loading.hide();
  failed = !page;
  if (!page) {
    more.hidden = first;
    return;
  }
  const rows = page.conversations.map(row);
  if (first) list.replaceChildren(...rows);
  else list.append(...rows);
  cursor = page.next_cursor ?? null;
  more.hidden = cursor === null;
  tell();
}

/** Says how many there are, or that there are none. */
function tell() {
  const count = list.childElementCount;
  found.textContent = query && count > 0 ? plural(cursor ? 'history.found_more' : 'history.found', count) : '';
  empty.hidden = count > 0 || cursor !== null;
  empty.textContent = query ? t('history.nothing_found', { q: query }) : t('history.none');
  deleteAll.hidden = query !== '' || count === 0;
}

/** @param {Conversation} conversation */
function row(conversation) {
  const title = make('a', 'row-link', name(conversation));
  title.href = `/app/history/${conversation.id}/${query ? `?q=${encodeURIComponent(query)}` : ''}`;
  const at = make('time', '', when(conversation.updated_at));
  at.dateTime = new Date(conversation.updated_at).toISOString();
  const facts = make('p', 'row-facts', at, ` · ${t(`kind.${conversation.kind}`)} · ${plural('history.turns', conversation.turns)}`);
  const actions = make(
    'span',
    'row-actions',
    iconButton(PENCIL, t('history.rename_one', { title: name(conversation) }), () => void rename(conversation, title)),
    iconButton(BIN, t('history.delete_one', { title: name(conversation) }), () => void remove(conversation, item)),
  );
  const item = make('li', 'talk-row', title, facts, ...(conversation.snippet ? [make('p', 'snippet', ...pieces(conversation.snippet).map(({ text, found: hit }) => (hit ? make('mark', '', text) : text)))] : []), actions);
  return item;
}

/** @param {Conversation} conversation */
const name = (conversation) => conversation.title || t('history.untitled');

/** @param {Conversation} conversation @param {HTMLElement} title */
async function rename(conversation, title) {
  const next = await prompt({ title: t('history.rename'), label: t('history.title_label'), value: conversation.title, act: t('action.save') });
  if (next === null || next === conversation.title) return;
  const answer = await errors.run(() => read(`/api/conversations/${conversation.id}`, { method: 'PATCH', json: { title: next } }));
  if (!answer) return;
  conversation.title = answer.conversation.title;
  title.textContent = name(conversation);
}

/** @param {Conversation} conversation @param {HTMLElement} item */
async function remove(conversation, item) {
  const sure = await confirm({ title: t('history.delete_title'), text: t('history.delete_text', { title: name(conversation) }), act: t('action.delete') });
  if (sure === null) return;
  const gone = await errors.run(async () => (await read(`/api/conversations/${conversation.id}`, { method: 'DELETE' }), true));
  if (!gone) return;
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  tell();
  const link = next?.querySelector('a');
  (link ?? heading).focus();
}

deleteAll.onclick = async () => {
  const sure = await confirm({ title: t('history.delete_all_title'), text: t('history.delete_all_text'), act: t('history.delete_all') });
  if (sure === null) return;
  const answer = await errors.run(() => read('/api/conversations/', { method: 'DELETE' }));
  if (!answer) return;
  await begin();
  found.textContent = plural('history.deleted', answer.deleted);
  heading.focus();
};

const seek = () => {
  const next = search.value.trim();
  if (next === query) return;
  query = next;
  history.replaceState(null, '', query ? `?q=${encodeURIComponent(query)}` : location.pathname);
  void begin();
};
search.value = query;
search.oninput = debounced(seek, 250);
find('search-form', HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  seek();
};
more.onclick = () => void load(current.signal, false);
// The button asks for the rest by being seen; for those whose browser does not tell, it is a button.
new IntersectionObserver((entries) => {
  if (entries.some(({ isIntersecting }) => isIntersecting) && !more.hidden && !failed) void load(current.signal, false);
}).observe(more);

void begin();
