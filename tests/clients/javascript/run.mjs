/**
 * Runs the tests in a process that trusts what their servers will show: node reads NODE_EXTRA_CA_CERTS only when it starts.
 * The certificate is that of `aigolos dev-cert`.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env.AIGOLOS_BIN;
if (!binary) throw new Error('set AIGOLOS_BIN to the server under test, or run `make test-clients`');
const folder = mkdtempSync(join(tmpdir(), 'aigolos-tls-'));
try {
  const said = execFileSync(binary, ['dev-cert'], { cwd: folder, env: { ...process.env, DATA_DIR: folder }, encoding: 'utf8' });
  const told = (/** @type {string} */ name) => new RegExp(`^${name}[ =](.*)$`, 'm').exec(said)?.[1];
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: told('# Clients must trust'),
    TEST_TLS_CERT: told('TLS_CERT'),
    TEST_TLS_KEY: told('TLS_KEY'),
  };
  const files = process.argv.slice(2);
  const tests = files.length ? files : readdirSync('.').filter((name) => name.endsWith('.test.mjs')).sort();
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...tests], { env, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
