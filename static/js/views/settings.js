/** The drawer: microphone, voice, language, and which engines are in use. */

import { sentence } from '../problems.js';
import { find, make } from './dom.js';

/**
 * @typedef {import('../messages.js').Engines} Engines
 * @typedef {import('../messages.js').Voice} Voice
 * @typedef {import('../preferences.js').Preferences} Preferences
 */

/** @type {Record<keyof Engines, string>} */
const PARTS = { vad: 'Hears that you speak', asr: 'Writes down what you say', llm: 'Thinks of an answer', tts: 'Speaks the answer' };

/** @type {(keyof Engines)[]} */
const ORDER = ['vad', 'asr', 'llm', 'tts'];

export class Settings {
  /**
   * @param {Readonly<Preferences>} preferences
   * @param {(change: Partial<Preferences>) => void} onChange
   * @param {() => void} onOpen
   */
  constructor(preferences, onChange, onOpen) {
    this.dialog = find('settings', HTMLDialogElement);
    this.microphone = find('microphone', HTMLSelectElement);
    this.microphoneNote = find('microphone-note', HTMLElement);
    this.bar = find('level', HTMLElement);
    this.voice = find('voice', HTMLSelectElement);
    this.language = find('language', HTMLSelectElement);
    this.speed = find('speed', HTMLInputElement);
    this.speedValue = find('speed-value', HTMLOutputElement);
    this.speak = find('speak', HTMLInputElement);
    this.chip = find('engines-chip', HTMLButtonElement);
    this.demoNote = find('demo-note', HTMLElement);
    this.onOpen = onOpen;

    this.speed.value = String(preferences.speed);
    this.speak.checked = preferences.speak;
    this.showSpeed();
    this.microphones([], '');
    this.choices(this.voice, [['', 'Listed once connected']], '');
    this.choices(this.language, [['', 'Listed once connected']], '');

    find('open-settings', HTMLButtonElement).onclick = () => this.open();
    this.chip.onclick = () => this.open('engines-title');
    this.dialog.onclick = ({ target }) => target === this.dialog && this.dialog.close();
    this.microphone.onchange = () => onChange({ microphone: this.microphone.value });
    this.voice.onchange = () => onChange({ voice: this.voice.value });
    this.language.onchange = () => onChange({ language: this.language.value });
    this.speed.oninput = () => this.showSpeed();
    this.speed.onchange = () => onChange({ speed: Number(this.speed.value) });
    this.speak.onchange = () => onChange({ speak: this.speak.checked });
  }

  /** @param {string} [at] the id of the part to show */
  open(at) {
    if (!this.dialog.open) this.dialog.showModal();
    if (at) document.getElementById(at)?.scrollIntoView();
    this.onOpen();
  }

  showSpeed() {
    this.speedValue.value = `${Number(this.speed.value).toFixed(1)}×`;
  }

  /** @param {number} level root mean square, 0 to 1 */
  hear(level) {
    if (!this.dialog.open) return;
    const part = Math.min(1, Math.max(0, (20 * Math.log10(Math.max(level, 1e-6)) + 60) / 55));
    this.bar.style.setProperty('--level', part.toFixed(3));
  }

  /**
   * @param {{id: string, label: string}[]} devices
   * @param {string} chosen
   */
  microphones(devices, chosen) {
    const others = devices.filter(({ id }) => id !== 'default' && id !== 'communications');
    const entries = others.map(({ id, label }) => /** @type {[string, string]} */ ([id, label]));
    this.choices(this.microphone, [['', 'System default'], ...entries], chosen);
    this.microphoneNote.textContent = others.length === 0 ? 'Microphones are listed once you have started talking.' : '';
  }

  /**
   * @param {Voice[]} voices
   * @param {string | null} voice in effect
   * @param {string[]} languages
   * @param {string | null} language in effect
   */
  offers(voices, voice, languages, language) {
    /** @type {[string, string][]} */
    const named = voices.map(({ id, name }) => [id, name]);
    this.choices(this.voice, voice ? named : [['', 'The server’s choice'], ...named], voice ?? '');
    const known = new Set([...(languages.length === 1 ? [] : ['auto']), ...languages]);
    if (language) known.add(language);
    this.choices(
      this.language,
      [...known].map((code) => [code, languageName(code)]),
      language ?? 'auto',
    );
  }

  /** @param {Engines} engines */
  engines(engines) {
    const used = ORDER.filter((part) => engines[part]);
    const demo = used.some((part) => engines[part].demo);
    this.chip.hidden = false;
    this.chip.classList.toggle('demo', demo);
    this.chip.textContent = demo ? 'Demo engines' : engines.llm.model;
    this.chip.setAttribute('aria-label', `${demo ? 'Small demo engines in use' : `Answers by ${engines.llm.model}`}: details`);
    find('engines-note', HTMLElement).textContent = demo
      ? 'Those marked are the small demo engines that come with aigolos: they run anywhere at once and know little. Below each stands how to get a better one.'
      : '';
    find('engines', HTMLElement).replaceChildren(...used.map((part) => entry(PARTS[part], engines[part])));
    this.demoNote.hidden = !demo;
    const more = make('button', 'link', 'How to get better ones');
    more.type = 'button';
    more.onclick = () => this.open('engines-title');
    this.demoNote.replaceChildren('You meet the small demo engines first: a little English, short answers. ', more);
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {[string, string][]} entries
   * @param {string} chosen
   */
  choices(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, label]) => new Option(label, value, false, value === chosen)));
    select.disabled = entries.length === 0 || (entries.length === 1 && entries[0][0] === '');
  }
}

/**
 * @param {string} part
 * @param {import('../messages.js').EngineInfo} info
 */
function entry(part, info) {
  const name = make('span', 'engine-name', info.model === info.engine ? info.model : `${info.engine}: ${info.model}`);
  if (info.demo) name.append(make('span', 'badge', 'small demo engine'));
  const said = make('dd', '', name);
  if (info.hint) said.append(make('p', 'engine-hint', ...withCode(sentence(info.hint))));
  return make('div', '', make('dt', '', part), said);
}

/**
 * What stands between backticks is to be typed as it is.
 * @param {string} text
 */
function withCode(text) {
  return text.split('`').map((part, index) => (index % 2 === 0 ? part : make('code', '', part)));
}

/** @param {string} code */
function languageName(code) {
  if (code === 'auto') return 'Whichever I speak';
  try {
    return new Intl.DisplayNames([document.documentElement.lang], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}
