import axe from 'axe-core';
import { expect } from 'vitest';

/**
 * Fails when axe finds anything wrong with the whole page. jsdom lays nothing out, so contrast is measured in a real
 * browser instead (e2e/look.spec.ts).
 */
export async function expectAccessible(): Promise<void> {
  const { violations } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
  const found = violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html}`));
  // An open menu floats at the end of the page, outside all landmarks; its trigger is inside one.
  expect(found.filter((f) => !/^region: .*data-bits-floating-c/.test(f))).toEqual([]);
}
