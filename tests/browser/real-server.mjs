/** The real server, from the binary that AIGOLOS_BIN names, on a free port with an empty data folder. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { databaseOf } from './postgres.mjs';

/** Loading the engines takes a while on a machine that does something else too. */
const START_MS = 120_000;
/** How long a port may stay with whoever had it before. */
const PORT_MS = 20_000;
const ANSWER_MS = 10_000;

export const BINARY = process.env.AIGOLOS_BIN;

/**
 * @param {{port?: number, env?: Record<string, string>, data?: string, authority?: string}} [options] `port`: that of a server
 *   that stopped; else a free one. `data`: its folder, which stays when it stops; else an empty one of its own, which goes.
 *   `authority`: the file with the certificate that vouches for it, if it speaks HTTPS
 */
export async function startServer(options = {}) {
  const until = Date.now() + PORT_MS;
  for (;;) {
    const folder = options.data ?? mkdtempSync(join(tmpdir(), 'aigolos-data-'));
    const started = await tryStart(options, folder);
    if (typeof started !== 'string') return started;
    if (!options.data) rmSync(folder, { recursive: true, force: true });
    const taken = options.port && /cannot be listened on/.test(started) && Date.now() < until;
    if (!taken) throw new Error(`the server does not start:\n${started}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/**
 * The running server, or what one said that did not start.
 * @param {{port?: number, env?: Record<string, string>, data?: string, authority?: string}} options
 * @param {string} folder
 */
async function tryStart({ port, env, data, authority }, folder) {
  if (!BINARY) throw new Error('set AIGOLOS_BIN to the server under test');
  const database = { DATABASE_URL: (await databaseOf(folder)) ?? '', POSTGRES_DB: '' };
  const child = spawn(BINARY, ['serve'], {
    cwd: folder,
    env: { ...process.env, BIND: `127.0.0.1:${port ?? 0}`, DATA_DIR: folder, LLM_BACKEND: 'builtin', ...database, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output = (output + piece).slice(-20_000)));
  // The log may drive this line out of `output`.
  child.stdout.on('data', (piece) => (said = said.includes('open http') ? said : (said + piece).slice(-20_000)));
  let ended = false;
  const exited = new Promise((resolve) => child.once('exit', resolve)).then(() => (ended = true));
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.once('error', (error) => {
    output += `${error}\n`;
    ended = true;
  });
  const until = Date.now() + START_MS;
  let url = '';
  for (;;) {
    if (ended) {
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1000))]);
      return `it ended with ${child.exitCode ?? child.signalCode}\n${output}`;
    }
    url ||= said.match(/open (https?:\/\/127\.0\.0\.1:\d+)/)?.[1] ?? '';
    const health = url ? await status(new URL('/api/health/', url), authority) : 0;
    if (health === 200) break;
    if (Date.now() > until) {
      child.kill('SIGKILL');
      await exited;
      return `it ${url ? `does not answer at ${url}: ${health || 'nothing'}` : 'does not say where it listens'}\n${output}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = async () => {
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(killer);
    if (!data) rmSync(folder, { recursive: true, force: true });
  };
  /** Ends it without a word, as a power cut does. */
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { url: `${url}/`, port: Number(new URL(url).port), stop, kill, output: () => output };
}

/**
 * What the server answers, 0 for nothing. By hand, since `fetch` takes no authority of a test's own.
 * @param {URL} url
 * @param {string} [authority]
 * @returns {Promise<number>}
 */
function status(url, authority) {
  return new Promise((resolve) => {
    /** @param {import('node:http').IncomingMessage} answer */
    const heard = (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    };
    const timeout = ANSWER_MS;
    // Without one, the process trusts what NODE_EXTRA_CA_CERTS names.
    const ca = authority && readFileSync(authority);
    const request = url.protocol === 'https:' ? https.get(url, { ca, timeout }, heard) : http.get(url, { timeout }, heard);
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(0));
  });
}

/**
 * A line to the server that can be cut.
 * @param {number} target
 */
export async function startProxy(target) {
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const stop = async () => {
    cut();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}/`, cut, stop };
}
