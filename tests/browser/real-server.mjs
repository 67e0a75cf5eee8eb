/** The real server, from the binary that AIGOLOS_BIN names, on a free port with an empty data folder. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS = 30_000;

export const BINARY = process.env.AIGOLOS_BIN;

/** @returns {Promise<number>} */
export async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', () => resolve(null)));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}

/**
 * @param {{port?: number, env?: Record<string, string>, data?: string, secure?: boolean}} [options] `data`: its folder, which
 *   stays when it stops; else an empty one of its own, which goes; `secure`: with the certificate of TEST_TLS_CERT
 */
export async function startServer({ port, env, data, secure } = {}) {
  if (!BINARY) throw new Error('set AIGOLOS_BIN to the server under test');
  const listen = port ?? (await freePort());
  const folder = data ?? mkdtempSync(join(tmpdir(), 'aigolos-data-'));
  const certificate = secure ? { TLS_CERT: process.env.TEST_TLS_CERT, TLS_KEY: process.env.TEST_TLS_KEY } : {};
  const child = spawn(BINARY, ['serve'], {
    cwd: folder,
    env: { ...process.env, BIND: `127.0.0.1:${listen}`, DATA_DIR: folder, LLM_BACKEND: 'builtin', ...certificate, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output = (output + piece).slice(-20_000)));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = `${secure ? 'https' : 'http'}://127.0.0.1:${listen}/`;
  const until = Date.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${output}`);
    const health = await fetch(new URL('api/health/', url)).catch(() => null);
    if (health?.ok) break;
    if (Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`the server does not answer:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = async () => {
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(killer);
    if (!data) rmSync(folder, { recursive: true, force: true });
  };
  /** Ends it without a word, as a power cut does. */
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { url, port: listen, stop, kill, output: () => output };
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
