import { expect, go, test, toast } from './support/test.ts';

test.beforeEach(async ({ owner, stage }) => {
  await stage.allow('555');
  await go(owner, 'People');
  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Telegram' });
});

test('a sender who was let in is shown, with who did it', async ({ owner }) => {
  const row = owner.getByRole('listitem').filter({ hasText: '555' });
  await expect(row).toContainText('owner');
  await expect(row.getByRole('button', { name: 'Revoke 555' })).toBeVisible();
});

test('a sender is taken off the list, and that is undone', async ({ owner, stage }) => {
  await owner.getByRole('button', { name: 'Revoke 555' }).click();
  await expect(toast(owner, '555 is not let in any more')).toBeVisible();
  await expect(owner.getByRole('button', { name: 'Revoke 555' })).toHaveCount(0);
  expect((await stage.stored()).allowed).toEqual([]);

  await toast(owner, '555 is not let in any more').getByRole('button', { name: 'Undo' }).click();
  await expect(owner.getByRole('button', { name: 'Revoke 555' })).toBeVisible();
  expect((await stage.stored()).allowed).toEqual(['555']);
});

test('a sender is added by hand, and that is undone', async ({ owner, stage }) => {
  await owner.getByLabel('Add a sender').fill('777');
  await owner.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(toast(owner, '777 is let in')).toBeVisible();
  await expect(owner.getByRole('button', { name: 'Revoke 777' })).toBeVisible();
  expect((await stage.stored()).allowed.sort()).toEqual(['555', '777']);

  await toast(owner, '777 is let in').getByRole('button', { name: 'Undo' }).click();
  await expect(owner.getByRole('button', { name: 'Revoke 777' })).toHaveCount(0);
  expect((await stage.stored()).allowed).toEqual(['555']);
});

test('a person is invited, and the invitation is ended', async ({ owner, stage }) => {
  await owner.getByRole('button', { name: 'Invite a person' }).click();
  const dialog = owner.getByRole('dialog', { name: 'A code for one person' });
  await expect(dialog).toContainText(/\/bind [A-Z2-9]{26}/);
  await dialog.getByRole('button', { name: 'Close' }).click();
  const invitations = owner.getByRole('list', { name: 'Invitations' });
  await expect(invitations.getByRole('listitem')).toHaveCount(1);
  await expect(invitations).not.toContainText('/bind');
  await invitations.getByRole('button', { name: /^End invitation/ }).click();
  await expect(toast(owner, 'The invitation is ended')).toBeVisible();
  await expect(invitations.getByRole('listitem')).toHaveCount(0);
  expect((await stage.stored()).allowed).toEqual(['555']);
});

test('what is no sender of the channel is told', async ({ owner, stage }) => {
  await owner.getByLabel('Add a sender').fill('no telegram id at all');
  await owner.getByLabel('Add a sender').press('Enter');
  await expect(owner.getByRole('alert')).toContainText('That did not work');
  expect((await stage.stored()).allowed).toEqual(['555']);
});

test('others are found by a part of their id', async ({ owner, stage }) => {
  await stage.allow('77712');
  await stage.allow('77734');
  await expect(owner.getByRole('button', { name: /^Revoke/ })).toHaveCount(3);
  await owner.getByRole('searchbox', { name: 'Search' }).fill('771');
  await expect(owner.getByRole('button', { name: /^Revoke/ })).toHaveCount(1);
  await expect(owner.getByText('1 of 3 senders')).toBeVisible();
  await owner.getByRole('searchbox', { name: 'Search' }).fill('9');
  await expect(owner.getByRole('button', { name: /^Revoke/ })).toHaveCount(0);
});

test('each channel has its own', async ({ owner, stage }) => {
  await stage.allow('+15551234567', 'signal');
  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Signal' });
  await expect(owner.getByRole('button', { name: /^Revoke/ })).toHaveAccessibleName('Revoke +15551234567');
  await owner.getByRole('combobox', { name: 'Channel' }).selectOption({ label: 'Telegram' });
  await expect(owner.getByRole('button', { name: /^Revoke/ })).toHaveAccessibleName('Revoke 555');
});

test('what is decided at the terminal shows', async ({ owner, stage }) => {
  await stage.allow('777');
  await expect(owner.getByRole('button', { name: 'Revoke 777' })).toBeVisible();
  await stage.disallow('555');
  await expect(owner.getByRole('button', { name: 'Revoke 555' })).toHaveCount(0);
});

test('whoever changes their mind sees the channel that they chose last', async ({ owner, stage }) => {
  // Shown because it was told: nothing else is on its way that would have the list read anew.
  await expect(owner.getByRole('button', { name: 'Revoke 555' })).toBeVisible();
  await stage.allow('777');
  await expect(owner.getByRole('button', { name: 'Revoke 777' })).toBeVisible();
  await owner.getByRole('combobox', { name: 'Channel' }).evaluate((element) => {
    const select = element as HTMLSelectElement;
    // In one turn, so that the first list is on its way while the second is asked for.
    for (const channel of ['signal', 'telegram']) {
      select.value = channel;
      select.dispatchEvent(new Event('change'));
    }
  });
  await expect(owner.getByRole('button', { name: 'Revoke 555' })).toBeVisible();
});
