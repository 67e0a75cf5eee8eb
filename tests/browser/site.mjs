/** A browser on one of the fake server's pages, for the tests of the pages. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openBrowser } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';

/**
 * @typedef {object} Opened
 * @property {import('playwright-core').Page} page
 * @property {FakeServer} server
 * @property {import('./fake-api.mjs').FakeApi} api
 * @property {(path: string) => Promise<void>} go
 * @property {(selector: string, pattern: RegExp) => Promise<void>} shows
 */

/**
 * @param {string} title
 * @param {string} path where it begins
 * @param {(opened: Opened) => Promise<void>} tell
 * @param {{loggedIn?: boolean, accounts?: boolean, browser?: import('./browser.mjs').Setup, faulty?: boolean}} [setup]
 */
export function onPage(title, path, tell, { loggedIn = true, accounts = true, browser, faulty = false } = {}) {
  test(title, { timeout: 90_000 }, async () => {
    const server = await new FakeServer({ accounts }).start();
    const { page, faults, close } = await openBrowser({ reducedMotion: 'reduce', ...browser });
    const { api } = server.site;
    api.loggedIn = loggedIn;
    api.pace = 5;
    /** @param {string} target */
    const go = async (target) => {
      await page.goto(new URL(target, server.url).href);
    };
    /** @param {string} selector @param {RegExp} pattern */
    const shows = async (selector, pattern) => {
      const found = page.waitForFunction(
        ([s, source, flags]) => [...document.querySelectorAll(s)].some((e) => new RegExp(source, flags).test(/** @type {HTMLElement} */ (e).innerText)),
        [selector, pattern.source, pattern.flags],
        { timeout: 20_000 },
      );
      await found.catch(async () => assert.fail(`${pattern} is not in ${selector}; the page says:\n${await page.innerText('main')}`));
    };
    try {
      await go(path);
      await tell({ page, server, api, go, shows });
      if (!faulty) assert.deepEqual(faults, [], 'the page reported faults');
    } finally {
      await close();
      await server.stop();
    }
  });
}

/** A file for a file field. @param {string} name @param {number} bytes @param {string} [mimeType] */
export function file(name, bytes, mimeType = 'audio/wav') {
  const buffer = Buffer.alloc(bytes);
  buffer.write('RIFF');
  return { name, mimeType, buffer };
}
