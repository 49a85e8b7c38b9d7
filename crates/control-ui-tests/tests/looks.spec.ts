// Pictures of every view, for eyes: written to `screens/` of the output directory.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { furnish, look, makeCode, settled, VIEWS } from './support/scene.ts';
import { asked, card, dialog, expect, go, test, toast, TOKEN } from './support/test.ts';

/** Where the two of the documents are, where they are to be made anew. */
const IMAGES = process.env.UPDATE_IMAGES === '1' ? fileURLToPath(new URL('../../../docs/images/', import.meta.url)) : undefined;

const SIZES = [
  { name: 'desk', viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 },
  { name: 'phone', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
];

for (const colorScheme of ['light', 'dark'] as const) {
  for (const { name, ...size } of SIZES) {
    test.describe(`${name} ${colorScheme}`, () => {
      test.use({ colorScheme, contextOptions: { reducedMotion: 'reduce' }, ...size });
      test.setTimeout(120_000);

      test('every view', async ({ page, stage }, { project }) => {
        const picture = async (what: string) => {
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          expect.soft(overflow, `${what} is wider than the screen`).toBeLessThanOrEqual(0);
          const path = join(project.outputDir, 'screens', `${what.replaceAll(' ', '-').toLowerCase()}-${name}-${colorScheme}.png`);
          await page.screenshot({ path, fullPage: true });
        };
        /** What the documents show: the upper part of it. */
        const show = async (file: string, height: number) => {
          if (IMAGES === undefined) return;
          const clip = { x: 0, y: 0, width: size.viewport.width, height };
          await page.screenshot({ path: join(IMAGES, file), fullPage: true, clip });
        };
        await page.goto('/');
        await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
        await picture('sign in');
        await page.getByLabel('Gateway token or password').fill(TOKEN);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await asked(page);
        await picture('asking');

        await furnish(page, stage);
        for (const view of VIEWS) {
          await look(page, view);
          if (view === 'Waiting') await settled(page, 'Zoe');
          await picture(view);
          if (view === 'Waiting' && name === 'desk' && colorScheme === 'light') await show('page-waiting.png', 876);
        }
        await go(page, 'Pair a phone');
        await makeCode(page, 'Limited');
        await picture('a setup code');
        if (name === 'phone' && colorScheme === 'dark') await show('page-phone.png', size.viewport.height);
        await page.getByRole('button', { name: 'Cancel' }).click();

        await go(page, 'Devices');
        await page.getByRole('button', { name: 'Remove Work laptop' }).click();
        await expect(dialog(page)).toBeVisible();
        await picture('a dialog');
        await page.keyboard.press('Escape');

        await go(page, 'Waiting');
        await card(page, 'Zoe').getByRole('button', { name: 'Approve Zoe' }).click();
        await expect(toast(page, 'Zoe is let in')).toBeVisible();
        await picture('news');
        await stage.stop();
        await expect(page.getByText('Not live')).toBeVisible();
        await picture('not live');
      });
    });
  }
}
