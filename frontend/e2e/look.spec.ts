import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { Steps } from './steps';

type Walk = (steps: Steps) => Promise<unknown>;
const stay: Walk = () => Promise.resolve();

const scenes: [string, string, Walk][] = [
  ['signed out', 'phase=signed_out', stay],
  ['waiting for the browser', 'phase=waiting', stay],
  ['unreachable', 'phase=unreachable', stay],
  ['cannot work here', 'phase=failed', stay],
  ['setup code', 'phase=setup', (s) => s.page.getByRole('button', { name: 'Become superadmin' }).click()],
  ['members, empty', '', stay],
  ['members, found', '', (s) => s.find('ma')],
  ['members, offline', 'fail=members.find', (s) => s.find('ma')],
  ['row menu', '', async (s) => { await s.find('priya'); await s.page.getByRole('button', { name: 'Actions for Priya Raman' }).click(); }],
  ['profile', '', (s) => s.openProfile('Mara Kern')],
  ['profile of a colleague', 'scene=peer', (s) => s.openProfile('Mara Kern')],
  ['confirm', '', async (s) => { await s.openProfile('Mara Kern'); await s.impersonate(); }],
  ['live', 'scene=live', (s) => s.go('Session')],
  ['connection lost', 'scene=lost', (s) => s.go('Session')],
  ['ended, not confirmed', 'scene=unconfirmed', (s) => s.go('Session')],
  ['ended, elsewhere', 'scene=ended', stay],
  ['owed notes', '', (s) => s.go('Owed notes')],
  ['overview', 'role=lead&scene=live', (s) => s.go('Overview')],
  ['overview, offline', 'role=lead&fail=overview.sessions', (s) => s.go('Overview')],
  ['trail, pending', 'role=lead&scene=pending', (s) => s.go('Trail')],
  ['palette', 'role=lead&scene=live', async (s) => { await s.page.keyboard.press('Control+k'); await s.page.getByRole('combobox').fill('ma'); }],
];

async function show(page: Page, query: string): Promise<Steps> {
  await page.goto(`/e2e/preview.html?${query}`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  return new Steps(page);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: 'reduce' } });
    for (const [name, query, walk] of scenes) {
      test(`nothing wrong with ${name}, contrast included`, async ({ page }) => {
        await walk(await show(page, query));
        await page.waitForTimeout(250); // what moves has come to rest
        const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
        expect(violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html} ${n.failureSummary ?? ''}`))).toEqual([]);
      });
    }
  });
}

test('the bar of a live session can be pressed above an open dialog', async ({ page }) => {
  const steps = await show(page, 'scene=live');
  await steps.openProfile('Jonas Albrecht');
  await expect(await steps.impersonate()).toBeVisible();
  await page.locator('section').filter({ hasText: 'mara.kern@example.org' }).getByText('End session').click();
  await expect(page.getByText('The session of Mara Kern has ended').first()).toBeVisible();
});

for (const width of [820, 1180, 1920]) {
  test(`nothing is cut off at ${String(width)} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 700 });
    const steps = await show(page, 'role=lead&scene=live');
    for (const place of ['Members', 'Session', 'Owed notes', 'Overview', 'Trail'] as const) {
      await steps.go(place);
      const wide = await page.evaluate(() => {
        const main = document.querySelector('main');
        return main ? main.scrollWidth - main.clientWidth : -1;
      });
      expect(wide, place).toBe(0);
      if (place === 'Members') await steps.find('ma');
      const tables = page.locator('.card:has(> table)');
      await expect(tables).toHaveCount({ Members: 1, Overview: 2, Trail: 1 }[place as string] ?? 0);
      for (const table of await tables.all()) expect(await table.evaluate((card) => card.scrollWidth - card.clientWidth), place).toBe(0);
    }
  });
}
