/**
 * The native protocol's messages, as the page uses them. The whole of it is in docs/protocol.md.
 *
 * @typedef {{engine: string, model: string, demo: boolean, hint?: string, languages: string[]}} EngineInfo
 * @typedef {{vad: EngineInfo, asr: EngineInfo, llm: EngineInfo, tts: EngineInfo}} Engines
 * @typedef {{id: string, name: string, language: string}} Voice
 * @typedef {{soft_end_ms?: number, hard_end_ms?: number, final_transcript_ms?: number, first_token_ms?: number,
 *   first_sentence_ms?: number, first_sound_ms?: number, first_audio_ms?: number, done_ms?: number}} Timings
 * @typedef {{type: 'vad'} | {type: 'manual'}} TurnDetection
 *
 * @typedef {object} SessionOptions what `session.start` says; `audio` and `output` are fixed for the session
 * @property {{encoding: 'pcm_s16le', sample_rate: number}} audio
 * @property {{encoding: 'pcm_s16le', sample_rate: number}} output
 * @property {string} [language]
 * @property {string} [voice]
 * @property {number} [speed]
 * @property {boolean} [speak]
 * @property {TurnDetection} [turn_detection]
 *
 * @typedef {Partial<Omit<SessionOptions, 'audio' | 'output'>>} SessionUpdate
 *
 * @typedef {{type: 'session.ready', seq: number, session_id: string, conversation_id: string, resumed: boolean,
 *   language?: string | null, voice?: string | null, engines: Engines, voices: Voice[],
 *   limits: {max_message_bytes: number, max_text_chars: number, idle_timeout_ms: number, resume_window_ms: number,
 *   audio_ahead_ms: number}}} SessionReady
 * @typedef {{type: 'session.updated', seq: number, language?: string | null, voice?: string | null}} SessionUpdated
 * @typedef {{type: 'session.closed', seq: number, session_id: string, reason: string, conversation_id?: string, retry_after_ms?: number}} SessionClosed
 * @typedef {{type: 'speech.started' | 'speech.stopped', seq: number, turn: number, at_ms: number}} Speech
 * @typedef {{type: 'transcript.partial', seq: number, turn: number, stable: string, unstable: string}} Partial_
 * @typedef {{type: 'transcript.final', seq: number, turn: number, text: string, rejected?: string}} Final
 * @typedef {{type: 'reply.started' | 'reply.paused' | 'reply.resumed', seq: number, turn: number}} ReplyMark
 * @typedef {{type: 'reply.text.delta', seq: number, turn: number, delta: string}} ReplyDelta
 * @typedef {{type: 'reply.done', seq: number, turn: number, text: string, timings: Timings, stop?: 'length'}} ReplyDone
 * @typedef {{type: 'reply.cancelled', seq: number, turn: number, heard_text: string, reason: string,
 *   timings: Timings}} ReplyCancelled
 * @typedef {{type: 'progress', seq: number, task: string, stage: string, fraction?: number}} Progress
 * @typedef {{type: 'error', seq: number, code: string, message: string, hint?: string, retry_after_ms?: number,
 *   in_reply_to?: string, turn?: number}} ErrorEvent_
 *
 * @typedef {SessionReady | SessionUpdated | SessionClosed | Speech | Partial_ | Final | ReplyMark | ReplyDelta | ReplyDone
 *   | ReplyCancelled | Progress | ErrorEvent_} ServerEvent
 *
 * @typedef {{type: 'audio.commit', id?: string} | {type: 'audio.clear', id?: string}
 *   | {type: 'text.send', id?: string, text: string} | {type: 'reply.cancel', id?: string, turn?: number}
 *   | {type: 'playback.ack', turn: number, played_ms: number}
 *   | ({type: 'session.update', id?: string} & SessionUpdate) | {type: 'session.end', id?: string}} ClientEvent
 */

export const SUBPROTOCOL = 'aigolos.v1';

/** Bytes before the samples of a `reply.audio` frame. */
export const AUDIO_HEADER = 8;

/**
 * @param {string} text
 * @returns {ServerEvent | null} null where it is not an event
 */
export function parseEvent(text) {
  try {
    const event = JSON.parse(text);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/**
 * The header of a binary frame; the samples follow at `AUDIO_HEADER`.
 * @param {ArrayBuffer} frame
 * @returns {{turn: number, chunk: number} | null}
 */
export function parseAudio(frame) {
  if (frame.byteLength < AUDIO_HEADER || frame.byteLength % 2 !== 0) return null;
  const header = new DataView(frame, 0, AUDIO_HEADER);
  return { turn: header.getUint32(0, true), chunk: header.getUint32(4, true) };
}

/**
 * Where the server's socket is, beside the page that was loaded.
 * @param {string} base the page's address
 */
export function socketAddress(base) {
  const url = new URL('ws', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}
