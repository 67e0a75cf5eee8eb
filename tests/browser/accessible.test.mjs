/** Accessibility, by axe: every state of the page, light and dark, phone and desktop. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AXE, clean } from './axe.mjs';
import { openBrowser } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';


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
