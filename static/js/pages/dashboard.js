/** The three tools. */

import { read } from '../api.js';
import { languageName, t } from '../i18n.js';
import { Chat } from '../tools/chat.js';
import { Speak } from '../tools/speak.js';
import { Transcribe } from '../tools/transcribe.js';
import { find } from '../views/dom.js';
import { options } from '../views/forms.js';

const { maxUploadMb, maxTextChars } = document.documentElement.dataset;

const transcribe = new Transcribe(Number(maxUploadMb));
const chat = new Chat(Number(maxTextChars));
const speak = new Speak(Number(maxTextChars));

void transcribe.resume();
void speak.list();
chat.show();

// Which languages can be told apart, the recogniser says; without it, "whichever" serves.
read('/api/health/')
  .then((health) => {
    /** @type {string[]} */
    const languages = health?.engines?.asr?.languages ?? [];
    const select = find('transcribe-language', HTMLSelectElement);
    options(select, [['', t('language.auto')], ...languages.map((code) => /** @type {[string, string]} */ ([code, languageName(code)]))], '');
  })
  .catch(() => {});
