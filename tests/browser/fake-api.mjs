/**
 * The HTTP interface of docs/http.md in memory, with faults on demand: what the pages need to be looked at and tried on
 * bad days. Nothing here is a model for the real server.
 */

import { randomUUID } from 'node:crypto';

import { ENGINES } from './fake-server.mjs';
import { conversations, models, tone, TRANSCRIPT } from './fake-data.mjs';

/**
 * @typedef {{method: string, path: string, query: URLSearchParams, body: any, raw: Buffer, headers: import('node:http').IncomingHttpHeaders}} Asked
 * @typedef {object} Fault what a request gets in place of its answer
 * @property {string} path the beginning of it
 * @property {string} [method]
 * @property {number} status 0: the connection is cut
 * @property {number} [times] how often; for ever if not said
 * @property {string} [code]
 * @property {string} [message]
 * @property {string} [retryAfter] the header
 */

export const USER = {
  id: '0197a000-0000-7000-8000-000000000001',
  email: 'anna@example.org',
  name: 'Anna',
  admin: true,
  verified: true,
  disabled: false,
  language: /** @type {string | null} */ (null),
  theme: /** @type {string | null} */ (null),
  keep_audio: false,
  retention_days: /** @type {number | null} */ (null),
  created_at: Date.UTC(2026, 2, 3, 10),
};

export class FakeApi {
  constructor() {
    this.user = { ...USER };
    this.loggedIn = true;
    /** @type {Fault[]} */
    this.faults = [];
    /** @type {Asked[]} */
    this.asked = [];
    this.conversations = conversations();
    /** @type {{id: string, name: string, prefix: string, scopes: string[], created_at: number, expires_at: number | null, last_used_at: number | null}[]} */
    this.keys = [
      { id: randomUUID(), name: 'Home automation', prefix: 'aig_k3jd', scopes: ['asr', 'tts'], created_at: Date.UTC(2026, 8, 1, 9), expires_at: null, last_used_at: Date.UTC(2026, 9, 12, 8, 30) },
      { id: randomUUID(), name: 'Old notebook', prefix: 'aig_x9wq', scopes: ['llm'], created_at: Date.UTC(2025, 8, 1, 9), expires_at: Date.UTC(2025, 11, 1, 9), last_used_at: null },
    ];
    this.users = [this.user, { ...USER, id: randomUUID(), email: 'boris@example.org', name: '', admin: false }, { ...USER, id: randomUUID(), email: 'vera@example.org', name: 'Vera', admin: false, disabled: true, verified: false }];
    this.sessions = [
      { id: randomUUID(), current: true, created_at: Date.UTC(2026, 9, 2, 9), last_seen_at: Date.UTC(2026, 9, 20, 9, 12), expires_at: Date.UTC(2026, 10, 4), address: '192.0.2.7', user_agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36' },
      { id: randomUUID(), current: false, created_at: Date.UTC(2026, 9, 11, 19), last_seen_at: Date.UTC(2026, 9, 19, 21), expires_at: Date.UTC(2026, 10, 4), address: '198.51.100.20', user_agent: 'Mozilla/5.0 (Android 15; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0' },
    ];
    /** Milliseconds between the events of work. */
    this.pace = 40;
    /** The events of a job stop after so many, once, and the line is cut. */
    this.cutEventsAfter = Infinity;
    /** When it is cut: a page that has not read yet what came forgets it as the line breaks, so tests wait until it is shown. */
    this.mayCut = Promise.resolve();
    /** @type {Map<string, any>} */
    this.jobs = new Map();
    this.models = models();
    /** @type {Map<string, any>} */
    this.downloads = new Map();
    /** Why downloads fail. @type {{code: string, message: string, hint: string} | null} */
    this.downloadTrouble = null;
  }

  /** @param {Fault} fault */
  fail(fault) {
    this.faults.push({ times: Infinity, ...fault });
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async answer(request, response) {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const json = request.headers['content-type']?.startsWith('application/json');
    const asked = { method: request.method ?? 'GET', path: url.pathname, query: url.searchParams, body: json && raw.length > 0 ? JSON.parse(raw.toString()) : null, raw, headers: request.headers };
    this.asked.push(asked);
    const fault = this.faults.find(({ path, method, times = 1 }) => times > 0 && asked.path.startsWith(path) && (!method || method === asked.method));
    if (fault) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.status === 0) request.socket.destroy();
      else problem(response, fault.status, fault.code ?? CODES[fault.status] ?? 'internal', fault.message ?? 'it was asked to fail', fault.retryAfter);
      return;
    }
    const route = ROUTES.find(([method, pattern]) => method === asked.method && pattern.test(asked.path));
    if (!route) {
      problem(response, 404, 'not_found', 'there is no such thing');
      return;
    }
    if (!this.loggedIn && !/^\/api\/(auth|health)\//.test(asked.path)) {
      problem(response, 401, 'unauthorized', 'nobody is logged in');
      return;
    }
    await route[2](this, asked, response, route[1].exec(asked.path)?.[1] ?? '');
  }

  /** @param {string} id */
  find(id) {
    return this.conversations.find(({ conversation }) => conversation.id === id);
  }
}

/** @type {Record<number, string>} */
const CODES = { 400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 413: 'too_large', 415: 'unsupported_media', 422: 'invalid_field', 429: 'rate_limited', 500: 'internal', 502: 'engine_failed', 503: 'overloaded', 504: 'timed_out' };

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 * @param {string} code
 * @param {string} message
 * @param {string} [retryAfter]
 */
function problem(response, status, code, message, retryAfter) {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...(retryAfter ? { 'retry-after': retryAfter } : {}) });
  response.end(JSON.stringify({ ...body(status, code, message), request_id: '0197-test' }));
}

/** @param {number} status @param {string} code @param {string} message */
const body = (status, code, message) => ({ type: `urn:aigolos:error:${code}`, title: code, status, code, message, detail: message, hint: 'do as the test says' });

/** @param {import('node:http').ServerResponse} response @param {unknown} value @param {number} [status] */
function give(response, value, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

/** @param {import('node:http').ServerResponse} response */
function nothing(response) {
  response.writeHead(204);
  response.end();
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {import('node:http').ServerResponse} response
 * @param {[string, unknown][]} events
 * @param {{from?: number, pace: number, cutAfter?: number, mayCut?: Promise<void>}} options
 */
async function tell(response, events, { from = 0, pace, cutAfter = Infinity, mayCut }) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  for (const [index, [name, data]] of events.entries()) {
    if (index < from) continue;
    if (index >= cutAfter) {
      await mayCut;
      // What was written still arrives, then the line ends in the middle of the answer.
      response.socket?.end();
      return;
    }
    if (response.destroyed) return;
    response.write(`id: ${index + 1}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    await pause(pace);
  }
  response.end();
}

/** @type {[string, RegExp, (api: FakeApi, asked: Asked, response: import('node:http').ServerResponse, id: string) => unknown][]} */
const ROUTES = [
  ['GET', /^\/api\/auth\/me$/, (api, _, response) => give(response, { user: api.loggedIn ? api.user : null, auth_mode: 'required', signup: 'open' })],
  ['PATCH', /^\/api\/auth\/me$/, (api, { body: change }, response) => give(response, { user: Object.assign(api.user, change) })],
  ['DELETE', /^\/api\/auth\/me$/, (api, { body: said }, response) => {
    if (said?.password !== 'correct horse battery') return problem(response, 401, 'wrong_credentials', 'the password is wrong');
    api.loggedIn = false;
    return nothing(response);
  }],
  ['POST', /^\/api\/auth\/login$/, (api, { body: said }, response) => {
    if (said.password !== 'correct horse battery') return problem(response, 401, 'wrong_credentials', 'the address or the password is wrong');
    api.loggedIn = true;
    return give(response, { user: api.user });
  }],
  ['POST', /^\/api\/auth\/logout$/, (api, _, response) => {
    api.loggedIn = false;
    nothing(response);
  }],
  ['POST', /^\/api\/auth\/(?:signup|verify\/resend|password\/forgot)$/, (_api, _, response) => give(response, { status: 'check_mail' }, 202)],
  ['POST', /^\/api\/auth\/verify$/, (api, { body: said }, response) => {
    if (said.token !== 'good') return problem(response, 404, 'not_found', 'there is no such token');
    api.loggedIn = true;
    return give(response, { user: api.user });
  }],
  ['POST', /^\/api\/auth\/password\/(?:reset|change)$/, (_api, _, response) => nothing(response)],
  ['GET', /^\/api\/auth\/sessions$/, (api, _, response) => give(response, { sessions: api.sessions })],
  ['DELETE', /^\/api\/auth\/sessions(?:\/(.+))?$/, (api, _, response, id) => {
    api.sessions = api.sessions.filter(({ current, id: own }) => (id ? own !== id : current));
    nothing(response);
  }],
  ['GET', /^\/api\/keys\/$/, (api, _, response) => give(response, { keys: api.keys })],
  ['POST', /^\/api\/keys\/$/, (api, { body: said }, response) => {
    const key = { id: randomUUID(), name: said.name, prefix: 'aig_n3w0', scopes: said.scopes, created_at: Date.now(), expires_at: said.expires_in_days ? Date.now() + said.expires_in_days * 86_400_000 : null, last_used_at: null };
    api.keys.unshift(key);
    give(response, { key, secret: 'aig_n3w0aaaabbbbccccddddeeeeffff2222333344445555' }, 201);
  }],
  ['DELETE', /^\/api\/keys\/(.+)$/, (api, _, response, id) => {
    api.keys = api.keys.filter((key) => key.id !== id);
    nothing(response);
  }],
  ['GET', /^\/api\/conversations\/$/, (api, { query }, response) => {
    const q = (query.get('q') ?? '').toLowerCase();
    const limit = Number(query.get('limit') ?? 20);
    const from = Number(query.get('cursor') ?? 0);
    const hits = api.conversations.flatMap(({ conversation, turns }) => {
      if (!q) return [conversation];
      const turn = turns.find(({ text, reply }) => `${text} ${reply?.text ?? ''}`.toLowerCase().includes(q));
      return turn ? [{ ...conversation, snippet: `${turn.text} ${turn.reply?.text ?? ''}`.replace(new RegExp(q, 'i'), '\uE000$&\uE001') }] : [];
    });
    const next = from + limit < hits.length ? { next_cursor: String(from + limit) } : {};
    give(response, { conversations: hits.slice(from, from + limit), ...next });
  }],
  ['DELETE', /^\/api\/conversations\/$/, (api, _, response) => {
    give(response, { deleted: api.conversations.length });
    api.conversations = [];
  }],
  ['GET', /^\/api\/conversations\/([^/]+)\/audio\/.+$/, (_api, _, response) => {
    response.writeHead(200, { 'content-type': 'audio/wav' });
    response.end(tone(2.4));
  }],
  ['GET', /^\/api\/conversations\/([^/]+)\/export$/, (_api, { query }, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-disposition': `attachment; filename="conversation.${query.get('format')}"` });
    response.end('what was said');
  }],
  ['GET', /^\/api\/conversations\/([^/]+)$/, (api, _, response, id) => {
    const found = api.find(id);
    return found ? give(response, found) : problem(response, 404, 'not_found', 'there is no such conversation');
  }],
  ['PATCH', /^\/api\/conversations\/([^/]+)$/, (api, { body: said }, response, id) => {
    const found = api.find(id);
    if (found) found.conversation.title = said.title;
    give(response, { conversation: found?.conversation });
  }],
  ['DELETE', /^\/api\/conversations\/([^/]+)$/, (api, _, response, id) => {
    api.conversations = api.conversations.filter(({ conversation }) => conversation.id !== id);
    nothing(response);
  }],
  ['POST', /^\/api\/asr\/transcribe\/$/, (api, { raw, headers }, response) => {
    if (!raw.includes('RIFF') && !raw.includes(Buffer.from([0x1a, 0x45, 0xdf, 0xa3])) && headers['content-type']?.startsWith('multipart/')) {
      return problem(response, 415, 'unsupported_media', 'the file is called a recording, but is none');
    }
    const job = { id: randomUUID(), state: 'running', file: 'meeting.wav', bytes: raw.length, created_at: Date.now(), ended_at: null };
    api.jobs.set(job.id, job);
    return give(response, { job, events: `/api/jobs/${job.id}/events` }, 202);
  }],
  ['GET', /^\/api\/jobs\/$/, (api, _, response) => give(response, { jobs: [...api.jobs.values()].filter(({ state }) => state === 'running') })],
  ['GET', /^\/api\/jobs\/([^/]+)\/events$/, async (api, { headers }, response, id) => {
    const job = api.jobs.get(id);
    if (!job) return problem(response, 404, 'not_found', 'there is no such job');
    const [{ conversation }] = api.conversations.filter(({ conversation: { kind } }) => kind === 'file');
    /** @type {[string, unknown][]} */
    const events = [['progress', { stage: 'queued', fraction: 0 }], ['progress', { stage: 'decode', fraction: 0.5 }]];
    for (const [index, text] of TRANSCRIPT.entries()) {
      events.push(['progress', { stage: 'transcribe', fraction: (index + 1) / TRANSCRIPT.length }], ['text', { start_ms: index * 3000, end_ms: index * 3000 + 2800, text }]);
    }
    events.push(['done', { text: TRANSCRIPT.join(' '), language: 'en', duration_ms: 12_000, segments: [], conversation_id: conversation.id }]);
    const cutAfter = api.cutEventsAfter;
    api.cutEventsAfter = Infinity;
    await tell(response, events, { from: Number(headers['last-event-id'] ?? 0), pace: api.pace, cutAfter, mayCut: api.mayCut });
    if (cutAfter === Infinity && response.writableEnded) job.state = 'done';
    return undefined;
  }],
  ['DELETE', /^\/api\/jobs\/([^/]+)$/, (api, _, response, id) => {
    const job = api.jobs.get(id);
    if (job) job.state = 'cancelled';
    give(response, { job });
  }],
  ['POST', /^\/api\/llm\/chat\/$/, async (api, { body: said }, response) => {
    const id = said.conversation_id ?? api.conversations[0].conversation.id;
    const words = `You wrote: ${said.message} And this is what I have to say to it, a word at a time.`.split(/(?<= )/);
    const cutAfter = api.cutEventsAfter;
    api.cutEventsAfter = Infinity;
    await tell(response, [['started', { conversation_id: id }], ...words.map((text) => /** @type {[string, unknown]} */ (['delta', { text }])), ['done', { text: words.join(''), timings: {} }]], { pace: api.pace, cutAfter, mayCut: api.mayCut });
  }],
  ['POST', /^\/api\/tts\/synthesize\/$/, async (api, { body: said }, response) => {
    const sound = tone(1.6);
    response.writeHead(200, { 'content-type': said.format === 'wav' ? 'audio/wav' : 'application/octet-stream' });
    for (let at = 0; at < sound.length; at += 6001) {
      response.write(sound.subarray(at, at + 6001));
      await pause(api.pace);
    }
    response.end();
  }],
  ['GET', /^\/api\/tts\/voices\/$/, (_api, _, response) => give(response, { voices: [{ id: 'en-us', name: 'English (America)', language: 'en' }, { id: 'en-gb', name: 'English (Great Britain)', language: 'en' }, { id: 'ru', name: 'Russian', language: 'ru' }], default: 'en-us' })],
  ['GET', /^\/api\/admin\/users$/, (api, { query }, response) => give(response, { users: api.users.filter(({ email }) => email.includes(query.get('q') ?? '') && email > (query.get('after') ?? '')) })],
  ['POST', /^\/api\/admin\/users$/, (_api, _, response) => give(response, { status: 'check_mail' }, 202)],
  ['PATCH', /^\/api\/admin\/users\/([^/]+)$/, (api, { body: said }, response, id) => give(response, { user: Object.assign(api.users.find((user) => user.id === id) ?? {}, said) })],
  ['DELETE', /^\/api\/admin\/users\/([^/]+)$/, (api, _, response, id) => {
    api.users = api.users.filter((user) => user.id !== id);
    nothing(response);
  }],
  ['GET', /^\/api\/admin\/sessions$/, (api, _, response) => give(response, { sessions: [{ id: randomUUID(), conversation_id: randomUUID(), user_id: api.user.id, email: api.user.email, mode: 'converse', since: Date.now() - 300_000, attached: true }] })],
  ['DELETE', /^\/api\/admin\/sessions\/([^/]+)$/, (_api, _, response) => nothing(response)],
  ['GET', /^\/api\/models\/$/, (api, _, response) => give(response, { models: api.models, ollama: { place: 'localhost:11434', trouble: null }, downloads: [...api.downloads.values()] })],
  ['DELETE', /^\/api\/models\/$/, (api, { query }, response) => {
    Object.assign(model(api, query.get('name')), { installed: false });
    nothing(response);
  }],
  ['GET', /^\/api\/models\/card$/, (_api, { query }, response) => give(response, { name: query.get('name'), address: 'https://hub.example/MODEL_CARD', text: '# Model card for irina (medium)\n\n* Language: ru_RU (Russian, Russia)\n* Speakers: 1\n* Quality: medium\n\n## Dataset\n\n* License: as the dataset says' })],
  ['POST', /^\/api\/models\/pull$/, (api, { body: said }, response) => {
    const { kind, bytes } = model(api, said.name);
    const download = { id: randomUUID(), name: said.name, kind, state: 'queued', bytes: 0, total: bytes || 400_000_000, rate: 0, checked: null, already: false, trouble: null, started_at: Date.now() };
    api.downloads.set(download.id, download);
    give(response, { download, events: `/api/models/events?download=${download.id}` }, 202);
  }],
  ['POST', /^\/api\/models\/use$/, (api, { body: said }, response) => {
    const chosen = model(api, said.name);
    for (const other of api.models) if (other.kind === chosen.kind) other.in_use = other === chosen;
    give(response, { asr: null, llm: null, tts: null });
  }],
  ['DELETE', /^\/api\/models\/downloads\/([^/]+)$/, (api, _, response, id) => {
    const download = Object.assign(api.downloads.get(id) ?? {}, { state: 'cancelled' });
    give(response, { download, events: '' });
  }],
  ['GET', /^\/api\/models\/events$/, async (api, _, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let running = [...api.downloads.values()]; running.length > 0; running = running.filter(({ state }) => !['done', 'failed', 'cancelled'].includes(state))) {
      for (const download of running) {
        if (download.state !== 'cancelled') {
          const have = Math.min(download.total, download.bytes + download.total / 5);
          const state = api.downloadTrouble ? 'failed' : download.bytes === download.total ? 'done' : 'downloading';
          Object.assign(download, { bytes: have, rate: 7_300_000, state, trouble: api.downloadTrouble });
          if (state === 'done') Object.assign(model(api, download.name), { installed: true });
        }
        response.write(`event: download\ndata: ${JSON.stringify(download)}\n\n`);
      }
      await pause(api.pace);
    }
    api.downloads.clear();
    response.end('event: over\ndata: {}\n\n');
  }],
  ['GET', /^\/api\/health\/$/, (_api, _, response) => give(response, { status: 'ok', version: '0.0.0', sessions: 1, max_sessions: 64, engines: { ...ENGINES, vad: 'cascade' }, parts: { store: { state: 'ok', kind: 'sqlite', latency_ms: 0.7, waiting_turns: 0 }, llm: { state: 'ok', kind: 'builtin', latency_ms: 0.1 } } })],
];

/** @param {FakeApi} api @param {string | null} id @returns {any} */
const model = (api, id) => api.models.find((known) => known.id === id) ?? {};
