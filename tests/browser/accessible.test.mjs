/** Accessibility, by axe: every state of the page, light and dark, phone and desktop. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { openBrowser } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @param {import('playwright-core').Page} page @param {string} state */
async function clean(page, state) {
  await page.waitForFunction(() => document.getAnimations().length === 0);
  const violations = await page.evaluate(async () => {
    const result = await /** @type {any} */ (window).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return result.violations.map((/** @type {any} */ v) => `${v.id}: ${v.nodes.map((/** @type {any} */ n) => `${n.html} ${n.failureSummary}`).join(' | ')}`);
  });
  assert.deepEqual(violations, [], state);
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const viewport of [{ width: 390, height: 844 }, { width: 1280, height: 800 }]) {
    test(`axe finds nothing: ${colorScheme}, ${viewport.width} wide`, { timeout: 60_000 }, async () => {
      const server = await new FakeServer({ hesitates: 'yes' }).start();
      const { page, faults, close } = await openBrowser({ colorScheme, viewport, reducedMotion: 'reduce', microphone: false });
      try {
        await page.goto(server.url);
        await page.evaluate(AXE);
        await page.waitForSelector('#engines-chip');
        await clean(page, 'idle');
        await page.click('#talk');
        await page.waitForSelector('.notice.error');
        await clean(page, 'refused microphone');
        await page.fill('#text', 'Tell me a joke.');
        await page.press('#text', 'Enter');
        await page.waitForSelector('.line.it .fresh');
        await clean(page, 'answering');
        server.down = true;
        server.cut();
        await page.waitForSelector('.notice.wait');
        await clean(page, 'connection lost');
        server.down = false;
        await page.waitForFunction(() => !document.querySelector('.notice.wait'));
        await page.click('#open-settings');
        await page.waitForFunction(() => /** @type {HTMLSelectElement} */ (document.getElementById('voice')).options.length > 1);
        await clean(page, 'settings');
        assert.deepEqual(faults, []);
      } finally {
        await close();
        await server.stop();
      }
    });
  }
}

test('nothing scrolls sideways, from the narrowest phone to the widest screen', { timeout: 60_000 }, async () => {
  const server = await new FakeServer().start();
  const { page, close } = await openBrowser({ microphone: false });
  try {
    for (const width of [320, 390, 768, 899, 900, 1920]) {
      await page.setViewportSize({ width, height: 700 });
      await page.goto(server.url);
      await page.fill('#text', 'Averyverylongwordwithoutanyspacethatwouldbreakthelineifitcouldnotbebroken, and more.');
      await page.press('#text', 'Enter');
      await page.waitForSelector('.line.it .fresh');
      const wide = await page.evaluate(() => [...document.querySelectorAll('body, main, #scroll, .stage')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName));
      assert.deepEqual(wide, [], `at ${width}`);
    }
  } finally {
    await close();
    await server.stop();
  }
});
