/** History, settings, keys, administration: what people do there. */

import assert from 'node:assert/strict';

import { onPage } from './site.mjs';

const TALK = '/app/history/0197b000-0000-7000-8000-000000000001/';

onPage('conversations come as far as one scrolls, and by the button for those who do not', '/app/history/', async ({ page, api }) => {
  await page.waitForSelector('.talk-row:nth-child(30)', { state: 'attached' });
  for (let i = 0; i < 4; i++) {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.waitForTimeout(150);
  }
  await page.waitForSelector('.talk-row:nth-child(63)', { state: 'attached' });
  assert.ok(await page.isHidden('#more'));
  const cursors = api.asked.filter(({ path }) => path === '/api/conversations/').map(({ query }) => query.get('cursor'));
  assert.deepEqual(cursors, [null, '30', '60'], 'each part is asked for once');
});

onPage('a part that cannot be had is asked for by the button, not by the screen', '/app/history/', async ({ page, api, shows }) => {
  await page.waitForSelector('.talk-row:nth-child(30)', { state: 'attached' });
  api.fail({ path: '/api/conversations/', status: 500 });
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await shows('#problem', /server made a mistake/);
  const asked = api.asked.length;
  await page.evaluate(() => scrollTo(0, 0));
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForTimeout(300);
  assert.equal(api.asked.length, asked);
  api.faults = [];
  await page.click('#more');
  await page.waitForSelector('.talk-row:nth-child(60)', { state: 'attached' });
});

onPage('what is searched is found, marked and kept in the address', '/app/history/', async ({ page, api, shows }) => {
  await page.waitForSelector('.talk-row');
  await page.fill('#search', 'alexandria');
  await shows('.snippet mark', /^Alexandria$/);
  await shows('#found', /^1 found$/);
  assert.match(page.url(), /\?q=alexandria$/);
  assert.equal(api.asked.filter(({ query }) => query.get('q')).length, 1, 'asked when the typing ended');
  await page.click('.row-link');
  await page.waitForSelector('.talk-turn');
  const lit = await page.waitForFunction(() => [.../** @type {any} */ (CSS).highlights.get('found')].map(String).join());
  assert.equal(await lit.jsonValue(), 'Alexandria');
  await page.goBack();
  await shows('.snippet mark', /^Alexandria$/);
  await page.fill('#search', 'submarine');
  await shows('#empty', /Nothing has “submarine” in it/);
  await page.fill('#search', '');
  await page.waitForSelector('.talk-row:nth-child(30)', { state: 'attached' });
  assert.doesNotMatch(page.url(), /q=/);
});

onPage('a slow answer to an older search does not replace a newer one', '/app/history/', async ({ page, shows }) => {
  await page.waitForSelector('.talk-row');
  await page.route(/q=day/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 800));
    await route.continue().catch(() => {});
  });
  await page.fill('#search', 'day');
  await page.waitForTimeout(350);
  await page.fill('#search', 'lamp');
  await shows('.snippet mark', /lamp/);
  await page.waitForTimeout(900);
  assert.equal(await page.locator('.talk-row').count(), 1);
});

onPage('a conversation is renamed, by keyboard', '/app/history/', async ({ page, api, shows }) => {
  await page.waitForSelector('.talk-row');
  await page.focus('.talk-row .small-button');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open] input');
  await page.keyboard.type('By the sea');
  await page.keyboard.press('Enter');
  await shows('.talk-row .row-link', /^By the sea$/);
  assert.equal(api.conversations[0].conversation.title, 'By the sea');
  assert.ok(await page.evaluate(() => document.activeElement?.classList.contains('small-button')), 'one is back where one was');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
});

onPage('one conversation is deleted, or all, but never without being asked', '/app/history/', async ({ page, api, shows }) => {
  await page.waitForSelector('.talk-row');
  const bin = page.locator('.talk-row').first().locator('.small-button').nth(1);
  await bin.click();
  await shows('dialog', /Delete this conversation\?[\s\S]*cannot be brought back/);
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(api.conversations.length, 63);
  await bin.click();
  await page.locator('dialog .danger').click();
  await shows('.talk-row:first-child', /meeting\.wav/);
  assert.equal(api.conversations.length, 62);
  await page.click('#delete-all');
  await page.locator('dialog .danger').click();
  await shows('#found', /62 conversations deleted/);
  await shows('#empty', /Nothing here yet/);
  assert.ok(await page.isHidden('#delete-all'));
});

onPage('the words of a conversation light up in time with its sound', TALK, async ({ page, shows }) => {
  await page.waitForSelector('.talk-turn');
  await shows('.talk-turn:nth-child(2) .said.it', /begins\. The oldest[\s\S]*grey words were not heard/);
  await page.click('#player-toggle');
  await page.waitForSelector('.talk-turn:first-child.playing .said.you .now');
  const first = await page.innerText('.now');
  await page.waitForFunction((word) => document.querySelector('.now')?.textContent !== word, first);
  await page.click('#player-toggle');
  await page.waitForFunction(() => !document.getElementById('player')?.classList.contains('playing'));
  const stopped = await page.innerText('.now');
  await page.waitForTimeout(400);
  assert.equal(await page.innerText('.now'), stopped);
  await page.locator('.talk-turn').nth(1).getByRole('button', { name: /Hear the answer/ }).click();
  await page.waitForSelector('.talk-turn:nth-child(2).playing .said.it .now');
  await page.locator('.said.you .words span', { hasText: 'lighthouses' }).click();
  await shows('.talk-turn:nth-child(2) .said.you .now', /lighthouses|instead/);
});

onPage('one part follows another until the conversation is over', TALK, async ({ page }) => {
  await page.waitForSelector('.talk-turn');
  await page.evaluate(() => {
    const parts = /** @type {string[]} */ ([]);
    Object.assign(window, { parts });
    new MutationObserver(() => {
      const part = document.getElementById('player-part')?.textContent ?? '';
      if (parts.at(-1) !== part) parts.push(part);
    }).observe(/** @type {Node} */ (document.getElementById('player')), { subtree: true, childList: true, characterData: true });
  });
  await page.click('#player-toggle');
  await page.waitForFunction(() => /** @type {any} */ (window).parts.length > 4, null, { timeout: 40_000 });
  const parts = await page.evaluate(() => /** @type {any} */ (window).parts);
  assert.deepEqual(parts, ['part 1 of 4', 'part 2 of 4', 'part 3 of 4', 'part 4 of 4', 'part 1 of 4'].slice(parts.length - 5));
});

onPage('a conversation without sound has no player; one that is not there says so', '/app/history/0197b000-0000-7000-8000-000000000002/', async ({ page, go, shows }) => {
  await shows('.talk-turn:nth-child(2) .at', /^0:03$/);
  assert.ok(await page.isHidden('#player'));
  await go('/app/history/0197b000-0000-7000-8000-00000000ffff/');
  await shows('#problem [role=alert]', /not there/);
});

onPage('settings are kept', '/app/settings/', async ({ page, api, shows }) => {
  await page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.getElementById('name')).value === 'Anna');
  await page.fill('#name', 'Anna K.');
  await page.selectOption('#theme', 'dark');
  await page.check('#keep-audio');
  await page.selectOption('#retention', '30');
  await page.click('#profile-form button[type=submit]');
  await shows('#profile-saved', /Saved/);
  assert.deepEqual(api.asked.findLast(({ method }) => method === 'PATCH')?.body, { name: 'Anna K.', language: null, theme: 'dark', keep_audio: true, retention_days: 30 });
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  await page.selectOption('#language', 'ru');
  await page.click('#profile-form button[type=submit]');
  await shows('h1', /Настройки/);
});

onPage('the password is changed, other log-ins are ended, the account is deleted', '/app/settings/', async ({ page, api, shows }) => {
  await page.fill('#current', 'correct horse battery');
  await page.fill('#password', 'short');
  await page.click('#password-form button[type=submit]');
  await shows('#password-error', /10 characters/);
  await page.fill('#password', 'a fresh pass phrase');
  await page.click('#password-form button[type=submit]');
  await shows('#password-saved', /Changed/);
  await shows('#sessions', /Chrome, Linux[\s\S]*this one[\s\S]*Firefox, Android/);
  await page.getByRole('button', { name: 'End the log-in of Firefox, Android' }).click();
  await page.waitForFunction(() => document.querySelectorAll('#sessions li').length === 1);
  await page.click('#leave');
  await page.fill('dialog input', 'wrong');
  await page.locator('dialog .danger').click();
  await shows('#leave-problem [role=alert]', /does not fit/);
  await page.click('#leave');
  await page.fill('dialog input', 'correct horse battery');
  await page.locator('dialog .danger').click();
  await page.waitForURL(/\/login\/$/);
  assert.equal(api.loggedIn, false);
});

onPage('on a server without accounts, the settings are those that make sense there', '/app/settings/', async ({ page, api }) => {
  await page.waitForFunction(() => /** @type {HTMLSelectElement} */ (document.getElementById('retention')).options.length > 1);
  assert.equal(await page.locator('#password-form, #sessions, #leave, #name').count(), 0);
  await page.check('#keep-audio');
  await page.click('#profile-form button[type=submit]');
  await page.waitForFunction(() => document.getElementById('profile-saved')?.textContent !== '');
  assert.equal(api.user.keep_audio, true);
}, { accounts: false });

onPage('a key is shown once, copied, and taken away', '/app/keys/', async ({ page, api, shows }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.click('#new-form button[type=submit]');
  await shows('#name-error', /./);
  await page.fill('#name', 'Phone');
  await page.uncheck('input[value=tts]');
  await page.selectOption('#expires', '30');
  await page.click('#new-form button[type=submit]');
  await shows('#secret', /shown this once[\s\S]*aig_n3w0aaaa/);
  assert.deepEqual(api.asked.findLast(({ method }) => method === 'POST')?.body, { name: 'Phone', scopes: ['asr', 'llm'], expires_in_days: 30 });
  await page.click('#secret-copy');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^aig_n3w0a/);
  await page.reload();
  await shows('#keys li:first-child', /Phone[\s\S]*aig_n3w0…[\s\S]*never used/);
  assert.ok(await page.isHidden('#secret'));
  await page.getByRole('button', { name: 'Revoke “Phone”' }).click();
  await page.locator('dialog .danger').click();
  await shows('#keys li:first-child', /Home automation/);
  assert.equal(api.keys.length, 2);
});

onPage('administrators see the server, and change what people may', '/app/admin/', async ({ page, api, shows }) => {
  await shows('#health', /well[\s\S]*1 of 64[\s\S]*sqlite · 0\.7 ms/);
  await shows('#engines', /Hears that you speak\s+cascade\s+Writes down what you say\s+whisper: nano-en/);
  await shows('#models', /base\.en[\s\S]*148 MB[\s\S]*in use/);
  await shows('#live', /anna@example\.org[\s\S]*conversation[\s\S]*connected/);
  await page.fill('#invite-email', 'dora@example.org');
  await page.selectOption('#invite-language', 'ru');
  await page.click('#invite-form button[type=submit]');
  await shows('#invite-done', /dora@example\.org/);
  assert.deepEqual(api.asked.findLast(({ method }) => method === 'POST')?.body, { email: 'dora@example.org', admin: false, language: 'ru' });
  await page.getByRole('button', { name: 'Disable boris@example.org' }).click();
  await page.locator('dialog .danger').click();
  await shows('#users li:nth-child(2)', /disabled[\s\S]*Enable/);
  assert.equal(api.users[1].disabled, true);
  await page.fill('#users-search', 'vera');
  await page.waitForFunction(() => document.querySelectorAll('#users li').length === 1);
  await shows('#users li', /Vera/);
});
