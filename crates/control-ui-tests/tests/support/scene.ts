// Something of everything, for what looks at every view.

import type { Page } from '@playwright/test';

import { card, expect, go, isLive, signIn, type Stage } from './test.ts';

export const VIEWS = ['Waiting', 'People', 'Devices', 'Pair a phone', 'History', 'Health'] as const;

/** A gateway at work: people who were let in, devices of three kinds, and somebody of each kind who waits. */
export async function furnish(page: Page, stage: Stage): Promise<void> {
  await signIn(page, stage);
  for (const sender of ['700000001', '700000002', '700000003']) await stage.allow(sender);
  await stage.approveSender(await stage.writes('700000004', { name: 'Ben' }));
  const laptop = await stage.paired({
    device: 'laptop',
    role: 'operator',
    displayName: 'Laptop',
    platform: 'macos',
    scopes: ['operator.read', 'operator.write'],
  });
  await stage.paired({ device: 'camera', role: 'node', displayName: 'Door camera', platform: 'linux', commands: ['camera.snap'] });
  await stage.rename(laptop, 'Work laptop');
  await stage.nodeAsks('kitchen', 'Kitchen', ['canvas.show']);
  await stage.asks({
    device: 'tablet',
    role: 'operator',
    displayName: 'Tablet',
    platform: 'android',
    deviceFamily: 'Pixel Tablet',
    scopes: ['operator.read', 'operator.approvals'],
  });
  await stage.writes('700000042', { name: 'Zoe', username: 'zoe' });
  await go(page, 'Waiting');
  for (const name of ['Kitchen', 'Tablet', 'Zoe']) await settled(page, name);
  await isLive(page);
}

/** A card that may be pressed. */
export async function settled(page: Page, name: string): Promise<void> {
  await expect(card(page, name).getByRole('button', { name: `Approve ${name}` })).toBeEnabled();
}

/** Goes to a view, and waits until it shows what it shows. */
export async function look(page: Page, view: (typeof VIEWS)[number]): Promise<void> {
  await go(page, view);
  const main = page.getByRole('main');
  if (view === 'People') {
    await page.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Telegram' });
    await expect(main.getByText('4 senders')).toBeVisible();
  }
  if (view === 'Devices') await expect(card(page, 'Work laptop')).toBeVisible();
  if (view === 'History') await expect(main.getByRole('row').nth(4)).toBeVisible();
  if (view === 'Health') {
    for (const part of ['Faults', 'Gateway', 'Store', 'Channels', 'Warnings']) {
      await expect(main.getByRole('heading', { name: part })).toBeVisible();
    }
    await expect(main.getByText('files in the state directory')).toBeVisible();
  }
}

/** Makes a setup code for a phone. */
export async function makeCode(page: Page, access = 'A node only'): Promise<void> {
  await page.getByRole('radio', { name: access }).check();
  await page.getByLabel('Address of the gateway').fill('wss://gateway.example.ts.net');
  await page.getByRole('button', { name: 'Make a code' }).click();
  await expect(page.getByRole('img', { name: 'QR code' })).toBeVisible();
}
