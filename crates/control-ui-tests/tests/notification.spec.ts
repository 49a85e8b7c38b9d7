import type { Page } from '@playwright/test';

import { card, expect, isLive, test } from './support/test.ts';

/** What a browser would have shown, and whether the page is looked at. */
function record(): void {
  const shown: { title: string; body?: string }[] = [];
  class Recorded {
    static permission: NotificationPermission = 'default';
    static async requestPermission() {
      return (Recorded.permission = 'granted');
    }
    onclick: (() => void) | null = null;
    constructor(title: string, options: NotificationOptions = {}) {
      shown.push({ title, ...(options.body === undefined ? {} : { body: options.body }) });
      Object.assign(globalThis, { newest: this });
    }
    close() {}
  }
  let hidden = false;
  Object.defineProperty(document, 'hidden', { get: () => hidden });
  Object.assign(globalThis, { Notification: Recorded, shown, hide: (to: boolean) => (hidden = to) });
}

interface Recorded {
  shown: { title: string; body?: string }[];
  newest: Notification;
  hide: (to: boolean) => void;
}

const shown = (page: Page) => page.evaluate(() => (globalThis as unknown as Recorded).shown);
const hide = (page: Page, to: boolean) => page.evaluate((hidden) => (globalThis as unknown as Recorded).hide(hidden), to);

test.beforeEach(async ({ page }) => page.addInitScript(record));

test('whoever comes while nobody looks is told of', async ({ owner, stage }) => {
  await owner.getByRole('button', { name: 'Notify me' }).click();
  await expect(owner.getByRole('button', { name: 'Notify me' })).toHaveCount(0);

  await stage.writes('555', { name: 'Zoe' });
  await expect(card(owner, 'Zoe')).toBeVisible();
  expect(await shown(owner)).toEqual([]);

  await hide(owner, true);
  await stage.writes('777', { name: '\u202EAnn<b>' });
  await expect.poll(() => shown(owner)).toHaveLength(1);
  const [note] = await shown(owner);
  expect(note?.body).toContain('\\u{202e}Ann<b>');
  expect(JSON.stringify(note)).not.toMatch(/[A-Z0-9]{8}/);

  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await expect.poll(() => shown(owner)).toHaveLength(2);

  // Pressed, it leads to who waits.
  await owner.evaluate(() => {
    location.hash = 'health';
    (globalThis as unknown as Recorded).newest.onclick?.(new Event('click'));
  });
  await expect(owner).toHaveURL(/#waiting$/);
});

test('nobody is told of twice, nor of who waited before', async ({ owner, stage }) => {
  await owner.getByRole('button', { name: 'Notify me' }).click();
  await hide(owner, true);
  await stage.writes('555', { name: 'Zoe' });
  await expect.poll(() => shown(owner)).toHaveLength(1);
  await stage.writes('555', { name: 'Zoe' });
  await stage.restart();
  await isLive(owner);
  await stage.writes('777', { name: 'Ann' });
  await expect.poll(() => shown(owner)).toHaveLength(2);
  expect((await shown(owner)).filter(({ body }) => body?.includes('Zoe'))).toHaveLength(1);
});

test('nobody is told who did not want to be', async ({ owner, stage }) => {
  await hide(owner, true);
  await stage.writes('555', { name: 'Zoe' });
  await expect(owner).toHaveTitle('(1) OpenClaw');
  expect(await shown(owner)).toEqual([]);
});
