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
          const isDocumented = view === 'Waiting' && (name === 'desk') === (colorScheme === 'light');
          if (IMAGES !== undefined && isDocumented) {
            await page.screenshot({ path: join(IMAGES, name === 'desk' ? 'page-waiting.png' : 'page-phone.png') });
          }
        }
        await go(page, 'Pair a phone');
        await makeCode(page, stage, 'Limited');
        await picture('a setup code');
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
