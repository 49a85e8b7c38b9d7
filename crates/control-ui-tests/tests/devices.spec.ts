import { asked, card, confirm, dialog, expect, go, isLive, test, toast, TOKEN } from './support/test.ts';
import type { Connect } from './support/stage.ts';

const tablet: Connect = {
  device: 'tablet',
  role: 'operator',
  displayName: 'Tablet',
  platform: 'android',
  scopes: ['operator.read'],
};

test('a device that is revoked is disconnected, and has to be approved anew', async ({ owner, stage }) => {
  await stage.paired(tablet);
  await go(owner, 'Devices');
  await expect(card(owner, 'Tablet')).toContainText('connected');
  expect(await stage.alive('tablet')).toBe(true);

  await card(owner, 'Tablet').getByRole('button', { name: /^Revoke/ }).click();
  await expect(dialog(owner)).toContainText('cannot be undone');
  await confirm(owner, 'Revoke');
  await stage.died('tablet');
  await expect(card(owner, 'Tablet')).toContainText('revoked');
  await expect(card(owner, 'Tablet').getByRole('button', { name: /^(Revoke|Rotate)/ })).toHaveCount(0);
  expect(await stage.connect(tablet)).toMatchObject({ connected: false });
});

test('nothing is revoked where the answer is no', async ({ owner, stage }) => {
  await stage.paired(tablet);
  await go(owner, 'Devices');
  for (const no of ['Cancel', 'Escape']) {
    await card(owner, 'Tablet').getByRole('button', { name: /^Revoke/ }).click();
    await expect(dialog(owner)).toBeVisible();
    if (no === 'Escape') await owner.keyboard.press('Escape');
    else await dialog(owner).getByRole('button', { name: no }).click();
    await expect(dialog(owner)).toHaveCount(0);
  }
  expect(await stage.alive('tablet')).toBe(true);
  // Nor does a look at it leave a button off.
  await expect(card(owner, 'Tablet').getByRole('button', { name: /^Revoke/ })).toBeEnabled();
});

test('a device whose token is rotated is disconnected, and comes back by the gateway’s', async ({ owner, stage }) => {
  await stage.paired(tablet);
  await go(owner, 'Devices');
  await card(owner, 'Tablet').getByRole('button', { name: /^Rotate/ }).click();
  await confirm(owner, 'Rotate');
  await stage.died('tablet');
  await expect(card(owner, 'Tablet')).toContainText('rotated');
  expect(await stage.connect(tablet)).toMatchObject({ connected: true });
});

test('a device is removed', async ({ owner, stage }) => {
  await stage.paired(tablet);
  await go(owner, 'Devices');
  await card(owner, 'Tablet').getByRole('button', { name: 'Remove Tablet' }).click();
  await confirm(owner, 'Remove');
  await stage.died('tablet');
  await expect(card(owner, 'Tablet')).toHaveCount(0);
  expect((await stage.stored()).paired).toHaveLength(1);
});

test('a legacy node is removed', async ({ owner, stage }) => {
  await stage.nodeAsks('kitchen', 'Kitchen');
  await card(owner, 'Kitchen').getByRole('button', { name: 'Approve Kitchen' }).click();
  await owner.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  await go(owner, 'Devices');
  await card(owner, 'Kitchen').getByRole('button', { name: 'Remove Kitchen' }).click();
  await confirm(owner, 'Remove');
  await expect(card(owner, 'Kitchen')).toHaveCount(0);
  expect((await stage.stored()).nodes).toEqual([]);
});

test('a device is given another name, and that is undone', async ({ owner, stage }) => {
  const id = await stage.paired(tablet);
  await go(owner, 'Devices');
  await card(owner, 'Tablet').getByRole('button', { name: 'Rename Tablet' }).click();
  const name = dialog(owner).getByRole('textbox', { name: 'Name' });
  await expect(name).toHaveValue('Tablet');
  await name.fill('Kitchen tablet');
  await name.press('Enter');
  await expect(card(owner, 'Kitchen tablet')).toBeVisible();
  const nameNow = async () => (await stage.stored()).paired.find(({ deviceId }) => deviceId === id)?.name;
  expect(await nameNow()).toBe('Kitchen tablet');
  await toast(owner, 'Kitchen tablet').getByRole('button', { name: 'Undo' }).click();
  await expect(card(owner, 'Tablet')).toBeVisible();
  expect(await nameNow()).toBe('Tablet');
  expect(await stage.alive('tablet')).toBe(true);
});

test('the page that revokes its own token is signed out', async ({ owner }) => {
  await go(owner, 'Devices');
  const own = owner.getByRole('article').filter({ hasText: 'this browser' });
  await own.getByRole('button', { name: /^Revoke/ }).click();
  await expect(dialog(owner)).toContainText('This is the browser that you are using');
  await confirm(owner, 'Revoke');
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(owner.getByRole('alert')).toBeVisible();
  await owner.reload();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('the page that rotates its own token goes on by the new one', async ({ owner }) => {
  await go(owner, 'Devices');
  const own = owner.getByRole('article').filter({ hasText: 'this browser' });
  await own.getByRole('button', { name: /^Rotate/ }).click();
  await confirm(owner, 'Rotate');
  await expect(own).toContainText('rotated');
  await isLive(owner);
  await owner.reload();
  await isLive(owner);
});

test('a page whose token is ended elsewhere is signed out', async ({ owner, stage }) => {
  const [own] = (await stage.stored()).paired;
  await stage.revokeToken(own?.deviceId ?? '', 'operator');
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(owner.getByRole('alert')).toContainText('ended');
});

test('a device that comes and goes shows so', async ({ owner, stage }) => {
  await stage.paired(tablet);
  await go(owner, 'Devices');
  await expect(card(owner, 'Tablet')).toContainText('connected since');
  await stage.leave('tablet');
  await expect(card(owner, 'Tablet')).not.toContainText('connected since');
  await stage.connect(tablet);
  await expect(card(owner, 'Tablet')).toContainText('connected since');
});

test('devices are found by name, kind and id', async ({ owner, stage }) => {
  const id = await stage.paired(tablet);
  await stage.paired({ device: 'laptop', role: 'operator', displayName: 'Laptop', platform: 'macos' });
  await go(owner, 'Devices');
  await expect(owner.getByRole('article')).toHaveCount(3);
  for (const wanted of ['tabl', 'ANDROID', id.slice(0, 10)]) {
    await owner.getByRole('searchbox', { name: 'Search' }).fill(wanted);
    await expect(owner.getByRole('article')).toHaveCount(1);
    await expect(card(owner, 'Tablet')).toBeVisible();
  }
});

test('both pages of a browser go on when one of them has its token rotated', async ({ owner, context }) => {
  const second = await context.newPage();
  await second.goto('/#devices');
  await isLive(second);
  await go(owner, 'Devices');
  const own = owner.getByRole('article').filter({ hasText: 'this browser' });
  await own.getByRole('button', { name: /^Rotate/ }).click();
  await confirm(owner, 'Rotate');
  for (const page of [owner, second]) {
    await expect(page.getByRole('article').filter({ hasText: 'this browser' })).toContainText('rotated');
    await isLive(page);
  }
});

test('both pages of a browser are signed out when one is', async ({ owner, context, stage }) => {
  const second = await context.newPage();
  await second.goto('/');
  await isLive(second);
  await owner.getByRole('button', { name: 'Sign out' }).click();
  await confirm(owner, 'Sign out');
  for (const page of [owner, second]) await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect((await stage.stored()).paired).toEqual([]);
});

test('two pages that open at once are one device', async ({ context, stage }) => {
  const pages = await Promise.all([context.newPage(), context.newPage()]);
  await Promise.all(pages.map((page) => page.goto(`/#token=${TOKEN}`)));
  await Promise.all(pages.map(asked));
  const { pending } = await stage.stored();
  expect(pending).toHaveLength(1);
  await stage.approve(pending[0]?.requestId ?? '');
  await Promise.all(pages.map(isLive));
  expect((await stage.stored()).paired).toHaveLength(1);
});
