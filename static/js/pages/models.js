/** The models: what can be fetched, what is here, what is in use, and what is on its way. */

import { read, stream } from '../api.js';
import { ErrorHandler } from '../error-handler.js';
import { bytes, languageName, number, t } from '../i18n.js';
import { LoadingIndicator } from '../loading-indicators.js';
import { agree, confirm } from '../views/dialogs.js';
import { button, find, make } from '../views/dom.js';
import { check } from '../views/forms.js';

/**
 * @typedef {{id: string, kind: 'asr' | 'llm' | 'tts', name: string, language: string | null, quality: string | null,
 *   speakers: number, licence: string | null, card: boolean, bytes: number, installed: boolean, in_use: boolean,
 *   built_in: boolean, can_pull: boolean, checked: string | null}} Model
 * @typedef {{id: string, name: string, kind: string, state: string, bytes: number, total: number | null, rate: number,
 *   already: boolean, source?: string | null, skipped?: {source: string, reason: string}[],
 *   trouble: {code: string, message: string, hint: string} | null}} Download
 */

const OVER = new Set(['done', 'failed', 'cancelled']);
const errors = new ErrorHandler(find('models-problem', HTMLElement));
const ollamaErrors = new ErrorHandler(find('ollama-problem', HTMLElement));
const loading = new LoadingIndicator(find('models-loading', HTMLElement));
const list = find('models', HTMLUListElement);
const chat = find('ollama', HTMLUListElement);
const kind = find('filter-kind', HTMLSelectElement);
const spoken = find('filter-language', HTMLSelectElement);
const here = find('filter-here', HTMLInputElement);

/** @type {Model[]} */
let models = [];
/** Downloads that are shown, by id. @type {Map<string, {row: HTMLElement, bar: LoadingIndicator, said: HTMLElement, actions: HTMLElement}>} */
const shown = new Map();
/** Something is being listened to. */
let following = false;

async function load() {
  if (list.childElementCount === 0) loading.skeleton(4);
  const answer = await errors.run(() => read('/api/models/'), { again: () => void load() });
  loading.hide();
  if (!answer) return;
  models = answer.models;
  languages();
  show();
  const { place, trouble } = answer.ollama;
  find('ollama-state', HTMLElement).textContent = trouble ? t('models.ollama_away', { place }) : t('models.ollama_at', { place });
  /** @type {Download[]} */
  const downloads = answer.downloads;
  const running = downloads.filter(({ state }) => !OVER.has(state));
  for (const download of running) progress(download);
  if (running.length > 0) void follow();
}

/** @param {string | null} language `ru_RU` */
const code = (language) => (language ?? '').split('_')[0];

function languages() {
  const before = spoken.value;
  const codes = [...new Set(models.map(({ language }) => code(language)).filter(Boolean))];
  const named = codes.map((value) => option(value, languageName(value))).sort((a, b) => a.text.localeCompare(b.text));
  spoken.replaceChildren(option('', t('models.any')), ...named);
  spoken.value = before;
}

function show() {
  const files = models.filter((model) => {
    if (model.kind === 'llm' && !model.built_in) return false;
    const speaks = !spoken.value || !model.language || code(model.language) === spoken.value;
    return speaks && (!kind.value || model.kind === kind.value) && (!here.checked || model.installed);
  });
  const rank = (/** @type {Model} */ model) => (model.in_use ? 0 : model.installed ? 1 : 2);
  list.replaceChildren(...files.sort((a, b) => rank(a) - rank(b)).map(row));
  find('models-empty', HTMLElement).hidden = files.length > 0;
  chat.replaceChildren(...models.filter((model) => model.kind === 'llm' && !model.built_in).map(row));
}

/** @param {Model} model */
function row(model) {
  const tags = [];
  if (model.in_use) tags.push(make('span', 'tag good', t('models.in_use')));
  else if (model.installed) tags.push(make('span', 'tag', t('models.here')));
  const facts = [
    model.kind === 'llm' ? '' : t(`models.kind_${model.kind}`),
    model.kind === 'llm' || model.built_in ? '' : model.language ? languageName(model.language.replace('_', '-')) : t('models.many'),
    model.quality ? t(`models.quality_${model.quality}`) : '',
    model.speakers > 1 ? t('models.speakers', { n: number(model.speakers) }) : '',
    model.built_in ? t('models.built_in') : model.bytes ? bytes(model.bytes) : '',
    model.licence ? t('models.licence', { name: model.licence }) : '',
    model.checked ? t(`models.checked_${model.checked}`) : '',
  ];
  const main = make('div', 'row-main', make('p', 'row-title', model.name, ...tags), make('p', 'row-facts', facts.filter(Boolean).join(' · ')));
  const actions = make('div', 'actions');
  const act = (/** @type {string} */ key, /** @type {string} */ tone, /** @type {() => void} */ does) =>
    actions.append(button(t(`models.${key}`), tone, t(`models.${key}_of`, { name: model.name }), does));
  if (model.card) act('terms', 'quiet', () => void terms(model, false));
  if (model.can_pull && !model.installed) act('fetch', 'primary', () => void (model.card ? terms(model, true) : pull(model.id)));
  if (model.installed && !model.in_use && !model.built_in) {
    act('use', '', () => void use(model));
    act('remove', 'danger', () => void remove(model));
  }
  return make('li', '', main, actions);
}

/** Shows a voice's terms, before it is fetched or for their own sake. @param {Model} model @param {boolean} fetching */
async function terms(model, fetching) {
  const handler = errorsOf(model);
  const card = await handler.run(() => read(`/api/models/card?name=${encodeURIComponent(model.id)}`), { again: () => void terms(model, fetching) });
  if (!card) return;
  const act = fetching ? t('models.agree') : t('models.close');
  const yes = await agree({ title: t('models.terms_of', { name: model.name }), text: card.text, source: card.address ?? '', act });
  if (yes && fetching) await pull(model.id);
}

/** @param {string} name */
async function pull(name) {
  const handler = name.startsWith('ollama:') ? ollamaErrors : errors;
  const answer = await handler.run(() => read('/api/models/pull', { method: 'POST', json: { name } }));
  if (!answer) return;
  progress(answer.download);
  find('downloads-title', HTMLElement).focus();
  void follow();
}

/** @param {Model} model */
async function use(model) {
  const done = await errorsOf(model).run(() => read('/api/models/use', { method: 'POST', json: { name: model.id } }), { repeatable: false });
  if (done) await load();
}

/** @param {Model} model */
async function remove(model) {
  const sure = await confirm({ title: t('models.remove_of', { name: model.name }), text: t('models.remove_text', { size: bytes(model.bytes) }), act: t('models.remove') });
  if (sure === null) return;
  const gone = await errorsOf(model).run(async () => (await read(`/api/models/?name=${encodeURIComponent(model.id)}`, { method: 'DELETE' }), true));
  if (!gone) return;
  await load();
  find(model.kind === 'llm' ? 'ollama-title' : 'models-title', HTMLElement).focus();
}

/** @param {Model} model */
const errorsOf = (model) => (model.kind === 'llm' ? ollamaErrors : errors);

// What is on its way

/** Listens until nothing is on its way any more. */
async function follow() {
  if (following) return;
  following = true;
  await errors.run(async ({ alive }) => {
    for await (const event of stream('/api/models/events')) {
      alive();
      if (event.name === 'over') return true;
      if (event.name === 'download' && (shown.has(event.data.id) || !OVER.has(event.data.state))) progress(event.data);
    }
    return true; // the server stops
  });
  following = false;
  await load();
}

/** @param {Download} download */
function progress(download) {
  const known = shown.get(download.id) ?? entry(download);
  const { row: item, bar, said, actions } = known;
  const name = bare(download.name);
  find('downloads', HTMLElement).hidden = false;
  if (!OVER.has(download.state)) {
    const sizes = download.total ? t('models.so_much_of', { n: bytes(download.bytes), of: bytes(download.total) }) : bytes(download.bytes);
    const words = [t(`models.state_${download.state}`), sizes, download.rate ? t('models.rate', { n: bytes(download.rate) }) : ''];
    const label = words.filter(Boolean).join(' · ');
    if (download.total) bar.percent(download.bytes / download.total, label);
    else bar.indeterminate(label);
    return;
  }
  bar.hide();
  said.textContent = download.already ? t('models.already') : t(`models.state_${download.state}`);
  if (download.state === 'done' && download.source) said.textContent += ` ${t('models.came_from', { source: download.source })}`;
  const skipped = (download.skipped ?? []).map((one) => t('models.not_from', one));
  if (skipped.length > 0) item.querySelector('.soft')?.replaceChildren(skipped.join(' '));
  if (download.trouble) {
    const { code: why, hint, message } = download.trouble;
    said.textContent = t(`models.trouble_${why}`);
    item.querySelector('.soft')?.replaceChildren(`${message}. ${hint}`);
  }
  const away = button(t('models.dismiss'), 'quiet', t('models.dismiss_of', { name }), () => {
    item.remove();
    shown.delete(download.id);
    find('downloads', HTMLElement).hidden = shown.size === 0;
    find('models-title', HTMLElement).focus();
  });
  const again = button(t('models.again'), '', t('models.again_of', { name }), () => {
    away.click();
    void pull(download.name);
  });
  actions.replaceChildren(...(download.state === 'done' ? [away] : [again, away]));
}

/** @param {Download} download */
function entry(download) {
  const name = bare(download.name);
  const track = make('div', '');
  const said = make('p', 'row-facts');
  said.setAttribute('role', 'status');
  const actions = make('div', 'actions', button(t('action.cancel'), '', t('models.cancel_of', { name }), () => void cancel(download.id)));
  const item = make('li', '', make('div', 'row-main', make('p', 'row-title', name), track, said, make('p', 'soft small')), actions);
  find('downloads-list', HTMLUListElement).append(item);
  const known = { row: item, bar: new LoadingIndicator(track), said, actions };
  shown.set(download.id, known);
  return known;
}

/** @param {string} id */
async function cancel(id) {
  const answer = await errors.run(() => read(`/api/models/downloads/${id}`, { method: 'DELETE' }));
  if (answer) progress(answer.download);
}

/** @param {string} name */
const bare = (name) => name.replace(/^ollama:/, '');

/**
 * @param {string} value
 * @param {string} text
 */
function option(value, text) {
  const element = make('option', '', text);
  element.value = value;
  return element;
}

kind.replaceChildren(option('', t('models.any')), option('asr', t('models.kind_asr')), option('tts', t('models.kind_tts')));
for (const field of [kind, spoken, here]) field.onchange = show;
const form = find('ollama-form', HTMLFormElement);
form.onsubmit = async (event) => {
  event.preventDefault();
  if (!check(form)) return;
  await pull(`ollama:${find('ollama-name', HTMLInputElement).value.trim()}`);
};
void load();
