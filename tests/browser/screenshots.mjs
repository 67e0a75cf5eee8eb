/**
 * Pictures of the page in its main states, on a phone and a desktop, light and dark: `node screenshots.mjs [FOLDER]`.
 * The server is the fake one, so that the pictures show the page and not the day's weather; where AIGOLOS_BIN names the
 * real one, `page.png` (docs/images/) is a conversation with it.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { openBrowser, record } from './browser.mjs';
import { FakeServer } from './fake-server.mjs';
import { BINARY, startServer } from './real-server.mjs';

const folder = process.argv[2] ?? 'output/screenshots';
const only = process.argv[3];
mkdirSync(folder, { recursive: true });

const recording = join(folder, 'question.wav');
record(recording, 48_000, [0.8, 'What time is it?', 1.6, 'What time is it? What time is it? What time is it?', 20]);

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

for (const [device, viewport] of Object.entries(sizes)) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    const name = `${device}-${colorScheme}`;
    if (only && !name.includes(only)) continue;
    const scale = device === 'phone' ? 2 : 1;
    const server = await new FakeServer({ deafToInterruption: true }).start();
    const { page, close, faults } = await openBrowser({ microphone: recording, colorScheme, viewport, deviceScaleFactor: scale });
    /** @param {string} state */
    const shoot = (state) => page.screenshot({ path: join(folder, `${name}-${state}.png`) });

    await page.goto(server.url);
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(300);
    await shoot('1-idle');

    await page.click('#talk');
    await page.waitForSelector('.unstable:not(:empty)');
    await page.waitForFunction(() => document.querySelector('.stable')?.textContent !== '');
    await shoot('2-listening');

    await page.waitForSelector('.line.it .fresh:nth-child(4)');
    await shoot('3-replying');

    await page.waitForFunction(() => !(/** @type {HTMLElement} */ (document.getElementById('timeline')).hidden), null, { timeout: 15_000 });
    await page.waitForTimeout(300);
    await shoot('4-answered');

    server.down = true;
    server.cut();
    await page.waitForSelector('.notice.wait');
    await page.waitForTimeout(400);
    await shoot('5-lost');
    server.down = false;

    await page.click('#open-settings');
    await page.waitForTimeout(900);
    await shoot('6-settings');
    await page.evaluate(() => document.getElementById('engines-title')?.scrollIntoView());
    await page.waitForTimeout(200);
    await shoot('7-engines');
    if (faults.length > 0) console.log(name, faults);
    await close();

    const refused = await openBrowser({ microphone: false, colorScheme, viewport, deviceScaleFactor: scale });
    await refused.page.goto(server.url);
    await refused.page.evaluate(() => document.fonts.ready);
    await refused.page.click('#talk');
    await refused.page.waitForSelector('.notice.error');
    await refused.page.waitForTimeout(300);
    await refused.page.screenshot({ path: join(folder, `${name}-8-refused.png`) });
    await refused.close();
    await server.stop();
  }
}

if (BINARY) {
  const conversation = join(folder, 'conversation.wav');
  record(conversation, 48_000, [1.2, 'What time is it?', 4, 'Tell me a joke.', 30]);
  const server = await startServer();
  const { page, close } = await openBrowser({ microphone: conversation });
  await page.goto(server.url);
  await page.click('#talk');
  await page.waitForSelector('.turn:nth-child(2) .line.it .fresh:nth-child(6)', { timeout: 60_000 });
  await page.screenshot({ path: join(folder, 'page.png') });
  await close();
  await server.stop();
}
