import { ask, asked, card, expect, GONE, go, isLive, live, test } from './support/test.ts';

test('a gateway that goes and comes back', async ({ owner, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  const approve = card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' });
  await expect(approve).toBeEnabled();
  await owner.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));

  await stage.stop();
  await expect(live(owner)).toContainText('Not live');
  // What was known is still shown, and nothing is decided by it.
  await expect(card(owner, 'Zoe')).toContainText('555');
  await expect(approve).toBeDisabled();
  await expect(card(owner, 'Zoe').getByRole('button', { name: 'Reject Zoe' })).toBeDisabled();
  await approve.evaluate((button: HTMLElement) => button.click());
  expect((await stage.stored()).allowed).toEqual([]);

  // Somebody else comes while nobody is told.
  await stage.writes('777', { name: 'Ann' });
  await stage.startAgain();
  await isLive(owner);
  await expect(card(owner, 'Ann')).toBeVisible();
  await expect(approve).toBeEnabled();
  await approve.click();
  await expect(card(owner, 'Zoe')).toHaveCount(0);
  expect((await stage.stored()).allowed).toEqual(['555']);
  expect(await owner.evaluate(() => 'neverReloaded' in globalThis)).toBe(true);
});

test('nothing can be pressed in any view while nothing is live', async ({ owner, stage }) => {
  await stage.allow('555');
  await stage.paired({ device: 'tablet', role: 'operator', displayName: 'Tablet', scopes: ['operator.read'] });
  for (const view of ['People', 'Devices', 'Pair a phone', 'History', 'Health']) await go(owner, view);
  await stage.stop();
  await expect(live(owner)).toContainText('Not live');
  for (const view of ['People', 'Devices', 'Pair a phone']) {
    await go(owner, view);
    const buttons = await owner.getByRole('main').getByRole('button').all();
    expect(buttons.length, view).toBeGreaterThan(0);
    for (const button of buttons) await expect(button).toBeDisabled();
  }
});

test('a page that waits for its approval outlives the gateway', async ({ page, stage }) => {
  const request = await ask(page);
  await stage.stop();
  await stage.startAgain();
  expect(await asked(page)).toBe(request);
  await stage.approve(request);
  await isLive(page);
});

test('a browser that is offline says so, and goes on', async ({ owner, context, stage, faults }) => {
  faults.expect(GONE);
  await stage.writes('555', { name: 'Zoe' });
  await expect(card(owner, 'Zoe')).toBeVisible();
  await context.setOffline(true);
  await expect(live(owner)).toContainText('Not live');
  await expect(card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' })).toBeDisabled();
  await context.setOffline(false);
  await isLive(owner);
  await expect(card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' })).toBeEnabled();
});

test('a decision whose answer never came is not taken for made', async ({ owner, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  const approve = card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' });
  await expect(approve).toBeEnabled();
  // The connection ends as soon as the request is out.
  await owner.evaluate(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      send.call(this, data);
      if (String(data).includes('pairing.approve')) this.close();
    };
  });
  await approve.click();
  await expect(owner.getByRole('alert')).toContainText('Zoe');
  await expect(owner.getByRole('alert')).not.toContainText('Nothing was decided');
  await isLive(owner);
  const { allowed } = await stage.stored();
  await expect(card(owner, 'Zoe')).toHaveCount(allowed.length > 0 ? 0 : 1);
});
