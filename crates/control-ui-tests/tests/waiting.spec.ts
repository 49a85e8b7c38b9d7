import { card, expect, go, isLive, signIn, test, toast } from './support/test.ts';

const MINUTE = 60_000;

test('a sender who waits is let in', async ({ owner, stage }) => {
  const code = await stage.writes('555', { name: 'Zoe', username: 'zoe' });
  const zoe = card(owner, 'Zoe');
  await expect(zoe).toContainText('555');
  await expect(zoe).toContainText('Telegram');
  await expect(zoe).toContainText(code);
  await expect(zoe).toContainText(/asked (just now|\d+ s ago)/);
  await expect(zoe).toContainText(/\d+ min left/);

  await zoe.getByRole('button', { name: 'Approve Zoe' }).click();
  await expect(toast(owner, 'Zoe is let in')).toBeVisible();
  await expect(zoe).toHaveCount(0);
  expect(await stage.stored()).toMatchObject({ allowed: ['555'], waiting: [] });
});

test('a device that waits is let in, for what was shown', async ({ owner, stage }) => {
  const tablet = {
    device: 'tablet',
    role: 'operator',
    displayName: 'Tablet',
    platform: 'android',
    scopes: ['operator.read', 'operator.write'],
  } as const;
  const { deviceId } = await stage.asks({ ...tablet, scopes: [...tablet.scopes] });
  const waits = card(owner, 'Tablet');
  await expect(waits).toContainText(deviceId);
  await expect(waits).toContainText('android');
  await expect(waits).toContainText('operator.read');
  await expect(waits).toContainText('operator.write');
  await waits.getByRole('button', { name: 'Approve Tablet' }).click();
  await expect(toast(owner, 'Tablet is paired')).toBeVisible();

  const connected = await stage.connect({ ...tablet, scopes: [...tablet.scopes] });
  expect(connected).toMatchObject({ connected: true, scopes: ['operator.read', 'operator.write'] });
});

test('a node is let in with its commands', async ({ owner, stage }) => {
  const camera = { device: 'camera', role: 'node', displayName: 'Camera', commands: ['camera.snap', 'system.run'] } as const;
  await stage.asks({ ...camera, commands: [...camera.commands] });
  await expect(card(owner, 'Camera')).toContainText('camera.snap');
  await expect(card(owner, 'Camera')).toContainText('system.run');
  await card(owner, 'Camera').getByRole('button', { name: 'Approve Camera' }).click();
  await expect(card(owner, 'Camera')).toHaveCount(0);
  expect(await stage.connect({ ...camera, commands: [...camera.commands] })).toMatchObject({ connected: true });
});

test('commands are left out for a legacy node', async ({ owner, stage }) => {
  await stage.nodeAsks('kitchen', 'Kitchen', ['canvas.show', 'system.run']);
  const kitchen = card(owner, 'Kitchen');
  await expect(kitchen).toContainText('give power over its machine');
  await kitchen.getByRole('checkbox', { name: /system\.run/ }).uncheck();
  await kitchen.getByRole('button', { name: 'Approve Kitchen' }).click();
  await expect(owner.getByRole('dialog').getByRole('heading')).toHaveText('Kitchen is paired');
  expect((await stage.stored()).nodeCommands).toEqual(['canvas.show']);
});

test('a legacy node is let in, and its token shown once', async ({ owner, stage }) => {
  await stage.nodeAsks('kitchen', 'Kitchen', ['canvas.show']);
  await expect(card(owner, 'Kitchen')).toContainText('canvas.show');
  await card(owner, 'Kitchen').getByRole('button', { name: 'Approve Kitchen' }).click();
  const shown = owner.getByRole('dialog');
  await expect(shown.getByRole('heading')).toHaveText('Kitchen is paired');
  const token = await shown.locator('code').innerText();
  expect(token.length).toBeGreaterThan(20);
  await shown.getByRole('button', { name: 'Close' }).click();
  // A closed dialog is hidden at once, and taken away a moment later.
  await expect(owner.locator('dialog')).toHaveCount(0);
  expect(await owner.content()).not.toContain(token);
  expect((await stage.stored()).nodes).toEqual(['kitchen']);
});

test('both kinds are turned down', async ({ owner, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet', scopes: ['operator.read'] });
  for (const name of ['Zoe', 'Tablet']) {
    await card(owner, name).getByRole('button', { name: `Reject ${name}` }).click();
    await expect(toast(owner, `${name} was turned down`)).toBeVisible();
    await expect(card(owner, name)).toHaveCount(0);
  }
  const stored = await stage.stored();
  expect(stored).toMatchObject({ allowed: [], waiting: [], pending: [] });
  expect(stored.paired).toHaveLength(1);
});

test('letting a sender in is undone', async ({ owner, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  await card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
  await toast(owner, 'Zoe is let in').getByRole('button', { name: 'Undo' }).click();
  await expect.poll(async () => (await stage.stored()).allowed).toEqual([]);
});

test('the title tells how many wait', async ({ owner, stage }) => {
  await expect(owner).toHaveTitle('OpenClaw');
  await stage.writes('555');
  await stage.writes('777');
  await expect(owner).toHaveTitle('(2) OpenClaw');
  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await expect(owner).toHaveTitle('(3) OpenClaw');
  await go(owner, 'People');
  await expect(owner).toHaveTitle('(3) OpenClaw');
  await go(owner, 'Waiting');
  await card(owner, '777').getByRole('button', { name: 'Reject 777' }).click();
  await expect(owner).toHaveTitle('(2) OpenClaw');
});

test('buttons that come under a finger are off for a moment', async ({ owner, stage }) => {
  await expect(owner.getByText('Nobody waits')).toBeVisible();
  // Presses the first button there is as soon as it is there.
  const presses = await owner.evaluateHandle(() => {
    const pressed: string[] = [];
    const presser = new MutationObserver(() => {
      const button = document.querySelector<HTMLElement>('article .decide button');
      if (!button) return;
      presser.disconnect();
      button.click();
      pressed.push(button.innerText);
    });
    presser.observe(document.body, { childList: true, subtree: true });
    return pressed;
  });
  await stage.writes('555', { name: 'Zoe' });
  const approve = card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' });
  await expect(approve).toBeEnabled();
  expect(await presses.jsonValue()).toEqual(['Approve']);
  expect((await stage.stored()).waiting).toEqual(['555']);

  // One above it moves it.
  const offs = await approve.evaluateHandle((button) => {
    const seen: string[] = [];
    new MutationObserver(() => seen.push(button.getAttribute('aria-disabled') ?? 'on')).observe(button, { attributes: true });
    return seen;
  });
  await stage.move(1_000);
  await stage.writes('777', { name: 'Ann' });
  await expect(card(owner, 'Ann').getByRole('button', { name: 'Approve Ann' })).toBeEnabled();
  await expect(approve).toBeEnabled();
  expect(await offs.jsonValue()).toContain('true');
});

test('what one page decides shows in the other', async ({ owner, context, stage }) => {
  const second = await context.newPage();
  await second.goto('/');
  await isLive(second);
  await stage.writes('555', { name: 'Zoe' });
  await stage.writes('777', { name: 'Ann' });
  await expect(card(second, 'Zoe')).toBeVisible();
  await card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
  await expect(card(second, 'Zoe')).toHaveCount(0);
  await expect(second.getByRole('log')).toContainText('Zoe was approved elsewhere');
  await card(second, 'Ann').getByRole('button', { name: 'Reject Ann' }).click();
  await expect(card(owner, 'Ann')).toHaveCount(0);
  await expect(owner.getByRole('log')).toContainText('Ann was rejected elsewhere');
  await expect(owner).toHaveTitle('OpenClaw');
});

test('whoever decides second about the same is told', async ({ owner, another, stage }) => {
  const second = await another();
  await signIn(second, stage);
  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet', scopes: ['operator.read'] });
  const presses = [owner, second].map((page) => card(page, 'Tablet').getByRole('button', { name: 'Approve Tablet' }));
  await Promise.all(presses.map((button) => expect(button).toBeEnabled()));
  // As near to each other as can be: in the same turn of both pages.
  await Promise.all(presses.map((button) => button.evaluate((element: HTMLElement) => element.click())));
  const told = [owner, second].map((page) => toast(page, /Tablet is paired|Nothing was decided about Tablet/));
  await Promise.all(told.map((text) => expect(text).toBeVisible()));
  const texts = await Promise.all(told.map((text) => text.innerText()));
  expect(texts.filter((text) => text.includes('is paired'))).toHaveLength(1);
  for (const page of [owner, second]) await expect(card(page, 'Tablet')).toHaveCount(0);
  expect((await stage.stored()).paired).toHaveLength(3);
});

test('what was decided at the terminal is told', async ({ owner, stage }) => {
  const code = await stage.writes('555', { name: 'Zoe' });
  const { requestId } = await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await expect(card(owner, 'Zoe')).toBeVisible();
  await expect(card(owner, 'Tablet')).toBeVisible();
  await stage.approveSender(code);
  await stage.reject(requestId);
  await expect(owner.getByRole('log')).toContainText('Zoe was approved elsewhere');
  await expect(owner.getByRole('log')).toContainText('Tablet was rejected elsewhere');
  await expect(owner.getByRole('article')).toHaveCount(0);
});

test('a request that has changed meanwhile is not approved', async ({ owner, stage }) => {
  const tablet = { device: 'tablet', role: 'operator', displayName: 'Tablet' } as const;
  const { requestId } = await stage.asks({ ...tablet, scopes: ['operator.read'] });
  const approve = card(owner, 'Tablet').getByRole('button', { name: 'Approve Tablet' });
  await expect(approve).toBeEnabled();
  await expect(card(owner, 'Tablet')).toContainText(requestId);

  // Pressed is the button that was shown before, whether the page has heard of it by then or not.
  const shown = await approve.elementHandle();
  const more = await stage.asks({ ...tablet, scopes: ['operator.admin'] });
  expect(more.requestId).not.toBe(requestId);
  await shown?.evaluate((button) => (button as HTMLElement).click());
  await expect(toast(owner, 'Nothing was decided about Tablet')).toBeVisible();

  const replacement = card(owner, 'Tablet');
  await expect(replacement).toHaveCount(1);
  await expect(replacement).toContainText(more.requestId);
  await expect(replacement).toContainText('operator.admin');
  await expect(replacement).toContainText(/took the place of/);
  expect((await stage.stored()).paired).toHaveLength(1);

  // What was shown is what is approved then.
  await replacement.getByRole('button', { name: 'Approve Tablet' }).click();
  await expect(toast(owner, 'Tablet is paired')).toBeVisible();
  const { paired } = await stage.stored();
  expect(paired.find(({ name }) => name === 'Tablet')?.scopes).toEqual(['operator.admin']);
});

test('requests that are too old vanish, and let nobody in', async ({ owner, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await expect(card(owner, 'Zoe')).toBeVisible();
  await expect(card(owner, 'Tablet')).toBeVisible();

  await stage.move(6 * MINUTE);
  await expect(card(owner, 'Tablet')).toHaveCount(0);
  await expect(card(owner, 'Zoe')).toBeVisible();

  await stage.move(60 * MINUTE);
  await expect(card(owner, 'Zoe')).toHaveCount(0);
  await expect(owner).toHaveTitle('OpenClaw');
  const stored = await stage.stored();
  expect(stored.allowed).toEqual([]);
  expect(stored.paired).toHaveLength(1);
});

test('a request that is too old when it is pressed is not approved', async ({ owner, stage }) => {
  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet' });
  await stage.writes('555', { name: 'Zoe' });
  for (const name of ['Zoe', 'Tablet']) {
    await expect(card(owner, name).getByRole('button', { name: `Approve ${name}` })).toBeEnabled();
  }
  await stage.move(66 * MINUTE);
  await owner.evaluate(() => {
    for (const button of document.querySelectorAll<HTMLElement>('article .main')) button.click();
  });
  await expect(owner.getByRole('article')).toHaveCount(0);
  const stored = await stage.stored();
  expect(stored.allowed).toEqual([]);
  expect(stored.paired).toHaveLength(1);
});

test('a request of another account is kept apart', async ({ owner, stage }) => {
  await stage.writes('555', { name: 'Zoe' }, { account: 'work' });
  await expect(card(owner, 'Zoe')).toContainText('work');
  await card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
  await expect(toast(owner, 'Zoe is let in')).toBeVisible();
  expect((await stage.stored({ account: 'work' })).allowed).toEqual(['555']);
  expect((await stage.stored()).allowed).toEqual([]);
});

test('who came when no more could wait is listed', async ({ owner, stage }) => {
  for (const sender of ['501', '502', '503']) await stage.writes(sender);
  await stage.writes('504');
  await owner.getByText(/came while as many waited as may/).click();
  await expect(owner.getByText('504')).toBeVisible();
  await expect(owner.getByRole('article')).toHaveCount(3);
});

test('who is let in is told, unless they are not to be', async ({ owner, stage }) => {
  await stage.restart(undefined, 'heard');
  await isLive(owner);
  await stage.writes('555', { name: 'Zoe' });
  await stage.writes('777', { name: 'Ann' });
  await card(owner, 'Ann').getByRole('checkbox', { name: 'tell them' }).uncheck();
  for (const name of ['Ann', 'Zoe']) {
    await card(owner, name).getByRole('button', { name: `Approve ${name}` }).click();
    await expect(toast(owner, `${name} is let in`)).toBeVisible();
  }
  expect(await stage.said()).toEqual([{ to: '555', text: expect.stringContaining('approved') }]);
});

test('that somebody could not be told is told', async ({ owner, stage }) => {
  await stage.restart(undefined, 'blocked');
  await isLive(owner);
  await stage.writes('555', { name: 'Zoe' });
  await card(owner, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
  await expect(toast(owner, 'Zoe is let in')).toContainText('could not be told');
  expect((await stage.stored()).allowed).toEqual(['555']);
});
