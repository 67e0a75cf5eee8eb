/** What can go wrong, in plain words, and what to do about it. */

/**
 * @typedef {object} Problem
 * @property {string} key one problem of a kind is shown at a time
 * @property {'error' | 'wait' | 'hint'} tone
 * @property {string} title
 * @property {string} text
 * @property {string} [detail] for those who run the server
 * @property {'microphone' | 'reconnect' | 'start' | 'sound'} [remedy] what its button does
 * @property {string} [remedyLabel]
 */

/** @returns {Problem} */
export function insecureContext() {
  const { protocol, host } = location;
  return {
    key: 'microphone',
    tone: 'error',
    title: 'Voice needs a secure address',
    text:
      `Browsers allow the microphone only on https:// or on localhost, and this page came from ${protocol}//${host}. ` +
      'You can still type, and read the answers. To talk, open the page through HTTPS, or on the machine it runs on.',
    detail: 'From another machine: ssh -L 8080:localhost:8080 SERVER, then open http://localhost:8080',
  };
}

/** @returns {Problem} */
export function soundUnsupported() {
  return {
    key: 'microphone',
    tone: 'error',
    title: 'This browser cannot process sound',
    text: 'It has no AudioWorklet. You can type and read here; to talk, use a current Firefox, Chrome, Edge or Safari.',
  };
}

/**
 * @param {unknown} error what getUserMedia threw
 * @returns {Problem}
 */
export function microphoneProblem(error) {
  const name = error instanceof DOMException ? error.name : '';
  const again = /** @type {const} */ ({ key: 'microphone', tone: 'error', remedy: 'microphone', remedyLabel: 'Try again' });
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    const bySystem = error instanceof DOMException && /system/i.test(error.message);
    return {
      ...again,
      title: 'The microphone is not allowed',
      text: bySystem
        ? 'Your system does not let this browser use the microphone. Allow it in the system’s privacy settings, then try again. Until then you can type below.'
        : 'Your browser was told not to let this page listen. Click the icon beside the address, allow the microphone, then try again. Until then you can type below.',
    };
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    return {
      ...again,
      title: 'No microphone found',
      text: 'Plug one in or switch your headset on, then try again. Until then you can type below.',
    };
  }
  if (name === 'NotReadableError' || name === 'AbortError') {
    return {
      ...again,
      title: 'The microphone is busy',
      text: 'Another program seems to hold it. Close that program’s call or recording, or choose another microphone in the settings, then try again.',
    };
  }
  return {
    ...again,
    title: 'The microphone could not be opened',
    text: 'Try again, or choose another microphone in the settings. Until then you can type below.',
    detail: error instanceof Error ? error.message : String(error),
  };
}

/** @returns {Problem} */
export function microphoneLost() {
  return {
    key: 'microphone',
    tone: 'error',
    title: 'The microphone went away',
    text: 'It was unplugged or switched off, and no other one could be opened. Connect one, then try again.',
    remedy: 'microphone',
    remedyLabel: 'Try again',
  };
}

/** @returns {Problem} */
export function microphoneSilent() {
  return {
    key: 'silence',
    tone: 'hint',
    title: 'No sound is coming from the microphone',
    text: 'It is open, but gives complete silence. Look for a mute switch on the microphone, or choose another one in the settings.',
  };
}

/** @returns {Problem} */
export function soundBlocked() {
  return {
    key: 'sound',
    tone: 'hint',
    title: 'The browser holds the sound back',
    text: 'It waits for a click or a key before this page may play and listen.',
    remedy: 'sound',
    remedyLabel: 'Let sound through',
  };
}

/**
 * @param {'lost' | 'unreachable' | 'overloaded' | 'restarting'} cause
 * @param {number} seconds until the next attempt
 * @returns {Problem}
 */
export function linkProblem(cause, seconds) {
  const soon = seconds <= 1 ? 'in a moment' : `in ${seconds} seconds`;
  const common = /** @type {const} */ ({ key: 'link', tone: 'wait', remedy: 'reconnect', remedyLabel: 'Try now' });
  switch (cause) {
    case 'overloaded':
      return {
        ...common,
        title: 'The server is full',
        text: `Everyone already talking goes on undisturbed; you get the next free place. Trying again ${soon}.`,
        detail: 'Whoever runs the server can raise MAX_SESSIONS.',
      };
    case 'restarting':
      return { ...common, title: 'The server is restarting', text: `The conversation goes on when it is back. Trying again ${soon}.` };
    case 'unreachable':
      return {
        ...common,
        title: 'The server does not answer',
        text: `Check your network, and that aigolos is running. Trying again ${soon}.`,
      };
    case 'lost':
      return {
        ...common,
        title: 'The connection was lost',
        text: `Nothing is gone: what you say now is sent when it is back. Trying again ${soon}.`,
      };
  }
}

/** @returns {Problem} */
export function linkClosed() {
  return {
    key: 'link',
    tone: 'hint',
    title: 'The session ended after a long silence',
    text: 'The conversation is still here. Start again, or type, to go on with it.',
  };
}

/**
 * @param {string} reason
 * @returns {Problem}
 */
export function startRefused(reason) {
  return {
    key: 'link',
    tone: 'error',
    title: 'The server refused to start a session',
    text: 'Reload the page; it may be older than the server.',
    detail: reason,
  };
}

/** Errors that need no words: the page asked for something that was over by the time the server read it. */
const QUIET = new Set(['nothing_to_cancel', 'already_started', 'idle', 'shutting_down', 'slow_reader', 'resume_unknown']);

/** @type {Record<string, string>} */
const TITLES = {
  model_missing: 'A model is missing',
  engine_unreachable: 'The chat model cannot be reached',
  engine_stalled: 'The chat model stopped answering',
  engine_failed: 'An engine failed on this turn',
  rate_limited: 'Too much at once',
  overloaded: 'The server is busy',
  internal: 'The server made a mistake',
};

/**
 * @param {import('./messages.js').ErrorEvent_} event
 * @returns {Problem | null}
 */
export function serverProblem(event) {
  if (QUIET.has(event.code)) return null;
  if (event.code === 'nothing_to_commit') {
    return { key: 'turn', tone: 'hint', title: 'Nothing was heard', text: 'Hold the button, or the space bar, for as long as you speak.' };
  }
  return {
    key: 'turn',
    tone: 'error',
    title: TITLES[event.code] ?? 'Something went wrong',
    text: sentence(event.message),
    detail: event.hint && sentence(event.hint),
  };
}

/**
 * The server's words begin small and end without a full stop.
 * @param {string} text
 */
export function sentence(text) {
  const trimmed = text.trim();
  const end = /[.!?]$/.test(trimmed) ? '' : '.';
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + end;
}
