import { gzipSync } from 'node:zlib';

import { ask, card, expect, go, isLive, signIn, test, TOKEN } from './support/test.ts';

/** All that may be loaded at all. */
const FILES = /^\/(ui\/[a-z-]+\.(js|css|svg))?$/;

test('every file has the headers that keep others out', async ({ page, stage }) => {
  const answers: { path: string; headers: Record<string, string>; status: number }[] = [];
  page.on('response', (answer) =>
    answers.push({ path: new URL(answer.url()).pathname, headers: answer.headers(), status: answer.status() }),
  );
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect(answers.length).toBeGreaterThan(5);
  for (const { path, headers, status } of answers) {
    expect(path).toMatch(FILES);
    expect(status, path).toBe(200);
    const policy = new Map(
      (headers['content-security-policy'] ?? '').split(';').map((part) => {
        const [name = '', ...values] = part.trim().split(/\s+/);
        return [name, values.join(' ')];
      }),
    );
    expect(headers['content-security-policy'], path).not.toContain('unsafe');
    expect(policy.get('default-src'), path).toBe("'none'");
    expect(policy.get('script-src'), path).toBe("'self'");
    expect(policy.get('frame-ancestors'), path).toBe("'none'");
    expect(policy.get('base-uri'), path).toBe("'none'");
    expect(policy.get('form-action'), path).toBe("'none'");
    expect(policy.get('require-trusted-types-for'), path).toBe("'script'");
    expect(headers, path).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(Object.keys(headers), path).not.toContain('access-control-allow-origin');
    expect(Object.keys(headers), path).not.toContain('set-cookie');
  }
  expect(answers.some(({ path }) => path === '/')).toBe(true);
  expect(stage.origin).toContain('127.0.0.1');
});

test('all of it is small, and soon there', async ({ page }) => {
  const sizes = new Map<string, { plain: number; sent: number }>();
  page.on('response', async (answer) => {
    const body = await answer.body();
    sizes.set(new URL(answer.url()).pathname, { plain: body.length, sent: gzipSync(body).length });
  });
  await page.goto('/');
  await expect(page.getByLabel('Gateway token or password')).toBeVisible();
  await page.waitForLoadState('networkidle');
  const at = await page.evaluate(() => performance.getEntriesByName('interactive')[0]?.startTime ?? NaN);
  const { plain, transferred } = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const all = entries as PerformanceResourceTiming[];
    return {
      plain: all.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
      transferred: all.reduce((sum, { transferSize }) => sum + transferSize, 0),
    };
  });
  console.log(`page: ${sizes.size} files, ${plain} bytes, ${transferred} bytes sent, interactive after ${at.toFixed(0)} ms`);
  // The gateway's own tests hold the same bounds; here the headers count, too.
  expect(plain).toBeLessThan(115_000);
  expect(transferred).toBeLessThan(47_000);
  expect(at).toBeGreaterThan(0);
});

test('another origin sees nothing of it and can do nothing', async ({ context, owner, stage, faults }) => {
  await stage.writes('555', { name: 'Zoe' });
  await expect(card(owner, 'Zoe')).toBeVisible();
  const port = await stage.serve('<!doctype html><title>elsewhere</title><p>elsewhere');
  for (const elsewhere of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
    // The browser says what it refuses.
    faults.expect(new RegExp(`request: ${elsewhere}/`), /CORS policy|ERR_BLOCKED|ERR_FAILED|frame|405|WebSocket/);
    const page = await context.newPage();
    await page.goto(elsewhere);

    const seen = await page.evaluate(async (target) => {
      const read = (options: RequestInit) =>
        fetch(target, options).then(
          async (answer) => ({ type: answer.type, status: answer.status, text: await answer.text() }),
          (error: unknown) => ({ type: 'refused', status: 0, text: String(error) }),
        );
      return {
        plain: await read({}),
        opaque: await read({ mode: 'no-cors', credentials: 'include' }),
        post: await read({ method: 'POST', body: '{"method":"pairing.approve"}', headers: { 'content-type': 'text/plain' } }),
      };
    }, `${stage.origin}/`);
    expect(seen.plain.type).toBe('refused');
    expect(seen.post.type).toBe('refused');
    expect(seen.opaque.text).not.toContain('OpenClaw');

    // In a frame there is nothing of it.
    const framed = await page.evaluate(async (target) => {
      const frame = document.createElement('iframe');
      frame.src = target;
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
      document.body.append(frame);
      await loaded;
      return frame.contentDocument?.body.innerText ?? 'another origin';
    }, `${stage.origin}/`);
    expect(framed).not.toContain('Sign in');
    for (const frame of page.frames().slice(1)) {
      expect(await frame.locator('#app').count()).toBe(0);
    }

    // The socket opens, and nobody is let in by it, whatever they show.
    const told = await page.evaluate(
      async ({ target, token }) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(target);
          socket.onmessage = ({ data }) => {
            const frame = JSON.parse(String(data));
            if (frame.type === 'res') return resolve(frame.ok ? 'let in' : frame.error.message);
            const client = { id: 'openclaw-control-ui', version: '1', platform: 'web', mode: 'ui' };
            const params = { minProtocol: 3, maxProtocol: 4, client, role: 'operator', scopes: ['operator.admin'], auth: { token } };
            socket.send(JSON.stringify({ type: 'req', id: '1', method: 'connect', params }));
          };
          socket.onerror = () => resolve('no socket');
        }),
      { target: stage.origin.replace('http', 'ws'), token: TOKEN },
    );
    expect(told).toMatch(/origin|no socket/);
    await page.close();
  }
  const stored = await stage.stored();
  expect(stored).toMatchObject({ allowed: [], waiting: ['555'] });
  expect(stored.paired).toHaveLength(1);
  await isLive(owner);
});

test('a form of another page cannot be sent to it', async ({ context, stage, faults }) => {
  const port = await stage.serve(
    `<!doctype html><title>x</title><form method="post" action="${stage.origin}/"><input name="method" value="pairing.approve"></form>`,
  );
  faults.expect(new RegExp(`request: http://localhost:${port}/`), /405/);
  const page = await context.newPage();
  await page.goto(`http://localhost:${port}/`);
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.evaluate(() => document.forms[0]?.submit());
  expect((await answer).status()).toBe(405);
});

test('a name that is made to lead here is refused', async ({ context, stage, faults }) => {
  faults.expect(/rebind\.example/, /40\d|WebSocket/);
  const page = await context.newPage();
  const answer = await page.goto(`http://rebind.example:${stage.port}/`);
  expect(answer?.status()).toBeGreaterThanOrEqual(400);
  await expect(page.getByRole('heading')).toHaveCount(0);
  const opened = await page.evaluate(
    (target) =>
      new Promise<boolean>((resolve) => {
        const socket = new WebSocket(target);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      }),
    `ws://rebind.example:${stage.port}/`,
  );
  expect(opened).toBe(false);
});

test('localhost is another browser than 127.0.0.1, and no way around', async ({ owner, context, stage, faults }) => {
  faults.expect(new RegExp(`http://localhost:${stage.port}/`));
  await isLive(owner);
  const page = await context.newPage();
  await page.goto(`http://localhost:${stage.port}/`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('a page that opened it has no hold on it', async ({ context, owner, stage, faults }) => {
  await isLive(owner);
  const port = await stage.serve('<!doctype html><title>opener</title>');
  faults.expect(new RegExp(`request: http://localhost:${port}/`));
  const opener = await context.newPage();
  await opener.goto(`http://localhost:${port}/`);
  const [opened] = await Promise.all([
    context.waitForEvent('page'),
    opener.evaluate((target) => {
      const handle = window.open(target);
      Object.assign(globalThis, { handle });
    }, `${stage.origin}/`),
  ]);
  await isLive(opened);
  expect(await opened.evaluate(() => window.opener === null)).toBe(true);
  expect(await opener.evaluate(() => (globalThis as unknown as { handle: Window }).handle.closed)).toBe(true);
});

test('no text becomes markup, whatever the page’s code would do', async ({ owner, faults }) => {
  faults.expect(/policy: require-trusted-types-for|policy: script-src|Trusted|Content Security Policy/);
  const done = await owner.evaluate(() => {
    const attempt = (act: () => void) => {
      try {
        act();
        return 'done';
      } catch {
        return 'refused';
      }
    };
    return {
      html: attempt(() => (document.body.innerHTML = '<b>x</b>')),
      script: attempt(() => document.body.append(Object.assign(document.createElement('script'), { text: 'globalThis.ran = 1' }))),
      ran: 'ran' in globalThis,
    };
  });
  expect(done).toMatchObject({ html: 'refused', ran: false });
});

test('nothing is asked of anybody else in any view', async ({ page, stage }) => {
  const asked = new Set<string>();
  page.on('request', (request) => asked.add(request.url()));
  await signIn(page, stage);
  for (const view of ['People', 'Devices', 'Pair a phone', 'History', 'Health', 'Waiting']) await go(page, view);
  for (const url of asked) {
    expect(url).not.toContain(TOKEN);
    expect(new URL(url).origin).toBe(stage.origin);
    expect(new URL(url).pathname).toMatch(FILES);
  }
});

test('a page that is switched off is not there', async ({ page, stage, faults }) => {
  faults.expect(/404/);
  await stage.restart(`{ gateway: { auth: { token: '${TOKEN}' }, controlUi: { enabled: false } } }`);
  expect((await page.goto('/'))?.status()).toBe(404);
});

test('guesses are slowed down, and told to wait', async ({ page, stage }) => {
  await stage.restart(`{ gateway: { auth: { token: '${TOKEN}' }, limits: { loopbackDelayMs: 1, maxLoopbackDelayMs: 2 } } }`);
  await page.goto('/');
  for (let guess = 0; guess < 12; guess += 1) {
    await page.getByLabel('Gateway token or password').fill(`guess-${guess}-of-many-others`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
  }
  expect((await stage.stored()).pending).toEqual([]);
  // From this machine nobody is locked out.
  await ask(page);
});
