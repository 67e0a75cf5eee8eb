/** The server's HTTP interface as the pages use it; docs/http.md has the whole of it. */

import { language } from './i18n.js';
import { SseParser } from './sse.js';

/** A request that did not do what it was for. `status` 0: no answer came at all. */
export class Failure extends Error {
  /**
   * @param {number} status
   * @param {Partial<{code: string, message: string, detail: string, hint: string, retry_after_ms: number,
   *   request_id: string}>} [problem] the body, as `application/problem+json` has it
   */
  constructor(status, problem = {}) {
    super(problem.message ?? problem.detail ?? '');
    this.name = 'Failure';
    this.status = status;
    this.code = problem.code ?? '';
    this.detail = problem.detail ?? '';
    this.hint = problem.hint ?? '';
    /** @type {number | null} */
    this.retryAfterMs = problem.retry_after_ms ?? null;
    this.requestId = problem.request_id ?? '';
  }
}

/**
 * @typedef {object} Request
 * @property {string} [method]
 * @property {unknown} [json] the body
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [keepalive] finish it although the page goes
 */

/**
 * @param {string} path
 * @param {Request} [request]
 * @returns {Promise<Response>} one that is well
 * @throws {Failure} or the signal's reason
 */
export async function call(path, { method = 'GET', json, signal, headers = {}, keepalive } = {}) {
  /** @type {Record<string, string>} */
  const fields = { 'accept-language': language, accept: 'application/json', ...headers };
  if (json !== undefined) fields['content-type'] = 'application/json';
  let response;
  try {
    const body = json === undefined ? undefined : JSON.stringify(json);
    response = await fetch(path, { method, body, signal, headers: fields, keepalive });
  } catch (error) {
    signal?.throwIfAborted();
    throw new Failure(0, { detail: String(error) });
  }
  if (response.ok) return response;
  throw failureOf(response.status, await response.text().catch(() => ''), response.headers.get('retry-after'));
}

/**
 * The answer's JSON; null where there is none.
 * @param {string} path
 * @param {Request} [request]
 * @returns {Promise<any>}
 */
export async function read(path, request) {
  const response = await call(path, request);
  try {
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  } catch (error) {
    request?.signal?.throwIfAborted();
    throw new Failure(0, { detail: String(error) }); // it broke off
  }
}

/**
 * @typedef {{name: string, data: any, id: string}} ServerSent an event, its data read as JSON
 */

/**
 * Server-sent events, as they come. Ends when the server ends the stream.
 * @param {string} path
 * @param {Request & {lastEventId?: string}} [request]
 * @returns {AsyncGenerator<ServerSent, void, void>}
 */
export async function* stream(path, { lastEventId, ...request } = {}) {
  const headers = { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) };
  const response = await call(path, { ...request, headers });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  const parser = new SseParser();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const event of parser.feed(value)) yield { ...event, data: event.data ? JSON.parse(event.data) : null };
    }
  } catch (error) {
    request.signal?.throwIfAborted();
    throw new Failure(0, { detail: String(error) });
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Sends a form, and says how much of it has gone.
 * @param {string} path
 * @param {FormData} form
 * @param {{signal?: AbortSignal, onProgress?: (fraction: number) => void}} [options]
 * @returns {Promise<any>} the answer's JSON
 */
export function upload(path, form, { signal, onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open('POST', path);
    request.setRequestHeader('accept', 'application/json');
    request.setRequestHeader('accept-language', language);
    request.upload.onprogress = ({ loaded, total, lengthComputable }) => lengthComputable && total > 0 && onProgress?.(loaded / total);
    request.upload.onload = () => onProgress?.(1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        try {
          resolve(JSON.parse(request.responseText));
        } catch {
          reject(new Failure(0, { detail: 'the answer cannot be read' }));
        }
      } else {
        reject(failureOf(request.status, request.responseText, request.getResponseHeader('retry-after')));
      }
    };
    request.onerror = () => reject(new Failure(0, { detail: 'the connection broke' }));
    request.ontimeout = request.onerror;
    request.onabort = () => reject(signal?.reason ?? new DOMException('aborted', 'AbortError'));
    request.onloadend = () => signal?.removeEventListener('abort', abort);
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    signal?.addEventListener('abort', abort);
    request.send(form);
  });
}

/**
 * @param {number} status
 * @param {string} body
 * @param {string | null} retryAfter the header
 */
export function failureOf(status, body, retryAfter) {
  let problem = {};
  try {
    const parsed = JSON.parse(body);
    if (parsed && typeof parsed === 'object') problem = parsed;
  } catch {
    // A proxy's page, or nothing: the status says enough.
  }
  const failure = new Failure(status, problem);
  failure.retryAfterMs ??= waitOf(retryAfter);
  return failure;
}

/**
 * `Retry-After` in milliseconds: seconds, or a date.
 * @param {string | null} header
 * @returns {number | null}
 */
export function waitOf(header) {
  if (!header) return null;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

/** @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === 'AbortError';
