/** What the pages make of failures: the class that says them, tries again, and gives up; and signs of work under way. */

import assert from 'node:assert/strict';

import { onPage } from './site.mjs';

/** @typedef {import('playwright-core').Page} Page */

/**
 * A handler in the page whose waits are noted, not waited for; and something that fails so and so often.
 * @param {Page} page
 * @param {{status: number, code?: string, retryAfter?: string, times?: number, repeatable?: boolean}} setup
 * @returns {Promise<{tries: number, waits: number[], text: string, result: unknown, left: string | null}>}
 */
function attempt(page, setup) {
  return page.evaluate(async ({ status, code, retryAfter, times = Infinity, repeatable }) => {
    const [errors, api] = await Promise.all(['/static/js/error-handler.js', '/static/js/api.js'].map((path) => import(path)));
    const box = document.createElement('div');
    /** @type {number[]} */
    const waits = [];
    /** @type {string | null} */
    let left = null;
    const handler = new errors.ErrorHandler(box, {
      random: () => 1,
      wait: async (/** @type {number} */ ms) => waits.push(ms),
      leave: (/** @type {string} */ path) => (left = path),
    });
    let tries = 0;
    const result = await handler.run(
      async () => {
        tries += 1;
        if (tries <= times) throw api.failureOf(status, code ? JSON.stringify({ code }) : '<html>', retryAfter ?? null);
        return 'well';
      },
      { repeatable },
    );
    return { tries, waits, text: box.textContent ?? '', result, left };
  }, setup);
}

onPage('each failure is said in its own words, with what to do; only what may pass is tried again', '/app/keys/', async ({ page }) => {
  const once = [400, 401, 403, 404, 409, 413, 415, 422, 500];
  const thrice = [0, 429, 502, 503, 504];
  const said = new Set();
  for (const status of [...once, ...thrice, 418]) {
    const { tries, waits, text, result, left } = await attempt(page, { status });
    assert.equal(tries, thrice.includes(status) ? 3 : 1, String(status));
    assert.equal(result, undefined);
    if (status === 401) {
      assert.equal(left, `/login/?next=${encodeURIComponent('/app/keys/')}`);
      continue;
    }
    assert.equal(left, null);
    assert.deepEqual(waits, thrice.includes(status) ? [1000, 2000] : []);
    assert.equal(text.includes('Given up after 3 tries.'), thrice.includes(status), text);
    assert.ok(text.length > 60 && !text.includes('failure.'), text);
    assert.ok(!said.has(text), `${status} says the same as another`);
    said.add(text);
  }
});

onPage('what succeeds in the end leaves no trace; the server’s wish to wait is honoured', '/app/keys/', async ({ page }) => {
  assert.deepEqual(await attempt(page, { status: 503, times: 2, retryAfter: '7' }), { tries: 3, waits: [7000, 7000], text: '', result: 'well', left: null });
  const dated = await attempt(page, { status: 429, times: 1, retryAfter: new Date(Date.now() + 5000).toUTCString() });
  assert.ok(dated.waits[0] > 2000 && dated.waits[0] <= 5000, String(dated.waits));
  const long = await attempt(page, { status: 429, retryAfter: '600' });
  assert.equal(long.tries, 1);
  assert.match(long.text, /Come back in 10 minutes/);
});

onPage('what must not be done twice is tried again only where the server did nothing', '/app/keys/', async ({ page }) => {
  for (const [status, tries] of [[0, 1], [502, 1], [504, 1], [429, 3], [503, 3]]) {
    assert.equal((await attempt(page, { status, repeatable: false })).tries, tries, String(status));
  }
  assert.equal((await attempt(page, { status: 503, code: 'model_missing' })).tries, 1, 'a model does not come by itself');
  assert.equal((await attempt(page, { status: 401, code: 'wrong_credentials' })).left, null);
});

onPage('waits grow, with jitter', '/app/keys/', async ({ page }) => {
  const [shortest, longest] = await page.evaluate(async () => {
    const path = '/static/js/error-handler.js';
    const { ErrorHandler } = await import(path);
    return [0, 1].map((random) => {
      const handler = new ErrorHandler(document.createElement('div'), { random: () => random });
      return [1, 2, 3].map((tried) => handler.delay({ retryAfterMs: null }, tried));
    });
  });
  assert.deepEqual(shortest, [500, 1000, 2000]);
  assert.deepEqual(longest, [1000, 2000, 4000]);
});

onPage('files and texts are looked at before they are sent', '/app/keys/', async ({ page }) => {
  const said = await page.evaluate(async () => {
    const path = '/static/js/error-handler.js';
    const { ErrorHandler } = await import(path);
    const handler = new ErrorHandler(document.createElement('div'));
    /** @param {string} name @param {number} size @param {string} type */
    const of = (name, size, type) => handler.validateFile({ name, size, type }, 10);
    return {
      good: ['a.wav', 'a.MP3', 'a.flac', 'a.ogg', 'a.oga', 'a.opus', 'a.webm', 'a.m4a', 'a.mp4'].map((name) => of(name, 1, name.endsWith('webm') ? 'video/webm' : '')),
      bad: [of('a', 1, 'audio/wav'), of('a.txt', 1, 'text/plain'), of('a.wav', 1, 'text/plain'), of('wav', 1, ''), of('a.wav.exe', 1, '')],
      sizes: [of('a.wav', 10_000_000, ''), of('a.wav', 10_000_001, ''), of('a.wav', 0, '')],
      texts: ['', ' \n', 'x', 'x'.repeat(5000), 'x'.repeat(5001), '😀'.repeat(5000)].map((text) => handler.validateText(text, 5000)),
    };
  });
  assert.deepEqual(said.good, Array(9).fill(null));
  for (const reason of said.bad) assert.match(String(reason), /no recording/);
  assert.deepEqual([said.sizes[0], /allowed/.test(said.sizes[1]), /empty/.test(said.sizes[2])], [null, true, true]);
  assert.deepEqual(said.texts.map((reason) => reason === null), [false, false, true, true, false, true]);
});

onPage('a server that is switched off in mid-request: the retry shows, and its end', '/app/', async ({ page, api, shows }) => {
  api.fail({ path: '/api/llm/chat/', status: 0 });
  // Counted here: below a page's request, the browser itself tries a cut connection again.
  let asked = 0;
  page.on('request', (request) => (asked += Number(request.url().endsWith('/api/llm/chat/'))));
  await page.fill('#chat-text', 'Are you there?');
  await page.press('#chat-text', 'Enter');
  await shows('#chat-problem [role=status]', /does not answer[\s\S]*Try 2 of 3 in \d seconds?/);
  await shows('#chat-problem [role=status]', /Try 3 of 3/);
  await shows('#chat-problem', /does not answer[\s\S]*Given up after 3 tries[\s\S]*Try again/);
  assert.equal(asked, 3);
  api.faults = [];
  await page.click('#chat-problem button');
  await shows('.bubble.it', /at a time/);
  assert.equal(await page.locator('#chat-problem .failure').count(), 0);
});

onPage('waiting can be cut short, or ended', '/app/', async ({ page, api, shows }) => {
  api.fail({ path: '/api/tts/synthesize/', status: 503, retryAfter: '25', times: 1 });
  await page.fill('#speak-text', 'Hello');
  await page.click('#speak-go');
  await shows('#speak-problem', /in 2\d seconds/);
  await page.getByRole('button', { name: 'Try now' }).click();
  await page.waitForSelector('#speak-download:not([hidden])');
  api.fail({ path: '/api/llm/chat/', status: 429, retryAfter: '25' });
  await page.fill('#chat-text', 'Hello');
  await page.press('#chat-text', 'Enter');
  await shows('#chat-problem', /in 2\d seconds/);
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await page.inputValue('#chat-text'), 'Hello', 'what was not taken is given back');
  assert.equal(await page.locator('.bubble').count(), 0);
});

onPage('no network is told apart from no server', '/app/', async ({ page, shows }) => {
  await page.context().setOffline(true);
  await page.fill('#speak-text', 'Hello');
  await page.click('#speak-go');
  await shows('#speak-problem', /There is no network[\s\S]*Try 2 of 3/);
  await page.context().setOffline(false);
  await page.waitForSelector('#speak-download:not([hidden])');
});

onPage('a list that cannot be had says so, and comes when asked again', '/app/history/', async ({ page, api, go, shows }) => {
  api.fail({ path: '/api/conversations/', status: 500, message: 'a fault of the server' });
  await go('/app/history/');
  await shows('#problem [role=alert]', /server made a mistake[\s\S]*0197-test/);
  api.faults = [];
  await page.click('#problem button');
  await page.waitForSelector('.talk-row');
});

onPage('signs of work: percent, without end, spinner, skeleton', '/app/keys/', async ({ page }) => {
  const seen = await page.evaluate(async () => {
    const path = '/static/js/loading-indicators.js';
    const { LoadingIndicator } = await import(path);
    const box = document.createElement('div');
    document.querySelector('main')?.append(box);
    const loading = new LoadingIndicator(box);
    const bar = () => box.querySelector('[role=progressbar]');
    const now = () => [bar()?.getAttribute('aria-valuenow') ?? null, bar()?.getAttribute('aria-label') ?? null, box.getAttribute('aria-busy'), box.textContent];
    const all = [];
    loading.percent(0.256, 'Uploading');
    all.push(now());
    const [kept] = box.children;
    loading.percent(2, 'Reading');
    all.push([...now(), kept === box.children[0]]);
    loading.indeterminate('Waiting');
    all.push(now());
    loading.spinner();
    all.push([box.querySelector('[role=status]')?.textContent, bar()]);
    loading.skeleton(2);
    all.push([box.querySelectorAll('.loading-line').length, box.querySelector('[role=status]')?.textContent]);
    loading.hide();
    all.push([box.childElementCount, box.getAttribute('aria-busy')]);
    return all;
  });
  assert.deepEqual(seen, [
    ['26', 'Uploading', 'true', 'Uploading26%'],
    ['100', 'Reading', 'true', 'Reading100%', true],
    [null, 'Waiting', 'true', 'Waiting'],
    ['One moment', null],
    [2, 'One moment'],
    [0, null],
  ]);
});
