// What every test has: a stage of its own, browsers that are watched, and the way in.

import { type BrowserContext, type Locator, type Page, test as base, expect } from '@playwright/test';

import { CONFIG, Stage, TOKEN } from './stage.ts';

export { expect, TOKEN };
export type { Stage };

export type Access = 'Everything' | 'Decide who is paired' | 'Only look';

interface Options {
  /** The gateway's configuration. */
  config: string;
}

interface Fixtures {
  stage: Stage;
  faults: Faults;
  /** A page that is signed in for everything. */
  owner: Page;
  /** Another browser: with a key of its own. */
  another: () => Promise<Page>;
}

/** The browser says what it thinks of a gateway that is not there. */
export const GONE = /WebSocket connection|ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED/;

/** What no page may do: complain, fail, or ask anybody else. */
export class Faults {
  #seen: string[] = [];
  #expected: RegExp[] = [];

  /** Passes over what the test brings about itself. */
  expect(...faults: RegExp[]): void {
    this.#expected.push(...faults);
  }

  watch(context: BrowserContext, origins: () => string[]): void {
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.#note(`console: ${message.text()}`);
    });
    context.on('weberror', (error) => this.#note(`error: ${error.error().stack ?? error.error()}`));
    context.on('request', (request) => this.#asked(request.url(), origins()));
    context.on('page', (page) => {
      page.on('websocket', (socket) => this.#asked(socket.url().replace(/^ws/, 'http'), origins()));
      page.on('dialog', (dialog) => {
        this.#note(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
    });
  }

  check(): void {
    const faults = this.#seen.filter((fault) => !this.#expected.some((expected) => expected.test(fault)));
    expect(faults).toEqual([]);
  }

  #asked(url: string, origins: string[]): void {
    const { origin, protocol } = new URL(url);
    if (protocol.startsWith('http') && !origins.includes(origin)) this.#note(`request: ${url}`);
  }

  #note(fault: string): void {
    this.#seen.push(fault);
  }
}

/** Violations of the policy, also where the console is not told. */
function watchPolicy(): void {
  addEventListener('securitypolicyviolation', (violation) => {
    console.error(`policy: ${violation.violatedDirective} ${violation.blockedURI} ${violation.sample}`);
  });
}

export const test = base.extend<Fixtures & Options>({
  config: [CONFIG, { option: true }],

  stage: async ({ config }, use, info) => {
    const stage = new Stage(String(info.config.metadata.stage));
    await stage.start(config);
    await use(stage);
    await stage.end();
  },

  faults: [
    async ({ stage, context }, use) => {
      const faults = new Faults();
      faults.watch(context, () => [stage.origin]);
      await context.addInitScript(watchPolicy);
      await use(faults);
      if (stage.wasStopped) faults.expect(GONE);
      faults.check();
    },
    { auto: true },
  ],

  baseURL: async ({ stage }, use) => use(stage.origin),

  owner: async ({ page, stage }, use) => {
    await signIn(page, stage);
    await use(page);
  },

  another: async ({ browser, stage, faults }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext({ baseURL: stage.origin });
      contexts.push(context);
      faults.watch(context, () => [stage.origin]);
      await context.addInitScript(watchPolicy);
      return context.newPage();
    });
    await Promise.all(contexts.map((context) => context.close()));
  },
});

/** Shows the gateway's token; the request that waits for the owner. */
export async function ask(page: Page, access: Access = 'Everything'): Promise<string> {
  await page.goto('/');
  await page.getByLabel('Gateway token or password').fill(TOKEN);
  await page.getByRole('radio', { name: access }).check();
  await page.getByRole('button', { name: 'Sign in' }).click();
  return asked(page);
}

/** The request of a page that waits for its approval. */
export async function asked(page: Page): Promise<string> {
  await expect(page.getByRole('heading', { name: 'Approve this browser' })).toBeVisible();
  const command = await page.locator('code', { hasText: 'openclaw devices approve' }).innerText();
  return command.replace('openclaw devices approve ', '');
}

/** Signs in, with the approval given at the terminal. */
export async function signIn(page: Page, stage: Stage, access: Access = 'Everything'): Promise<void> {
  const request = await ask(page, access);
  await stage.approve(request);
  await isLive(page);
}

export async function isLive(page: Page): Promise<void> {
  await expect(live(page)).toHaveText('Live');
}

/** What says whether the page is live. */
export function live(page: Page): Locator {
  return page.getByRole('banner').getByRole('status');
}

/** Goes to a view by its link. */
export async function go(page: Page, view: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: view }).click();
  await expect(page.getByRole('heading', { level: 1, name: view })).toBeVisible();
}

/** The card of somebody who waits, or of a device. */
export function card(page: Page, name: string): Locator {
  return page.getByRole('article', { name, exact: true });
}

/** What the page says in passing. */
export function toast(page: Page, text: string | RegExp): Locator {
  return page.getByRole('status').or(page.getByRole('alert')).filter({ hasText: text });
}

export function dialog(page: Page): Locator {
  return page.getByRole('dialog').or(page.getByRole('alertdialog'));
}

/** Says yes in the dialog that has come. */
export async function confirm(page: Page, verb: string): Promise<void> {
  await dialog(page).getByRole('button', { name: verb, exact: true }).click();
  await expect(dialog(page)).toHaveCount(0);
}
