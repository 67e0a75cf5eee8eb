/** Chromium for the tests: the system's own, headless, with a microphone that plays a recording. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

const FLAGS = [
  '--headless=new',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

/**
 * @typedef {object} Setup
 * @property {string | false} [microphone] the recording it plays; none: a beep; false: permission is refused
 * @property {boolean} [noMicrophone] there is no device at all
 * @property {string} [hosts] a rule for names, as Chromium's --host-resolver-rules
 * @property {string} [trusted] the hash of the public key (SPKI, SHA-256, base64) of a certificate that is taken as it is
 * @property {number} [contextRate] the rate the machine's sound hardware is said to have
 * @property {'light' | 'dark'} [colorScheme]
 * @property {{width: number, height: number}} [viewport]
 * @property {'reduce' | 'no-preference'} [reducedMotion]
 * @property {number} [deviceScaleFactor]
 */

/**
 * Opens a browser with a new profile. `close` ends it and removes the profile.
 * @param {Setup} [setup]
 */
export async function openBrowser(setup = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'aigolos-browser-'));
  const devices = [
    ...(setup.noMicrophone ? [] : ['--use-fake-device-for-media-stream']),
    ...(typeof setup.microphone === 'string' ? [`--use-file-for-fake-audio-capture=${setup.microphone}%noloop`] : []),
    setup.microphone === false ? '--deny-permission-prompts' : '--use-fake-ui-for-media-stream',
  ];
  if (setup.hosts) devices.push(`--host-resolver-rules=${setup.hosts}`);
  if (setup.trusted) devices.push(`--ignore-certificate-errors-spki-list=${setup.trusted}`);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    args: [...FLAGS, ...devices],
    ignoreDefaultArgs: ['--mute-audio', '--hide-scrollbars'],
    viewport: setup.viewport ?? { width: 1280, height: 800 },
    colorScheme: setup.colorScheme ?? 'light',
    reducedMotion: setup.reducedMotion ?? 'no-preference',
    deviceScaleFactor: setup.deviceScaleFactor ?? 1,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  /** @type {string[]} */
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // A refused connection is part of some tests, and the browser reports it here.
    if (message.type() === 'error' && !/WebSocket|ERR_|api\/health|404|Failed to load resource/.test(message.text())) faults.push(message.text());
  });
  if (setup.contextRate) {
    await page.addInitScript((rate) => {
      const Natural = window.AudioContext;
      window.AudioContext = class extends Natural {
        /** @param {AudioContextOptions} [options] */
        constructor(options) {
          super({ sampleRate: rate, ...options });
        }
      };
    }, setup.contextRate);
  }
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { page, context, faults, close };
}

/**
 * What the page has heard and played, by its audio thread's clock.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<any>}
 */
export function diagnostics(page) {
  return page.evaluate(() => /** @type {any} */ (window).aigolos.diagnostics());
}

/**
 * A recording of spoken words with silence around them, for the fake microphone.
 * @param {string} file
 * @param {number} rate
 * @param {(string | number | {file: string})[]} parts words to speak, seconds of silence, or a recording as it is
 */
export function record(file, rate, parts) {
  const folder = mkdtempSync(join(tmpdir(), 'aigolos-recording-'));
  const pieces = parts.map((part, index) => {
    const piece = join(folder, `${index}.wav`);
    if (typeof part === 'object') {
      execFileSync('sox', ['-D', part.file, '-r', String(rate), '-c', '1', '-b', '16', piece]);
    } else if (typeof part === 'number') {
      execFileSync('sox', ['-D', '-n', '-r', String(rate), '-c', '1', '-b', '16', piece, 'trim', '0', String(part)]);
    } else {
      const raw = join(folder, `${index}.raw.wav`);
      execFileSync('espeak-ng', ['-v', 'en-us', '-s', '150', '-w', raw, part]);
      execFileSync('sox', ['-D', raw, '-r', String(rate), '-c', '1', '-b', '16', piece, 'gain', '-n', '-6']);
    }
    return piece;
  });
  execFileSync('sox', ['-D', ...pieces, file]);
  rmSync(folder, { recursive: true, force: true });
}
