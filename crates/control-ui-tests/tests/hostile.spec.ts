// Names that strangers choose are shown as what they are: text.

import type { Page } from '@playwright/test';

import { ask, card, expect, go, test } from './support/test.ts';

const HTML = '<img src=x onerror=alert(1)><b id=injected>bold</b>';
const SCRIPT = '</script><script>alert(2)</script>';
const TEMPLATE = '{{constructor.constructor("alert(3)")()}}${alert(4)}';
/** What turns around, hides or breaks what is around it. */
const BIDI = '\u202Etxt.exe\u2066 Zoe\u2069';
const HIDDEN = 'Z\u200Bo\u00ADe\u{E0041}';
const LONG = 'x'.repeat(10_000);

/** Nothing but what the page makes itself is in it. */
async function isIntact(page: Page): Promise<void> {
  await expect(page.locator('#injected, script:not([src]), img:not([src^="ui/"]), iframe, object, style')).toHaveCount(0);
  const text = await page.locator('body').innerText();
  expect(text).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B\u00AD\u{E0041}]/u);
  // eslint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/);
  // Nor does any of it make the page wider than it is.
  const { inner, outer } = await page.evaluate(() => ({
    inner: document.documentElement.scrollWidth,
    outer: document.documentElement.clientWidth,
  }));
  expect(inner).toBeLessThanOrEqual(outer);
}

async function approveAll(page: Page): Promise<void> {
  const cards = page.getByRole('article');
  for (let left = await cards.count(); left > 0; left -= 1) {
    await cards.first().getByRole('button', { name: /^Approve/ }).click();
    await expect(cards).toHaveCount(left - 1);
  }
}

test('what senders say about themselves', async ({ owner, stage }) => {
  await stage.writes('501', { name: HTML, username: SCRIPT, [HTML]: TEMPLATE });
  await expect(card(owner, HTML)).toContainText(SCRIPT);
  await expect(card(owner, HTML)).toContainText(TEMPLATE);
  await isIntact(owner);

  await stage.writes('502', { name: BIDI, bio: HIDDEN });
  const turned = owner.getByRole('article').filter({ hasText: '502' });
  await expect(turned).toContainText('\\u{202e}txt.exe\\u{2066} Zoe\\u{2069}');
  await expect(turned).toContainText('Z\\u{200b}o\\u{ad}e\\u{e0041}');
  await isIntact(owner);

  await stage.writes('503', { name: LONG, bio: LONG });
  const long = owner.getByRole('article').filter({ hasText: '503' });
  await expect(long).toContainText('xxx…');
  expect((await long.innerText()).length).toBeLessThan(2_000);
  await isIntact(owner);

  // Their buttons are theirs, still.
  await turned.getByRole('button', { name: /^Reject/ }).click();
  await expect(turned).toHaveCount(0);
  expect((await stage.stored()).waiting.sort()).toEqual(['501', '503']);
});

test('what channels call senders', async ({ owner, stage }) => {
  const html = '<b/id=injected><img/src=x/onerror=alert(1)>@example.org';
  const turned = `u\u202Exe.${'y'.repeat(200)}`;
  await stage.writes(html, {}, { channel: 'imessage' });
  await stage.writes(turned, {}, { channel: 'slack' });
  await expect(owner.getByRole('article')).toHaveCount(2);
  await expect(owner.getByRole('article').filter({ hasText: html })).toBeVisible();
  await expect(owner.getByRole('article').filter({ hasText: 'u\\u{202e}xe.yyy' })).toBeVisible();
  await isIntact(owner);
  await approveAll(owner);
  await isIntact(owner);

  await go(owner, 'People');
  for (const [channel, id] of [['iMessage', html], ['Slack', 'u\\u{202e}xe.yyy']] as const) {
    await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: channel });
    await expect(owner.getByRole('listitem').filter({ hasText: id })).toBeVisible();
    await isIntact(owner);
  }
  await go(owner, 'History');
  await expect(owner.getByRole('table')).toContainText(html);
  await expect(owner.getByRole('table')).toContainText('u\\u{202e}xe.yyy');
  await isIntact(owner);
});

test('what devices say about themselves', async ({ owner, stage }) => {
  const devices = [
    { device: 'a', displayName: HTML, platform: SCRIPT, deviceFamily: TEMPLATE },
    { device: 'b', displayName: BIDI, platform: HIDDEN },
    { device: 'c', displayName: LONG },
    { device: 'd', displayName: 'Bell\u0007 and\nnews\u009b31m' },
  ];
  for (const one of devices) await stage.asks({ role: 'operator', scopes: ['operator.read'], ...one });
  await expect(owner.getByRole('article')).toHaveCount(devices.length);
  await expect(card(owner, '\\u{202e}txt.exe\\u{2066} Zoe\\u{2069}')).toBeVisible();
  await isIntact(owner);

  await approveAll(owner);
  await isIntact(owner);
  await go(owner, 'Devices');
  await expect(owner.getByRole('article')).toHaveCount(1 + devices.length);
  await isIntact(owner);

  // In a dialog, too.
  await card(owner, '\\u{202e}txt.exe\\u{2066} Zoe\\u{2069}').getByRole('button', { name: /^Remove/ }).click();
  await expect(owner.getByRole('alertdialog')).toBeVisible();
  await isIntact(owner);
  await owner.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
});

test('what legacy nodes say about themselves', async ({ owner, stage }) => {
  await stage.nodeAsks('kitchen', HTML, [SCRIPT.slice(0, 60)]);
  await expect(owner.getByRole('article')).toHaveCount(1);
  await isIntact(owner);
});

test('what browsers say about themselves', async ({ owner, another, stage }) => {
  const other = await another();
  await other.addInitScript((name) => {
    Object.defineProperty(navigator, 'platform', { get: () => name });
  }, '<b id=injected>Linux');
  await other.goto('/');
  await ask(other);
  await expect(owner.getByRole('article')).toContainText('<b id=injected>Linux');
  await isIntact(owner);
  expect((await stage.stored()).pending).toHaveLength(1);
});

test('what the log says', async ({ owner, stage }) => {
  const id = await stage.paired({ device: 'a', role: 'operator', displayName: HTML });
  await stage.rename(id, SCRIPT);
  await stage.allow('501');
  const code = await stage.writes('502', { name: HTML });
  await stage.approveSender(code);
  await go(owner, 'History');
  await expect(owner.getByRole('table', { name: 'History' })).toContainText('502');
  await expect(owner.getByRole('table', { name: 'History' })).toContainText('renamed');
  await isIntact(owner);
});

test('a log that somebody has written into', async ({ owner, stage }) => {
  const at = '2026-11-22T13:31:00.000Z';
  await stage.log({ at, action: 'removed', by: HTML, via: 'terminal', node: HTML });
  await stage.log({ at, action: 'issued', by: `telegram:${BIDI}`, via: 'chat', chat: `${SCRIPT} ${BIDI}` });
  await stage.log({ at, action: HTML, by: 'terminal:owner', via: 'terminal', node: 'a' });
  await stage.log({ at, action: 'removed', by: 'terminal:owner', via: 'terminal', node: LONG });
  await go(owner, 'History');
  const table = owner.getByRole('table', { name: 'History' });
  await expect(table).toContainText(HTML);
  await expect(table).toContainText(SCRIPT);
  await expect(table).toContainText('\\u{202e}txt.exe');
  await expect(owner.getByText(/lines? of the log cannot be understood/)).toBeVisible();
  await isIntact(owner);
});
