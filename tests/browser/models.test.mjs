/** The page of models: looked for, fetched after its terms were read, stopped, used and removed. */

import assert from 'node:assert/strict';

import { AXE, clean } from './axe.mjs';
import { onPage } from './site.mjs';

onPage('a voice is fetched when its terms were read, then used, and another removed', '/app/models/', async ({ page, api, shows }) => {
  await page.selectOption('#filter-language', 'ru');
  await page.selectOption('#filter-kind', 'tts');
  assert.equal(await page.locator('#models li', { hasText: 'libritts' }).count(), 0);
  await page.getByRole('button', { name: 'Fetch ru_RU-denis-medium' }).click();
  await shows('dialog .terms', /License: as the dataset says/);
  await page.evaluate(AXE);
  await clean(page, 'terms');
  assert.equal(api.asked.filter(({ path }) => path === '/api/models/pull').length, 0, 'nothing comes before they are read');
  await page.getByRole('button', { name: 'Agree and fetch' }).click();
  await shows('#downloads', /It is here\./);
  await page.getByRole('button', { name: 'Use ru_RU-denis-medium' }).click();
  await shows('#models li:first-child', /ru_RU-denis-medium\s+in use/);
  await page.getByRole('button', { name: 'Remove ru_RU-irina-medium' }).click();
  await shows('dialog', /63\.2 MB/);
  await page.locator('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Fetch ru_RU-irina-medium' }).waitFor();
});

onPage('a download shows how far it is, and is stopped', '/app/models/', async ({ page, api, shows }) => {
  api.pace = 200;
  await page.getByRole('button', { name: 'Fetch large-v3-turbo-q5_0' }).click();
  await shows('#downloads .loading-words', /of 574 MB · 7\.3 MB\/s/);
  await page.getByRole('button', { name: 'Cancel large-v3-turbo-q5_0' }).click();
  await shows('#downloads', /Stopped\. What has come is kept\./);
  await page.getByRole('button', { name: 'Hide large-v3-turbo-q5_0' }).click();
  await page.waitForSelector('#downloads', { state: 'hidden' });
});

onPage('a chat model that cannot be fetched says why', '/app/models/', async ({ page, api, shows }) => {
  api.downloadTrouble = { code: 'ollama', message: 'Ollama cannot fetch it: file does not exist', hint: 'check the name' };
  await page.fill('#ollama-name', 'no-such-model');
  await page.press('#ollama-name', 'Enter');
  await shows('#downloads', /Ollama cannot fetch it\.\s+Ollama cannot fetch it: file does not exist\. check the name/);
  await page.evaluate(AXE);
  await clean(page, 'a failed download');
});
