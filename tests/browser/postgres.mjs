/**
 * A real PostgreSQL from the system's packages, in a folder and on a port of its own, for servers under test
 * (`TEST_DATABASE=postgresql`). It ends with this process, however that ends.
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const START_MS = 90_000;
const ATTEMPTS = 5;
/** Whom it runs as when root tests: it refuses to be root. */
const NOBODY = 'nobody';

/** Starts the server that follows the folder, and waits for its input, a pipe that this process holds, to end. */
const KEEPER = `
trap : INT TERM HUP
folder=$1
shift
"$@" </dev/null >>"$folder/log" 2>&1 &
read -r word
kill -QUIT $! 2>/dev/null
wait $!
rm -rf "$folder"
`;

/** By data folder: a server that starts in an earlier one's folder has the same database. @type {Map<string, string>} */
const databases = new Map();
/** @type {Promise<{programs: string, port: number}> | undefined} */
let cluster;

/**
 * The URL of the database of the server that keeps its data in `folder`; none unless PostgreSQL is asked for.
 * @param {string} folder
 * @returns {Promise<string | undefined>}
 */
export async function databaseOf(folder) {
  if (process.env.TEST_DATABASE !== 'postgresql') return undefined;
  const known = databases.get(folder);
  if (known) return known;
  cluster ??= start();
  const { programs, port } = await cluster;
  const name = `test${databases.size}`;
  const url = `postgresql://aigolos:secret@127.0.0.1:${port}/${name}`;
  databases.set(folder, url);
  const line = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-U', 'aigolos', '-p', `${port}`, '-d', 'postgres', '-c', `CREATE DATABASE ${name}`];
  execFileSync(join(programs, 'psql'), line);
  return url;
}

async function start() {
  const programs = findPrograms();
  for (let attempt = 1; ; attempt += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'aigolos-postgres-'));
    if (process.getuid?.() === 0) execFileSync('chown', [`${NOBODY}:`, folder]);
    const data = join(folder, 'data');
    const [program, ...before] = asNobody(join(programs, 'initdb'));
    execFileSync(program, [...before, '-D', data, '-U', 'aigolos', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], { cwd: '/', stdio: 'pipe' });
    const port = await lowPort();
    const settings = ['unix_socket_directories=', 'fsync=off', 'full_page_writes=off', 'shared_buffers=32MB'].flatMap((setting) => ['-c', setting]);
    const line = [...asNobody(join(programs, 'postgres')), '-D', data, '-p', `${port}`, '-h', '127.0.0.1', ...settings];
    const keeper = spawn('sh', ['-c', KEEPER, 'sh', folder, ...line], { cwd: '/', stdio: ['pipe', 'ignore', 'ignore'] });
    const gone = new Promise((resolve) => keeper.once('exit', resolve));
    const until = Date.now() + START_MS;
    for (;;) {
      if (spawnSync(join(programs, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', `${port}`]).status === 0) {
        // Nothing waits for it: it ends when this process has.
        keeper.unref();
        /** @type {net.Socket} */ (keeper.stdin).unref();
        return { programs, port };
      }
      const log = existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '';
      const taken = /could not create|could not bind/i.test(log);
      if (taken || Date.now() > until) {
        keeper.stdin.end();
        await gone;
        rmSync(folder, { recursive: true, force: true });
        // Somebody else took the port in between.
        if (taken && attempt < ATTEMPTS) break;
        throw new Error(`PostgreSQL does not start:\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** @param {string} program @returns {string[]} */
function asNobody(program) {
  if (process.getuid?.() !== 0) return [program];
  const group = execFileSync('id', ['-g', NOBODY], { encoding: 'utf8' }).trim();
  return ['setpriv', '--reuid', NOBODY, '--regid', group, '--clear-groups', '--', program];
}

/** Where the newest one has its programs: beside each other in a folder of its version, or on the path. */
function findPrograms() {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).filter((name) => existsSync(join(root, name, 'bin', 'postgres'))) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  const found = newest ? join(root, newest, 'bin') : (process.env.PATH ?? '').split(delimiter).find((folder) => existsSync(join(folder, 'initdb')));
  if (!found) throw new Error('PostgreSQL is not installed\nhint: run `make deps`, or install the package postgresql');
  return found;
}

/** A port that nobody has, below those that systems give to whoever asks for any. @returns {Promise<number>} */
async function lowPort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = net.createServer();
    const free = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
