/** The drawer: microphone, voice, language, and which engines are in use. */

import { language as pageLanguage, languageName, number, t } from '../i18n.js';
import { find, make } from './dom.js';
import { engineEntries, PARTS } from './engines.js';

/**
 * @typedef {import('../messages.js').Engines} Engines
 * @typedef {import('../messages.js').Voice} Voice
 * @typedef {import('../preferences.js').Preferences} Preferences
 */

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
    this.choices(this.voice, [['', t('live.listed_later')]], '');
    this.choices(this.language, [['', t('live.listed_later')]], '');

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
    this.speedValue.value = `${number(Number(this.speed.value), { minimumFractionDigits: 1 })}×`;
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
    this.choices(this.microphone, [['', t('live.default_microphone')], ...entries], chosen);
    this.microphoneNote.textContent = others.length === 0 ? t('live.microphones_later') : '';
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
    this.choices(this.voice, voice ? named : [['', t('speak.default_voice')], ...named], voice ?? '');
    const known = new Set([...(languages.length === 1 ? [] : ['auto']), ...languages]);
    if (language) known.add(language);
    this.choices(
      this.language,
      [...known].map((code) => [code, spoken(code)]),
      language ?? 'auto',
    );
  }

  /** @param {Engines} engines */
  engines(engines) {
    const used = PARTS.filter((part) => engines[part]);
    const demo = used.some((part) => engines[part].demo);
    this.chip.hidden = false;
    this.chip.classList.toggle('demo', demo);
    this.chip.textContent = demo ? t('engine.demo_chip') : engines.llm.model;
    this.chip.setAttribute('aria-label', demo ? t('engine.demo_details') : t('engine.details', { model: engines.llm.model }));
    find('engines-note', HTMLElement).textContent = demo ? t('engine.demo_note') : '';
    find('engines', HTMLElement).replaceChildren(...engineEntries(engines));
    this.demoNote.hidden = !(engines.asr?.demo || engines.llm?.demo);
    examples(engines.llm.languages);
    const more = make('button', 'link', t('engine.better'));
    more.type = 'button';
    more.onclick = () => this.open('engines-title');
    this.demoNote.replaceChildren(`${t(engines.asr?.demo ? 'engine.welcome' : 'engine.welcome_chat')} `, more);
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
 * What one might ask, in a language that the chat model knows.
 * @param {string[]} known empty: any
 */
function examples(known) {
  if (known.length === 0 || known.includes(pageLanguage)) return;
  for (const example of find('examples', HTMLElement).querySelectorAll('button')) {
    example.textContent = example.dataset.english ?? '';
    example.lang = 'en';
  }
}

/** @param {string} code */
const spoken = (code) => (code === 'auto' ? t('language.auto') : languageName(code));
