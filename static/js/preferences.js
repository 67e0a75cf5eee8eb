/** What a person chose, remembered by the browser. */

/**
 * @typedef {object} Preferences
 * @property {string} microphone device id; empty: the system's default
 * @property {string} voice empty: the server's
 * @property {string} language empty: the server's
 * @property {number} speed
 * @property {boolean} speak replies aloud
 * @property {boolean} pushToTalk
 */

const KEY = 'aigolos.preferences';

/** @type {Readonly<Preferences>} */
const DEFAULTS = { microphone: '', voice: '', language: '', speed: 1, speak: true, pushToTalk: false };

/** @returns {Preferences} */
export function loadPreferences() {
  const preferences = { ...DEFAULTS };
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    for (const key of /** @type {(keyof Preferences)[]} */ (Object.keys(DEFAULTS))) {
      if (typeof saved[key] === typeof DEFAULTS[key]) Object.assign(preferences, { [key]: saved[key] });
    }
  } catch {
    // A browser that keeps nothing: the defaults serve.
  }
  return preferences;
}

/** @param {Preferences} preferences */
export function savePreferences(preferences) {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // As above; the choice holds until the page is closed.
  }
}
