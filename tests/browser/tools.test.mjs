/** The dashboard's three tools, on good days and bad ones. */

import assert from 'node:assert/strict';

import { file, onPage } from './site.mjs';

const WAV = file('meeting.wav', 2000);

/**
 * The next stream of events is cut after so many of them, when the page has shown what it got.
 * @param {import('./fake-api.mjs').FakeApi} api
 * @param {number} events
 * @returns {() => void} cuts it
 */
function cutLater(api, events) {
  api.cutEventsAfter = events;
  let cut = () => {};
  api.mayCut = new Promise((resolve) => { cut = () => resolve(undefined); });
  return () => cut();
}

onPage('a recording becomes text: sent with its progress, written down as it comes, copied, saved', '/app/', async ({ page, api, shows }) => {
  await page.evaluate(() => {
    const labels = /** @type {string[]} */ ([]);
    Object.assign(window, { labels });
    new MutationObserver(() => {
      const bar = document.querySelector('#transcribe-progress [role=progressbar]');
      const label = bar && `${bar.getAttribute('aria-label')} ${bar.getAttribute('aria-valuenow')}`;
      if (label && labels.at(-1) !== label) labels.push(label);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  await page.setInputFiles('#file', WAV);
  await shows('#transcribe-text', /^Good morning, everybody\. Today we talk about the harbour\. The new crane comes on Thursday\. That is all for now\.$/);
  await page.waitForSelector('#transcribe-actions:not([hidden])');
  const labels = await page.evaluate(() => /** @type {any} */ (window).labels);
  for (const label of ['Uploading 100', 'Waiting for its turn null', 'Reading the recording 50', 'Transcribing 25', 'Transcribing 100']) {
    assert.ok(labels.includes(label), `${label} is not among ${labels}`);
  }
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.click('#transcribe-copy');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^Good morning/);
  assert.match((await page.getAttribute('.download[data-format=srt]', 'href')) ?? '', /^\/api\/conversations\/0197b000-.*\/export\?format=srt$/);
  assert.equal(api.asked.filter(({ path }) => path.startsWith('/api/jobs/') && !path.endsWith('/events')).length, 1, 'asked once for old work, never for how it goes');
  await page.click('#transcribe-history');
  await page.waitForSelector('.talk-turn');
});

onPage('a file is refused in the page, with the reason, and nothing is sent', '/app/', async ({ page, api, shows }) => {
  await page.setInputFiles('#file', file('long.wav', 10_000_001));
  await shows('#transcribe-problem [role=alert]', /“long\.wav” has 10 MB; 10 MB are allowed/);
  await page.setInputFiles('#file', file('poem.pdf', 100, 'application/pdf'));
  await shows('#transcribe-problem', /poem\.pdf[\s\S]*no recording/);
  await page.setInputFiles('#file', { name: 'empty.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(0) });
  await shows('#transcribe-problem', /empty\.wav” is empty/);
  assert.equal(api.asked.filter(({ method }) => method === 'POST').length, 0);
  await page.setInputFiles('#file', file('exact.wav', 10_000_000));
  await shows('#transcribe-text', /That is all for now/);
});

onPage('a file that lies about its kind is refused by the server, and the page says why', '/app/', async ({ page, shows }) => {
  await page.setInputFiles('#file', { name: 'poem.wav', mimeType: 'audio/wav', buffer: Buffer.from('a poem, not a sound') });
  await shows('#transcribe-problem [role=alert]', /kind of file cannot be read[\s\S]*called a recording, but is none/);
});

onPage('a dropped file is sent; one that misses its place does not replace the page', '/app/', async ({ page, shows }) => {
  for (const selector of ['h1', '#drop']) {
    const data = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['RIFF and so on'], 'dropped.wav', { type: 'audio/wav' }));
      return transfer;
    });
    await page.dispatchEvent(selector, 'dragover', { dataTransfer: data });
    await page.dispatchEvent(selector, 'drop', { dataTransfer: data });
    if (selector === 'h1') assert.ok(await page.isHidden('#transcribe-result'));
  }
  await shows('#transcribe-file', /dropped\.wav/);
  await shows('#transcribe-text', /all for now/);
});

onPage('a recording is made with the microphone and written down', '/app/', async ({ page, api, shows }) => {
  await page.click('#record');
  await page.waitForFunction(() => document.getElementById('recorder-time')?.textContent !== '0:00');
  await page.waitForFunction(() => Number(getComputedStyle(/** @type {Element} */ (document.getElementById('recorder-level'))).getPropertyValue('--level')) > 0);
  await page.click('#recorder-stop');
  await shows('#transcribe-file', /^recording-.*\.webm$/);
  await shows('#transcribe-text', /all for now/);
  const sent = api.asked.find(({ path }) => path.endsWith('/transcribe/'));
  assert.ok(sent && sent.raw.length > 2000 && sent.raw.includes('recording-'));
  await page.click('#record');
  await page.click('#recorder-discard');
  assert.equal(api.asked.filter(({ path }) => path.endsWith('/transcribe/')).length, 1);
});

onPage('a microphone that is refused is explained', '/app/', async ({ page, shows }) => {
  await page.click('#record');
  await shows('#transcribe-problem', /microphone is not allowed[\s\S]*allow the microphone/i);
  assert.ok(await page.isEnabled('#record'));
}, { browser: { microphone: false } });

onPage('events that break off go on where they broke: nothing twice, nothing missing', '/app/', async ({ page, api, shows }) => {
  const cut = cutLater(api, 4);
  await page.setInputFiles('#file', WAV);
  await shows('#transcribe-text', /^Good morning, everybody\.$/);
  cut();
  await shows('#transcribe-problem', /does not answer[\s\S]*Try 2 of 3/);
  await shows('#transcribe-text', /^Good morning, everybody\. Today we talk about the harbour\. The new crane comes on Thursday\. That is all for now\.$/);
  await page.waitForSelector('#transcribe-actions:not([hidden])');
  const asked = api.asked.filter(({ path }) => path.endsWith('/events'));
  assert.deepEqual(asked.map(({ headers }) => headers['last-event-id']), [undefined, '4']);
});

onPage('work that goes on is found again after the page was left', '/app/', async ({ page, api, shows, go }) => {
  api.pace = 300;
  await page.setInputFiles('#file', WAV);
  await shows('#transcribe-text', /Good morning/);
  await go('/app/history/');
  api.pace = 5;
  await go('/app/');
  await shows('#transcribe-text', /Good morning[\s\S]*all for now/);
});

onPage('transcription is cancelled', '/app/', async ({ page, api, shows }) => {
  api.pace = 300;
  await page.setInputFiles('#file', WAV);
  await shows('#transcribe-text', /Good morning/);
  await page.click('#transcribe-cancel');
  await shows('#transcribe-problem', /Cancelled/);
  assert.equal([...api.jobs.values()][0].state, 'cancelled');
  assert.ok(await page.isHidden('#transcribe-cancel-row'));
});

onPage('an answer is shown as it is written, and the conversation goes on', '/app/', async ({ page, api, shows }) => {
  api.pace = 60;
  await page.fill('#chat-text', 'Good evening');
  await page.press('#chat-text', 'Enter');
  await shows('.bubble.it', /You wrote: Good/);
  assert.doesNotMatch(await page.innerText('.bubble.it'), /at a time/);
  await shows('.bubble.it', /at a time\.$/);
  await page.waitForSelector('#chat-send:not([hidden])');
  await page.fill('#chat-text', 'And now?');
  await page.press('#chat-text', 'Enter');
  await shows('.bubble:nth-child(4)', /And now\?[\s\S]*at a time\.$/);
  const sent = api.asked.filter(({ path }) => path === '/api/llm/chat/').map(({ body }) => body);
  assert.deepEqual(sent.map(({ message }) => message), ['Good evening', 'And now?']);
  assert.equal(sent[0].conversation_id, undefined);
  assert.equal(sent[1].conversation_id, api.conversations[0].conversation.id);
  await page.click('#chat-new');
  assert.equal(await page.locator('.bubble').count(), 0);
});

onPage('messages are counted, and refused when empty or too long', '/app/', async ({ page, api, shows }) => {
  await page.click('#chat-send');
  await shows('#chat-problem [role=alert]', /nothing to send yet/);
  await page.fill('#chat-text', '   \n ');
  await page.press('#chat-text', 'Enter');
  await shows('#chat-problem', /nothing to send yet/);
  await page.fill('#chat-text', '😀'.repeat(5001));
  await shows('#chat-count.over', /^5,001 of 5,000 characters$/);
  await page.click('#chat-send');
  await shows('#chat-problem', /5,001 characters; 5,000 are allowed/);
  assert.equal(api.asked.filter(({ path }) => path === '/api/llm/chat/').length, 0);
  await page.fill('#chat-text', '😀'.repeat(5000));
  await page.click('#chat-send');
  await shows('.bubble.it', /at a time/);
});

onPage('an answer is stopped in the middle, and what came of it stays', '/app/', async ({ page, api, shows }) => {
  api.pace = 100;
  await page.fill('#chat-text', 'Tell me');
  await page.press('#chat-text', 'Enter');
  await shows('.bubble.it', /You wrote/);
  await page.click('#chat-stop');
  await shows('.bubble.it', /Stopped here/);
  assert.doesNotMatch(await page.innerText('.bubble.it'), /at a time/);
  assert.equal(await page.locator('#chat-problem .failure').count(), 0);
});

onPage('an answer that breaks off is not asked for twice by itself', '/app/', async ({ page, api, shows }) => {
  const cut = cutLater(api, 5);
  await page.fill('#chat-text', 'Tell me');
  await page.press('#chat-text', 'Enter');
  await shows('.bubble.it', /You wrote: Tell me/);
  cut();
  await shows('#chat-problem', /does not answer[\s\S]*Try again/);
  await shows('.bubble.it', /broke off here/);
  assert.equal(api.asked.filter(({ path }) => path === '/api/llm/chat/').length, 1);
  await page.click('#chat-problem button');
  await shows('.bubble:nth-child(3)', /at a time\.$/);
});

onPage('a text is heard while its sound arrives, and kept', '/app/', async ({ page, api, shows }) => {
  api.pace = 150;
  await page.evaluate(() => {
    const started = /** @type {number[]} */ ([]);
    Object.assign(window, { started });
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (...args) {
      started.push(performance.now());
      return start.apply(this, args);
    };
  });
  await page.fill('#speak-text', 'The lamp is lit at dusk.');
  await page.selectOption('#speak-voice', 'en-gb');
  await page.click('#speak-go');
  await page.waitForFunction(() => /** @type {any} */ (window).started.length > 2);
  assert.ok(await page.isHidden('#speak-download'), 'sound is played before all of it is there');
  await page.waitForSelector('#speak-download:not([hidden])');
  await page.waitForSelector('#speak-go:not([hidden])'); // the last of it has been heard
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#speak-download')]);
  assert.equal(download.suggestedFilename(), 'aigolos.wav');
  await shows('#speak-facts', /kB/);
  const sent = api.asked.find(({ path }) => path === '/api/tts/synthesize/')?.body;
  assert.deepEqual(sent, { text: 'The lamp is lit at dusk.', format: 'wav', speed: 1, voice: 'en-gb' });
});

onPage('speaking is stopped', '/app/', async ({ page, api }) => {
  api.pace = 500;
  await page.fill('#speak-text', 'The lamp is lit at dusk.');
  await page.click('#speak-go');
  await page.waitForSelector('#speak-stop:not([hidden])');
  await page.click('#speak-stop');
  await page.waitForSelector('#speak-go:not([hidden])');
  assert.equal(await page.locator('#speak-problem .failure').count(), 0);
  assert.ok(await page.isHidden('#speak-progress .loading'));
});

onPage('keyboard alone: choose, write, send, speak', '/app/', async ({ page, shows }) => {
  /** @param {string} id */
  const reach = async (id) => {
    for (let i = 0; i < 40; i++) {
      if (await page.evaluate((wanted) => document.activeElement?.id === wanted, id)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${id} is not reached`);
  };
  await reach('file');
  const outlined = await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.querySelector('#drop label'))).outlineStyle);
  assert.equal(outlined, 'solid', 'where one is shows');
  await reach('chat-text');
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('alone');
  await page.keyboard.press('Enter');
  await shows('.bubble.you', /By keyboard\nalone/);
  await shows('.bubble.it', /at a time\.$/);
  await reach('speak-text');
  await page.keyboard.type('Spoken');
  await reach('speak-go');
  await page.keyboard.press('Space');
  await page.waitForSelector('#speak-download:not([hidden])');
});
