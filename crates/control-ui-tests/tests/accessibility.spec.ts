import { AxeBuilder } from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';

import { furnish, look, makeCode, VIEWS } from './support/scene.ts';
import { asked, card, dialog, expect, go, isLive, signIn, test, toast, TOKEN } from './support/test.ts';

/** What is wrong, by rule and element. */
async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).analyze();
  return found.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`));
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: 'reduce' } });
    test.setTimeout(120_000);

    test('nothing is wrong before a browser is let in', async ({ page, stage }) => {
      await page.goto('/');
      await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
      expect.soft(await violations(page), 'sign in').toEqual([]);
      await page.getByLabel('Gateway token or password').fill('a-wrong-one-of-many-others');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await expect(page.getByRole('alert')).toBeVisible();
      expect.soft(await violations(page), 'refused').toEqual([]);
      await page.getByLabel('Gateway token or password').fill(TOKEN);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await stage.stored();
      await asked(page);
      expect.soft(await violations(page), 'asking').toEqual([]);
    });

    test('nothing is wrong in any view', async ({ page, stage }) => {
      await furnish(page, stage);
      for (const view of VIEWS) {
        await look(page, view);
        expect.soft(await violations(page), view).toEqual([]);
      }
      await go(page, 'Pair a phone');
      await makeCode(page);
      expect.soft(await violations(page), 'a setup code').toEqual([]);
    });

    test('nothing is wrong in dialogs and news', async ({ page, stage }) => {
      await furnish(page, stage);
      await look(page, 'Devices');
      for (const button of ['Remove Work laptop', 'Rename Work laptop']) {
        await page.getByRole('button', { name: button }).click();
        await expect(dialog(page)).toBeVisible();
        expect.soft(await violations(page), button).toEqual([]);
        await page.keyboard.press('Escape');
      }
      await go(page, 'Waiting');
      await card(page, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
      await expect(toast(page, 'Zoe is let in')).toBeVisible();
      expect.soft(await violations(page), 'news').toEqual([]);
      await card(page, 'Kitchen').getByRole('button', { name: 'Approve Kitchen' }).click();
      await expect(dialog(page)).toBeVisible();
      expect.soft(await violations(page), 'a token').toEqual([]);
    });

    test('nothing is wrong while the gateway is gone', async ({ page, stage }) => {
      await furnish(page, stage);
      await stage.stop();
      await expect(page.getByText('Not live')).toBeVisible();
      expect.soft(await violations(page)).toEqual([]);
    });
  });
}

const MOST_TABS = 60;

/** Goes on by Tab until this has the focus, which can be seen. */
async function tabTo(page: Page, element: Locator): Promise<void> {
  await expect(element).toBeVisible();
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    if (await element.evaluate((it) => it === document.activeElement)) {
      const outline = await element.evaluate((it) => getComputedStyle(it).outlineStyle);
      expect(outline).not.toBe('none');
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`no way by Tab to ${element}`);
}

test('everything goes by the keyboard alone', async ({ page, stage }) => {
  await page.goto('/');
  const secret = page.getByLabel('Gateway token or password');
  await expect(secret).toBeFocused();
  await page.keyboard.type(TOKEN);
  await tabTo(page, page.getByRole('radio', { name: 'Everything' }));
  await tabTo(page, page.getByRole('button', { name: 'Sign in' }));
  await page.keyboard.press('Enter');
  await stage.approve(await asked(page));
  await isLive(page);

  await stage.writes('555', { name: 'Zoe' });
  await stage.writes('777', { name: 'Ann' });
  const approve = card(page, 'Zoe').getByRole('button', { name: 'Approve Zoe' });
  await expect(approve).toBeEnabled();
  await tabTo(page, approve);
  await page.keyboard.press('Enter');
  await expect(toast(page, 'Zoe is let in')).toBeVisible();
  await expect(card(page, 'Zoe')).toHaveCount(0);

  const reject = card(page, 'Ann').getByRole('button', { name: 'Reject Ann' });
  await expect(reject).toBeEnabled();
  await tabTo(page, reject);
  await page.keyboard.press('Space');
  await expect(card(page, 'Ann')).toHaveCount(0);

  await tabTo(page, toast(page, 'Zoe is let in').getByRole('button', { name: 'Undo' }));
  await page.keyboard.press('Enter');
  await expect.poll(async () => (await stage.stored()).allowed).toEqual([]);

  // Into another view, by a link.
  await tabTo(page, page.getByRole('navigation').getByRole('link', { name: 'Devices' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'Devices' })).toBeVisible();
  const rename = page.getByRole('button', { name: /^Rename/ });
  await tabTo(page, rename);
  await page.keyboard.press('Enter');
  await expect(dialog(page).getByRole('textbox')).toBeFocused();
  await page.keyboard.type('This browser');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 2, name: 'This browser' })).toBeVisible();
});

test('a dialog keeps the focus, and gives it back', async ({ page, stage }) => {
  await furnish(page, stage);
  await look(page, 'Devices');
  const remove = page.getByRole('button', { name: 'Remove Work laptop' });
  await remove.focus();
  await page.keyboard.press('Enter');
  // Whoever presses Enter twice has not removed anything.
  await expect(dialog(page).getByRole('button', { name: 'Cancel' })).toBeFocused();
  for (let tabs = 0; tabs < 6; tabs += 1) {
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null);
    expect(inside).toBe(true);
  }
  await page.keyboard.press('Escape');
  await expect(remove).toBeFocused();
  expect((await stage.stored()).paired).toHaveLength(3);
});

test('the focus stays where it is while others come and go', async ({ page, stage }) => {
  await signIn(page, stage);
  await stage.writes('555', { name: 'Zoe' });
  const approve = card(page, 'Zoe').getByRole('button', { name: 'Approve Zoe' });
  await expect(approve).toBeEnabled();
  await approve.focus();
  const code = await stage.writes('777', { name: 'Ann' });
  await expect(card(page, 'Ann')).toBeVisible();
  await expect(approve).toBeFocused();
  await stage.approveSender(code);
  await expect(card(page, 'Ann')).toHaveCount(0);
  await expect(approve).toBeFocused();
});

test('the focus is not lost with what was decided', async ({ page, stage }) => {
  await signIn(page, stage);
  await stage.writes('555', { name: 'Zoe' });
  const approve = card(page, 'Zoe').getByRole('button', { name: 'Approve Zoe' });
  await expect(approve).toBeEnabled();
  await approve.focus();
  await page.keyboard.press('Enter');
  await expect(card(page, 'Zoe')).toHaveCount(0);
  expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
});

test('the page can be read when letters are twice as large', async ({ page, stage }) => {
  await page.setViewportSize({ width: 640, height: 480 });
  await furnish(page, stage);
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  for (const view of VIEWS) {
    await look(page, view);
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: document.documentElement.clientWidth,
    }));
    expect.soft(inner, view).toBeLessThanOrEqual(outer);
  }
});
