import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { type Stage, card, expect, go, test, toast } from './support/test.ts';

const URL_OF_TESTS = 'ws://127.0.0.1';
const MINUTE = 60_000;

/** Makes a code; what is in its picture. */
async function makeCode(page: Page, stage: Stage, folder: string, access = 'A node only'): Promise<string> {
  await go(page, 'Pair a phone');
  await page.getByRole('radio', { name: access }).check();
  await page.getByLabel('Address of the gateway').fill(`${URL_OF_TESTS}:${stage.port}`);
  await page.getByRole('button', { name: 'Make a code' }).click();
  const picture = page.getByRole('img', { name: 'QR code' });
  await expect(picture).toBeVisible();
  const path = join(folder, 'code.png');
  await picture.screenshot({ path });
  return stage.decode(path);
}

test('the code in the picture pairs a node', async ({ owner, stage }, { outputDir }) => {
  const setupCode = await makeCode(owner, stage, outputDir);
  await expect(owner.locator('code').filter({ hasText: setupCode })).toBeVisible();
  const says = JSON.parse(Buffer.from(setupCode, 'base64url').toString()) as { url: string };
  expect(says.url).toContain(`${URL_OF_TESTS}:${stage.port}`);
  await expect(owner.getByText(/^\d+:\d\d$/)).toBeVisible();

  const phone = { device: 'phone', role: 'node', displayName: 'Phone', platform: 'ios', setupCode } as const;
  await stage.asks(phone);
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
  await expect(owner.locator('code').filter({ hasText: setupCode })).toHaveCount(0);
  await card(owner, 'Phone').getByRole('button', { name: 'Approve Phone' }).click();
  await expect(owner.getByText('Phone is paired').first()).toBeVisible();
  expect(await stage.connect(phone)).toMatchObject({ connected: true });
  await expect(owner.getByText('Phone is paired, and connected')).toBeVisible();

  // It was good for one phone.
  const other = await stage.connect({ ...phone, device: 'other' });
  expect(other).toMatchObject({ connected: false });
  expect(other.requestId).toBeFalsy();
});

test('a phone with full access is an operator, too', async ({ owner, stage }, { outputDir }) => {
  const setupCode = await makeCode(owner, stage, outputDir, 'Full');
  const phone = { device: 'phone', displayName: 'Phone', setupCode } as const;
  await stage.asks({ ...phone, role: 'node' });
  await expect(card(owner, 'Phone')).toContainText('operator.admin');
  await card(owner, 'Phone').getByRole('button', { name: 'Approve Phone' }).click();
  await expect(card(owner, 'Phone')).toHaveCount(0);
  const connected = await stage.connect({ ...phone, role: 'operator', scopes: ['operator.admin'] });
  expect(connected).toMatchObject({ connected: true, scopes: ['operator.admin'] });
});

test('a code that was cancelled is refused', async ({ owner, stage }, { outputDir }) => {
  const setupCode = await makeCode(owner, stage, outputDir);
  await owner.getByRole('button', { name: 'Cancel' }).click();
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
  await expect(owner.getByText('was cancelled')).toBeVisible();
  await expect
    .poll(async () => stage.connect({ device: 'phone', role: 'node', setupCode }))
    .toMatchObject({ connected: false, code: 'AUTH_BOOTSTRAP_TOKEN_INVALID' });
  expect((await stage.stored()).pending).toEqual([]);
});

test('a code that is too old is gone, and refused', async ({ owner, stage }, { outputDir }) => {
  const setupCode = await makeCode(owner, stage, outputDir);
  await stage.move(11 * MINUTE);
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
  await expect(owner.getByText('too old')).toBeVisible();
  const asked = await stage.connect({ device: 'phone', role: 'node', setupCode });
  expect(asked).toMatchObject({ connected: false, code: 'AUTH_BOOTSTRAP_TOKEN_INVALID' });
});

test('who asks otherwise meanwhile is not taken for the phone', async ({ owner, stage }, { outputDir }) => {
  await makeCode(owner, stage, outputDir);
  await stage.asks({ device: 'other', role: 'node', displayName: 'Phone' });
  await expect(owner).toHaveTitle('(1) OpenClaw');
  await expect(owner.getByRole('img', { name: 'QR code' })).toBeVisible();
  await expect(owner.getByRole('article')).toHaveCount(0);
});

test('a phone is turned down', async ({ owner, stage }, { outputDir }) => {
  const setupCode = await makeCode(owner, stage, outputDir);
  const phone = { device: 'phone', role: 'node', displayName: 'Phone', setupCode } as const;
  await stage.asks(phone);
  await card(owner, 'Phone').getByRole('button', { name: 'Reject Phone' }).click();
  await expect(card(owner, 'Phone')).toHaveCount(0);
  expect((await stage.stored()).paired).toHaveLength(1);
});

test('an address that no phone finds is told', async ({ owner }) => {
  await go(owner, 'Pair a phone');
  await owner.getByLabel('Address of the gateway').fill('');
  await owner.getByRole('button', { name: 'Make a code' }).click();
  // This one listens to its own machine alone.
  await expect(toast(owner, 'no address is known')).toBeVisible();
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
  // Nor is anything taken for one that is none.
  await owner.getByLabel('Address of the gateway').fill('http://example.org');
  await owner.getByRole('button', { name: 'Make a code' }).click();
  await expect(toast(owner, /url/i)).toBeVisible();
  await expect(owner.getByRole('img', { name: 'QR code' })).toHaveCount(0);
});
