// What it is like with many. Times are printed, and only what does not depend on the machine is asserted.

import type { Page } from '@playwright/test';

import { card, expect, go, signIn, test } from './support/test.ts';

const SENDERS = 10_000;
const DEVICES = 1_000;
/** What is shown of many is a part. */
const MOST_ELEMENTS = 5_000;

/** Notes what keeps the page from answering. */
function watchTasks(): void {
  const tasks: number[] = [];
  Object.assign(globalThis, { tasks });
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
    entryTypes: ['longtask'],
  });
}

async function longTasks(page: Page): Promise<string> {
  const tasks = await page.evaluate(() => (globalThis as unknown as { tasks: number[] }).tasks.splice(0));
  const longest = Math.max(0, ...tasks);
  return tasks.length === 0 ? 'no long task' : `${tasks.length} long tasks, the longest ${longest.toFixed(0)} ms`;
}

/** How long the page takes from a keystroke to the next frame that shows what comes of it. */
async function timeToFilter(page: Page, text: string): Promise<number> {
  const search = page.getByRole('searchbox', { name: 'Search' });
  return search.evaluate(async (element, value) => {
    const input = element as HTMLInputElement;
    const begun = performance.now();
    input.value = value;
    input.dispatchEvent(new InputEvent('input', { bubbles: true }));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return performance.now() - begun;
  }, text);
}

test.setTimeout(120_000);

test('ten thousand senders and a thousand devices', async ({ page, stage }) => {
  await stage.seed({ senders: SENDERS, devices: DEVICES });
  await page.addInitScript(watchTasks);
  let begun = Date.now();
  await signIn(page, stage);
  await expect(page.getByRole('main').getByRole('heading', { name: 'Waiting' })).toBeVisible();
  console.log(`many: signed in after ${Date.now() - begun} ms (2 s of it between two looks), ${await longTasks(page)}`);

  begun = Date.now();
  await page.reload();
  await expect(page.getByRole('status').filter({ hasText: /^Live$/ })).toBeVisible();
  console.log(`many: loaded anew after ${Date.now() - begun} ms, ${await longTasks(page)}`);

  begun = Date.now();
  await go(page, 'People');
  await page.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Telegram' });
  await expect(page.getByText('10,000 senders')).toBeVisible();
  console.log(`many: senders shown after ${Date.now() - begun} ms, ${await longTasks(page)}`);
  const rows = page.getByRole('listitem').filter({ has: page.getByRole('button', { name: /^Revoke/ }) });
  expect(await rows.count()).toBeLessThanOrEqual(200);
  expect(await rows.count()).toBeGreaterThan(20);

  const times = [];
  for (const text of ['7', '70', '700009', '700009999', '']) times.push((await timeToFilter(page, text)).toFixed(0));
  console.log(`many: senders filtered in ${times.join(', ')} ms, ${await longTasks(page)}`);
  await page.getByRole('searchbox', { name: 'Search' }).fill('700009999');
  await expect(rows).toHaveCount(1);
  await expect(page.getByText('1 of 10,000 senders')).toBeVisible();
  await page.getByRole('searchbox', { name: 'Search' }).fill('');
  await page.getByRole('button', { name: 'Show more' }).click();
  expect(await page.locator('*').count()).toBeLessThan(MOST_ELEMENTS);

  begun = Date.now();
  await go(page, 'Devices');
  await expect(page.getByText('1,001 devices')).toBeVisible();
  console.log(`many: devices shown after ${Date.now() - begun} ms, ${await longTasks(page)}`);
  const found = [];
  for (const text of ['d', 'device 99', 'device 1000', '']) found.push((await timeToFilter(page, text)).toFixed(0));
  console.log(`many: devices filtered in ${found.join(', ')} ms, ${await longTasks(page)}`);
  await page.getByRole('searchbox', { name: 'Search' }).fill('device 1000');
  await expect(page.getByRole('article')).toHaveCount(1);
  expect(await page.locator('*').count()).toBeLessThan(MOST_ELEMENTS);

  begun = Date.now();
  await stage.writes('555', { name: 'Zoe' });
  await expect(page).toHaveTitle('(1) OpenClaw');
  console.log(`many: a request shown ${Date.now() - begun} ms after it came, ${await longTasks(page)}`);
  begun = Date.now();
  await go(page, 'Waiting');
  await card(page, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
  await expect(card(page, 'Zoe')).toHaveCount(0);
  console.log(`many: and decided in ${Date.now() - begun} ms, ${await longTasks(page)}`);
  expect((await stage.stored()).allowed).toHaveLength(SENDERS + 1);
});

test('a long log is read by parts', async ({ page, stage }) => {
  const entry = { action: 'approved', by: 'terminal:owner', via: 'terminal', channel: 'telegram', account: 'default' };
  const lines = Array.from({ length: 2_000 }, (_, n) => ({
    at: new Date(1_790_000_000_000 + n * 1000).toISOString(),
    ...entry,
    sender: String(600_000_000 + n),
  }));
  for (const line of lines) await stage.log(line);
  await page.addInitScript(watchTasks);
  await signIn(page, stage);
  const begun = Date.now();
  await go(page, 'History');
  await expect(page.getByText('The newest 100.')).toBeVisible();
  console.log(`many: the log shown after ${Date.now() - begun} ms, ${await longTasks(page)}`);
  expect(await page.locator('*').count()).toBeLessThan(MOST_ELEMENTS);
  await page.getByRole('searchbox', { name: 'Person' }).fill('600000001');
  await expect(page.getByText('1 in all.')).toBeVisible();
  await expect(page.getByRole('table')).toContainText('600000001');
});
