/**
 * Runs the tests in a process that trusts the certificate their servers will show: node reads NODE_EXTRA_CA_CERTS only when it
 * starts. Made here, with openssl's command, for an hour's use.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'aigolos-tls-'));
const [authority, authorityKey, request, certificate, key] = ['ca.pem', 'ca.key', 'request.pem', 'cert.pem', 'cert.key'].map((name) => join(folder, name));
const openssl = (/** @type {string[]} */ ...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
try {
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...fresh, '-subj', '/CN=aigolos tests', '-keyout', authorityKey, '-out', authority);
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  openssl('req', ...fresh.slice(0, 5), '-subj', '/CN=localhost', ...names, '-keyout', key, '-out', request);
  const signed = ['-CA', authority, '-CAkey', authorityKey, '-CAcreateserial', '-copy_extensions', 'copy', '-days', '2'];
  openssl('x509', '-req', '-in', request, ...signed, '-out', certificate);
  const files = process.argv.slice(2);
  const tests = files.length ? files : readdirSync('.').filter((name) => name.endsWith('.test.mjs')).sort();
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: authority, TEST_TLS_CERT: certificate, TEST_TLS_KEY: key };
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...tests], { env, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
