import { confirm, expect, go, signIn, test } from './support/test.ts';

test('what was decided is told, with who decided', async ({ owner, stage }) => {
  await stage.approveSender(await stage.writes('555', { name: 'Zoe' }));
  await go(owner, 'People');
  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Telegram' });
  await owner.getByRole('button', { name: 'Revoke 555' }).click();
  await go(owner, 'History');
  const rows = owner.getByRole('table', { name: 'History' }).getByRole('row').filter({ hasText: '555' });
  await expect(rows).toHaveCount(2);
  // The newest first; each by the one who did it.
  await expect(rows.first()).toContainText('revoked');
  await expect(rows.first()).toContainText('Chrome on');
  await expect(rows.last()).toContainText('approved');
  await expect(rows.last()).toContainText('terminal');
});

test('it shows by itself what is decided meanwhile', async ({ owner, stage }) => {
  await go(owner, 'History');
  await expect(owner.getByRole('table', { name: 'History' })).toBeVisible();
  await stage.allow('555');
  await expect(owner.getByRole('table', { name: 'History' })).toContainText('555');
});

test('a part of it is found by channel, person and device', async ({ owner, stage }) => {
  const id = await stage.paired({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await stage.allow('555');
  await stage.allow('77712');
  await stage.allow('+15551234567', 'signal');
  await go(owner, 'History');
  const rows = owner.getByRole('table', { name: 'History' }).locator('tbody').getByRole('row');
  await expect(rows).toHaveCount(5);

  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Signal' });
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText('+15551234567');
  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Telegram' });
  await expect(rows).toHaveCount(2);
  await owner.getByLabel('Person').fill('777');
  await expect(rows).toHaveCount(1);
  await owner.getByLabel('Person').fill('');
  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'all' });
  await owner.getByLabel('Device').fill(id.slice(0, 12));
  await expect(rows).toHaveCount(1);
  await owner.getByLabel('Device').fill('nothing');
  await expect(owner.getByText('Nothing of the kind')).toBeVisible();
});

test('who may not see devices sees no more of their history', async ({ page, stage }) => {
  const id = await stage.paired({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await stage.allow('555');
  await signIn(page, stage, 'Decide who is paired');
  await go(page, 'History');
  const table = page.getByRole('table', { name: 'History' });
  await expect(table).toContainText('555');
  await expect(table).not.toContainText(id.slice(0, 12));
});

test('how the gateway is', async ({ owner, stage }) => {
  await stage.restart(undefined, 'heard');
  await go(owner, 'Health');
  const main = owner.getByRole('main');
  await expect(main).toContainText('can be read and written');
  await expect(main).toContainText('files in the state directory');
  const telegram = owner.getByRole('row').filter({ hasText: 'Telegram' });
  await expect(telegram).toContainText('connected');
  await expect(main.getByRole('heading', { name: 'Warnings' })).toBeVisible();
});

test('what does not work is told, with the reason and what to do', async ({ owner, stage }) => {
  await go(owner, 'Health');
  await expect(owner.getByRole('main')).toContainText('Every part works.');
  await stage.restart(undefined, 'refused');
  const faults = owner.getByRole('list', { name: 'Faults' });
  await expect(async () => {
    await owner.getByRole('button', { name: 'Look again' }).click();
    await expect(faults).toContainText('account telegram:default: down since', { timeout: 500 });
  }).toPass();
  await expect(faults).toContainText('Unauthorized (401)');
  await expect(faults).toContainText('channels status');
});

test('what the doctor finds is told', async ({ owner, stage }) => {
  // A slip: nothing in the file counts by that name.
  await stage.restart(`{ gateway: { auth: { token: 'correct-horse-battery-staple' } }, channels: { telegram: { dmpolicy: 'open' } } }`);
  await go(owner, 'Health');
  await owner.getByRole('button', { name: 'Look again' }).click();
  await expect(owner.getByRole('main')).toContainText('dmpolicy');
});

test('what was removed is in it', async ({ owner, stage }) => {
  await stage.paired({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await go(owner, 'Devices');
  await owner.getByRole('button', { name: 'Remove Tablet' }).click();
  await confirm(owner, 'Remove');
  await go(owner, 'History');
  await expect(owner.getByRole('row').filter({ hasText: 'removed' })).toHaveCount(1);
});
