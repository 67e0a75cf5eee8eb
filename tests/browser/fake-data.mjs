/** What the fake server's people have said, and a sound. */

export const TRANSCRIPT = ['Good morning, everybody.', 'Today we talk about the harbour.', 'The new crane comes on Thursday.', 'That is all for now.'];

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 9, 20, 9, 30);

/** @param {number} n */
const id = (n) => `0197b000-0000-7000-8000-${String(n).padStart(12, '0')}`;

/** @param {string} text @param {number} from */
function words(text, from) {
  let at = from;
  return text.split(' ').map((word) => {
    const start = at;
    at += 90 + word.length * 45;
    return { text: word, start_ms: start, end_ms: at - 40, probability: 0.9 };
  });
}

/**
 * @param {number} turn
 * @param {number} at
 * @param {string} text
 * @param {{text: string, heard?: string, interrupted?: boolean} | null} reply
 * @param {Partial<{source: string, start_ms: number, audio: string[]}>} [more]
 */
function said(turn, at, text, reply, more = {}) {
  const start = more.start_ms ?? turn * 4000;
  return {
    session: id(900),
    turn,
    at,
    source: more.source ?? 'voice',
    text,
    language: 'en',
    words: words(text, start),
    start_ms: start,
    end_ms: start + 2400,
    reply: reply && { heard: reply.text, interrupted: false, timings: {}, ...reply },
    audio: more.audio ?? [],
  };
}

/** A few conversations, newest first, anew each time. */
export function conversations() {
  const talk = [
    said(1, NOW, 'What is the weather like by the sea?', { text: 'I cannot look outside, but by the sea it is often windy. Shall I tell you what the clouds mean?' }, { audio: ['user', 'reply'] }),
    said(2, NOW + 20_000, 'No, tell me about lighthouses instead.', { text: 'A lighthouse shows ships where the land begins. The oldest of them stood in Alexandria, and it was higher than a hundred metres.', heard: 'A lighthouse shows ships where the land begins.', interrupted: true }, { audio: ['user', 'reply'] }),
    said(3, NOW + 40_000, 'Thank you!', { text: 'You are welcome.' }, { source: 'typed' }),
  ];
  const file = TRANSCRIPT.map((text, index) => said(index + 1, NOW - DAY_MS, text, null, { source: 'file', start_ms: index * 3000 }));
  const list = [
    { conversation: row(1, 'talk', 'Lighthouses and the weather by the sea', talk.length, NOW), turns: talk },
    { conversation: row(2, 'file', 'meeting.wav', file.length, NOW - DAY_MS), turns: file },
    { conversation: row(3, 'dictation', '', 1, NOW - 40 * DAY_MS), turns: [said(1, NOW - 40 * DAY_MS, 'Remember to buy lamp oil and rope.', null)] },
  ];
  for (let n = 4; n < 64; n++) {
    const turns = [said(1, NOW - n * DAY_MS, `This is what was said on day number ${n}.`, { text: 'And this was the answer.' })];
    list.push({ conversation: row(n, 'talk', `Day number ${n}`, 1, NOW - n * DAY_MS), turns });
  }
  return list;
}

/**
 * @param {number} n
 * @param {string} kind
 * @param {string} title
 * @param {number} turns
 * @param {number} at
 */
const row = (n, kind, title, turns, at) => ({ id: id(n), kind, title, turns, created_at: at, updated_at: at });

/** @param {number} seconds @returns {Buffer} a WAV file with a hum */
export function tone(seconds) {
  const rate = 22_050;
  const frames = Math.round(rate * seconds);
  const file = Buffer.alloc(44 + frames * 2);
  file.write('RIFF', 0);
  file.writeUInt32LE(36 + frames * 2, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36);
  file.writeUInt32LE(frames * 2, 40);
  for (let i = 0; i < frames; i++) file.writeInt16LE(Math.round(Math.sin((i / rate) * 2 * Math.PI * 220) * 4000), 44 + i * 2);
  return file;
}

/** A few models of each kind. */
export function models() {
  const plain = { language: /** @type {string | null} */ (null), quality: /** @type {string | null} */ (null), speakers: 0, licence: /** @type {string | null} */ ('MIT'), card: false, installed: false, in_use: false, built_in: false, can_pull: true, checked: /** @type {string | null} */ (null) };
  const voice = { ...plain, kind: 'tts', licence: null, card: true, speakers: 1 };
  return [
    { ...plain, id: 'base.en', kind: 'asr', name: 'base.en', language: 'en', bytes: 147_964_211, installed: true, in_use: true, checked: 'sha1' },
    { ...plain, id: 'base.en-q5_1', kind: 'asr', name: 'base.en-q5_1', language: 'en', bytes: 59_721_011 },
    { ...plain, id: 'large-v3-turbo-q5_0', kind: 'asr', name: 'large-v3-turbo-q5_0', bytes: 574_041_195 },
    { ...voice, id: 'ru_RU-irina-medium', name: 'ru_RU-irina-medium', language: 'ru_RU', quality: 'medium', bytes: 63_206_059, installed: true, checked: 'md5' },
    { ...voice, id: 'ru_RU-denis-medium', name: 'ru_RU-denis-medium', language: 'ru_RU', quality: 'medium', bytes: 63_206_117 },
    { ...voice, id: 'en_US-libritts_r-medium', name: 'en_US-libritts_r-medium', language: 'en_US', quality: 'medium', speakers: 904, bytes: 78_601_037 },
    { ...voice, id: 'en-us', name: 'en-us', card: false, licence: null, bytes: 0, installed: true, in_use: true, built_in: true, can_pull: false },
    { ...plain, id: 'ollama:qwen2.5:7b', kind: 'llm', name: 'qwen2.5:7b', licence: 'Apache-2.0', bytes: 4_683_087_332, installed: true, in_use: true },
    { ...plain, id: 'ollama:qwen2.5:0.5b', kind: 'llm', name: 'qwen2.5:0.5b', licence: 'Apache-2.0', bytes: 398_000_000 },
  ];
}
