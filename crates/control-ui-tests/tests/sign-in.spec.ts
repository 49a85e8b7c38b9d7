import { ask, asked, expect, isLive, live, signIn, test, toast, TOKEN } from './support/test.ts';

test('a browser is let in by the token, once its owner has approved it', async ({ page, stage }) => {
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await page.getByLabel('Gateway token or password').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();

  const request = await asked(page);
  const { pending } = await stage.stored();
  expect(pending).toEqual([expect.objectContaining({ requestId: request, scopes: ['operator.admin'] })]);
  await expect(page.getByRole('navigation')).toHaveCount(0);

  await stage.approve(request);
  await expect(live(page)).toHaveText('Live');
  for (const view of ['Waiting', 'People', 'Devices', 'Pair a phone', 'History', 'Health']) {
    await expect(page.getByRole('navigation').getByRole('link', { name: view })).toBeVisible();
  }
});

test('one that was let in comes back by itself', async ({ owner }) => {
  await owner.reload();
  await isLive(owner);
});

test('a link signs a browser in, and leaves no trace', async ({ page, stage }) => {
  await page.goto(`/#token=${TOKEN}`);
  const request = await asked(page);
  expect(page.url()).toBe(`${stage.origin}/`);
  await stage.approve(request);
  await isLive(page);
  expect(page.url()).not.toContain('token');
  // Nor is it a step back.
  const steps = await page.evaluate(() => history.length);
  for (let step = 1; step < steps; step += 1) {
    await page.goBack();
    expect(page.url()).not.toContain('token');
  }
});

test('a link counts on a page that is open, too', async ({ page, stage }) => {
  await page.goto('/');
  await page.evaluate((token) => (location.hash = `token=${token}`), TOKEN);
  await asked(page);
  expect(page.url()).toBe(`${stage.origin}/`);
});

test('a link of somebody else takes nobody out of the page', async ({ owner, stage }) => {
  await owner.goto('/#token=guess');
  await isLive(owner);
  expect(owner.url()).toBe(`${stage.origin}/`);
  await owner.evaluate(() => (location.hash = 'token=guess'));
  await expect(owner).toHaveURL(`${stage.origin}/`);
  await isLive(owner);
});

test('a link counts where what the browser holds is worth nothing any more', async ({ owner, stage }) => {
  await owner.goto('about:blank');
  const [browser] = (await stage.stored()).paired;
  await stage.revokeToken(browser?.deviceId ?? '', 'operator');
  await owner.goto(`/#token=${TOKEN}`);
  await stage.approve(await asked(owner));
  await isLive(owner);
});

test('nothing secret is where scripts or other programs find it', async ({ owner, context, stage }) => {
  const kept = await owner.evaluate(async () => {
    const names = (await indexedDB.databases()).map(({ name }) => name ?? '');
    const records: [string, unknown][] = [];
    for (const name of names) {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      for (const store of database.objectStoreNames) {
        const all = database.transaction(store).objectStore(store).getAll();
        await new Promise((resolve) => (all.onsuccess = resolve));
        for (const record of all.result) records.push([store, record]);
      }
    }
    const keys: { type: string; extractable: boolean; exported: string }[] = [];
    for (const [, record] of records) {
      for (const value of Object.values(record as object)) {
        if (!(value instanceof CryptoKey)) continue;
        const exported = await crypto.subtle.exportKey('pkcs8', value).then(() => 'yes', () => 'no');
        keys.push({ type: value.type, extractable: value.extractable, exported });
      }
    }
    return { keys, text: JSON.stringify(records), local: { ...localStorage }, session: { ...sessionStorage } };
  });
  expect(kept.keys).toEqual([{ type: 'private', extractable: false, exported: 'no' }]);
  expect(kept.text).not.toContain(TOKEN);
  expect(Object.entries(kept.local)).toEqual([['openclaw', 'yes']]);
  expect(kept.session).toEqual({});
  expect(await context.cookies()).toEqual([]);
  expect(owner.url()).toBe(`${stage.origin}/`);
  expect(await owner.content()).not.toContain(TOKEN);
});

test('a wrong token is told', async ({ page, stage }) => {
  await page.goto('/');
  await page.getByLabel('Gateway token or password').fill('battery-staple-horse-correct');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('mismatch');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect((await stage.stored()).pending).toEqual([]);

  // The right one is taken after it.
  await page.getByLabel('Gateway token or password').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await asked(page);
});

test('no token at all is told', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
});

test('a browser that is turned down is told, and can start over', async ({ page, stage }) => {
  const first = await ask(page);
  await stage.reject(first);
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();

  const second = await ask(page);
  expect(second).not.toBe(first);
  await page.getByRole('button', { name: 'Start over' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('a browser approves another one', async ({ owner, another, stage }) => {
  const second = await another();
  await ask(second, 'Decide who is paired');
  const waits = owner.getByRole('article').filter({ hasText: 'operator.pairing' });
  await waits.getByRole('button', { name: /^Approve / }).click();
  await isLive(second);
  const { paired } = await stage.stored();
  const scopes = paired.map((device) => device.scopes);
  expect(scopes).toContainEqual(['operator.pairing', 'operator.read']);
});

test('who only looks sees neither requests nor decisions', async ({ page, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  await signIn(page, stage, 'Only look');
  for (const view of ['waiting', 'people', 'devices', 'phone', 'history']) {
    await page.goto(`/#${view}`);
    await isLive(page);
    await expect(page.getByRole('article')).toHaveCount(0);
    await expect(page.getByText('555')).toHaveCount(0);
    await expect(page.getByRole('button', { name: /^(Approve|Reject|Revoke|Remove|Make|Add)/ })).toHaveCount(0);
  }
  await page.goto('/#health');
  await expect(page.getByRole('heading', { name: 'Gateway' })).toBeVisible();
  await expect(page).toHaveTitle('OpenClaw');
});

test('who decides about senders sees no other devices', async ({ page, stage }) => {
  await stage.writes('555', { name: 'Zoe' });
  await stage.asks({ device: 'tablet', role: 'operator', displayName: 'Tablet', scopes: ['operator.read'] });
  await signIn(page, stage, 'Decide who is paired');
  await expect(page.getByRole('article', { name: 'Zoe' })).toBeVisible();
  await expect(page.getByRole('article')).toHaveCount(1);
  await page.getByRole('button', { name: 'Approve Zoe' }).click();
  await expect(toast(page, 'Zoe')).toBeVisible();
  expect((await stage.stored()).allowed).toEqual(['555']);
});

test('a password is taken where that is the secret', async ({ page, stage }) => {
  await stage.restart(`{ gateway: { auth: { mode: 'password', password: 'a-long-password-of-its-own' } } }`);
  await page.goto('/');
  await page.getByLabel('Gateway token or password').fill('a-long-password-of-its-own');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await asked(page);
});

test('signing out takes this browser off the list', async ({ owner, stage }) => {
  expect((await stage.stored()).paired).toHaveLength(1);
  await owner.getByRole('button', { name: 'Sign out' }).click();
  await owner.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect.poll(async () => (await stage.stored()).paired).toEqual([]);
  await owner.reload();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});
