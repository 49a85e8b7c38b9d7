import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { type Stage, expect, go, isLive, test } from './support/test.ts';

const CODE = 'sgnl://linkdevice?uuid=kQz1mYsHn0Gd4vC2&pub_key=BUvWxYz0123456789abcdefghijklmnopqrstuvw';

/** A gateway with a bot whose account is linked by a code. */
async function begin(owner: Page, stage: Stage): Promise<void> {
  await stage.restart(undefined, 'linked');
  await isLive(owner);
  await go(owner, 'Health');
  await owner.getByRole('button', { name: 'Link Telegram' }).click();
  await expect(owner.getByText('Asking for a code.')).toBeVisible();
}

test('an account is linked by the code in the picture', async ({ owner, stage }, { outputDir }) => {
  await begin(owner, stage);
  await stage.link('code', CODE);
  const picture = owner.getByRole('img', { name: 'QR code' });
  await expect(picture).toBeVisible();
  await expect(owner.getByText('in the app on the phone: Settings, Linked devices')).toBeVisible();
  await expect(owner.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await expect(owner.getByRole('button', { name: 'Link Telegram' })).toBeHidden();
  const path = join(outputDir, 'code.png');
  await picture.screenshot({ path });
  expect(await stage.decode(path)).toBe(CODE);

  await stage.link('scanned');
  await expect(owner.getByText('Accepted. The account is being set up.')).toBeVisible();
  await expect(picture).toHaveCount(0);
  await stage.link('linked', '+15550001111');
  await expect(owner.getByText('Linked as +15550001111.')).toBeVisible();
  await expect(owner.getByRole('button', { name: 'Link Telegram' })).toBeVisible();
});

test('a login that fails says why, and what to do', async ({ owner, stage }) => {
  await begin(owner, stage);
  await stage.link('code', CODE);
  await expect(owner.getByRole('img', { name: 'QR code' })).toBeVisible();
  await stage.link('failed', 'signal-cli <b>cannot</b> be started');
  await expect(owner.getByText('Not linked: signal-cli <b>cannot</b> be started: install signal-cli.')).toBeVisible();
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
});

test('a login is given up, and another one begun', async ({ owner, stage }, { outputDir }) => {
  await begin(owner, stage);
  await stage.link('code', CODE);
  await owner.getByRole('button', { name: 'Cancel' }).click();
  await expect(owner.getByText('Cancelled')).toBeVisible();
  const picture = owner.getByRole('img', { name: 'QR code' });
  await expect(picture).toHaveCount(0);
  await owner.getByRole('button', { name: 'Link Telegram' }).click();
  await expect(owner.getByText('Asking for a code.')).toBeVisible();
  await stage.link('code', `${CODE}2`);
  await expect(picture).toBeVisible();
  const path = join(outputDir, 'code.png');
  await picture.screenshot({ path });
  expect(await stage.decode(path)).toBe(`${CODE}2`);
});

test('a code does not outlast the connection', async ({ owner, stage }) => {
  await begin(owner, stage);
  await stage.link('code', CODE);
  await expect(owner.getByRole('img', { name: 'QR code' })).toBeVisible();
  await stage.stop();
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
  await expect(owner.getByText('It is not known whether the account was linked')).toBeVisible();
});

test('without such an account there is nothing to link', async ({ owner }) => {
  await go(owner, 'Health');
  await expect(owner.getByRole('heading', { name: 'Warnings' })).toBeVisible();
  await expect(owner.getByRole('heading', { name: 'Link an account' })).toBeHidden();
});
