/** The page over the server's own HTTPS, and what it says where it came without: why there is no microphone, and what to do. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { AXE, clean } from './axe.mjs';
import { openBrowser, record } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';
import { BINARY, startServer } from './real-server.mjs';

const skip = BINARY ? false : 'AIGOLOS_BIN names no server';
const folder = mkdtempSync(join(tmpdir(), 'aigolos-secure-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('over HTTPS with the certificate of dev-cert one can talk', { skip, timeout: 120_000 }, async () => {
  execFileSync(String(BINARY), ['dev-cert', '--data-dir', folder], { cwd: folder });
  const [chain, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, 'tls', name));
  const server = await startServer({ data: folder, env: { TLS_CERT: chain, TLS_KEY: key }, authority: join(folder, 'tls/ca.pem') });
  const recording = join(folder, 'question.wav');
  record(recording, 48_000, [1.5, 'What time is it?', 30]);
  // Trusted by the hash of its key: everything else about it is looked at as usual.
  const certificate = new X509Certificate(readFileSync(chain));
  const trusted = createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
  const { page, faults, close } = await openBrowser({ microphone: recording, trusted });
  try {
    assert.match(server.url, /^https:/);
    await page.goto(server.url);
    assert.equal(await page.evaluate(() => isSecureContext), true);
    await page.click('#talk');
    await page.waitForFunction(() => /What time is it\?/.test(document.querySelector('#turns')?.textContent ?? ''), null, { timeout: 60_000 });
    await page.waitForSelector('.line.it', { timeout: 60_000 });
    await page.goto(new URL('/help/microphone/', server.url).href);
    const file = page.waitForEvent('download');
    await page.click('a[download]');
    assert.equal(readFileSync(await (await file).path(), 'utf8'), readFileSync(join(folder, 'tls/ca.pem'), 'utf8'));
    assert.deepEqual(faults, []);
  } finally {
    await close();
    await server.stop();
  }
});

test('a page that came without HTTPS leads to help', { timeout: 60_000 }, async () => {
  const server = await new FakeServer().start();
  // A name that is not localhost, and not encrypted.
  const { page, close } = await openBrowser({ hosts: 'MAP voice.test 127.0.0.1' });
  try {
    await page.goto(server.url.replace(/127\.0\.0\.1|localhost/, 'voice.test'));
    assert.equal(await page.evaluate(() => isSecureContext), false);
    await page.click('.notice.error .notice-more a');
    await page.waitForURL(/\/help\/microphone\/$/);
    assert.match(await page.innerText('h1'), /HTTPS/);
    for (const way of ['localhost', 'aigolos dev-cert', '--profile tls']) assert.ok((await page.innerText('main')).includes(way), way);
  } finally {
    await close();
    await server.stop();
  }
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const viewport of [{ width: 390, height: 844 }, { width: 1280, height: 800 }]) {
    test(`axe finds nothing on the page about the microphone: ${colorScheme}, ${viewport.width} wide`, { timeout: 60_000 }, async () => {
      const server = await new FakeServer().start();
      const { page, faults, close } = await openBrowser({ colorScheme, viewport, reducedMotion: 'reduce' });
      try {
        await page.goto(new URL('/help/microphone/', server.url).href);
        await page.evaluate(AXE);
        await clean(page, 'help');
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        assert.equal(wide, false, 'nothing scrolls sideways');
        assert.deepEqual(faults, []);
      } finally {
        await close();
        await server.stop();
      }
    });
  }
}
