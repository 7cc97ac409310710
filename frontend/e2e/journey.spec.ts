import { existsSync, readFileSync, rmSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { filesHolding, memberBrowsers } from './member-browser';
import { place } from './place';
import { Steps } from './steps';

// One window for all of it, as an agent has one: each test goes on where the one before stopped.
test.describe.configure({ mode: 'serial' });

// bits-ui's palette has three style attributes of its own; the policy blocks them, which harms nothing.
const known = /sha256-iaOezIDcQIoxCULa6FBKKuLUu09R7kG\+Mlu\+JVfU3Rw=|runtime:ready/;
const token = /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/; // what every signed token looks like

let page: Page;
let steps: Steps;
let member = { name: '', email: '' };
const complaints: string[] = [];

test.beforeAll(async ({ browser }) => {
  page = await (await browser.newContext()).newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' && !known.test(message.text())) complaints.push(`${test.info().title}: ${message.text()}`);
  });
  page.on('pageerror', (error) => {
    // The dev build's own overlay of "waiting for the backend" looks for the body before there is one.
    if (!error.stack?.includes('/wails/ipc.js')) complaints.push(`${test.info().title}: ${error.stack ?? error.message}`);
  });
  steps = new Steps(page);
  await page.goto('/');
});
test.afterAll(() => page.context().close());

/** Signs in as the agent does: in their own browser, by pressing a person on the demo's sign-in page. */
async function signInAs(person: string): Promise<void> {
  const { opened } = await place();
  rmSync(opened, { force: true });
  await steps.signIn();
  await expect.poll(() => existsSync(opened)).toBe(true);
  const own = await page.context().browser()?.newContext();
  const tab = await own?.newPage();
  await tab?.goto(readFileSync(opened, 'utf8'));
  await tab?.getByRole('button', { name: person }).click();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await own?.close();
}

async function accessible(): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  expect(violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html}`))).toEqual([]);
}

async function start(reason: string): Promise<void> {
  await steps.openProfile(member.name, member.email);
  const dialog = await steps.impersonate();
  await steps.fill(dialog, reason);
  await steps.ok(dialog);
  await expect(page.getByText('You are in the account of')).toBeVisible({ timeout: 45_000 });
}

test('the page comes with its strict policy and nothing in it is blocked', async () => {
  const answer = await page.request.get('/');
  expect(answer.headers()['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
  await expect(page.getByRole('heading', { level: 1, name: 'Sign in to begin' })).toBeVisible();
  await accessible();
});

test('an agent signs in with their own browser, and gives up once before', async () => {
  await steps.signIn();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Sign in to begin' })).toBeVisible();
  await signInAs('Lena Ortiz');
  await expect(page.getByRole('button', { name: /^Your account: Lena Ortiz/ })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Overview' })).toHaveCount(0);
});

test('finds a member as they type, in their own branches, S0-01 S2-01 S2-02', async () => {
  await steps.find('an');
  const row = page.getByRole('row').filter({ has: page.getByRole('button', { name: /^Actions for/ }) }).nth(3);
  member = { name: (await row.getByRole('rowheader').getByRole('button').innerText()).split('\n').at(-1) ?? '', email: await row.getByRole('cell').first().innerText() };
  expect(member.email).toContain('@');
  await expect(row.getByRole('cell', { name: /^Actions for/ })).toBeVisible();
  await accessible();
  await steps.find('nobody-is-called-so');
  await expect(page.getByRole('heading', { name: /^Nobody found/ })).toBeVisible();
});

test('is told why a colleague cannot be impersonated, S0-16', async () => {
  await steps.openProfile('Tom Fischer');
  await expect(page.getByRole('alert')).toContainText('staff are never impersonated');
  await page.getByRole('button', { name: 'Actions', exact: true }).click();
  await expect(page.getByRole('menuitem', { name: 'Copy member ID' })).toBeVisible();
  await expect(page.getByRole('menuitem', { name: 'Impersonate' })).toHaveCount(0);
  await page.keyboard.press('Escape');
});

test('checks the identity, which is recorded, S0-02', async () => {
  await steps.openProfile(member.name, member.email);
  await page.getByRole('checkbox', { name: `Name matches: ${member.name}` }).check();
  await page.getByRole('checkbox', { name: `E-mail matches: ${member.email}` }).check();
  await page.getByRole('button', { name: 'Record the check' }).click();
  await expect(page.getByText(/^Checked at/)).toBeVisible();
  await accessible();
});

test('confirms and is in the session, with the red frame and the countdown, S0-03 S1-02 S1-03 S2-03', async () => {
  const dialog = await steps.impersonate();
  await expect(dialog).toContainText(member.email);
  await expect(dialog).toContainText('20 minutes at most');
  await expect(dialog).toContainText('Everything is logged');
  await accessible();
  await steps.fill(dialog, 'The provider search shows no results');
  await steps.ok(dialog);
  await expect(page.getByText('You are in the account of')).toBeVisible({ timeout: 45_000 });
  await expect(steps.bar).toContainText(member.email);
  await expect(steps.bar.getByRole('timer')).toHaveText(/^(20:00|19:\d\d)$/);
  await accessible();
});

test('the member browser has a fresh folder, a pipe, and no credential anywhere, S1-14', async () => {
  const { folder } = await place();
  const [browser, ...others] = memberBrowsers(folder);
  expect(others).toEqual([]);
  expect(browser?.args).toContain('--remote-debugging-pipe');
  expect(browser?.args.join(' ')).not.toContain('--no-sandbox');
  expect(browser?.args.join(' ')).not.toMatch(token);
  expect(browser?.environment).not.toMatch(token);
  expect(filesHolding(browser?.profile ?? '', token)).toEqual([]);
});

test('nothing the window can reach holds a credential', async () => {
  const seen = await page.evaluate(() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, document.documentElement.outerHTML].join(' '));
  expect(seen).not.toMatch(token);
});

test('other screens go on working while the session lives', async () => {
  for (const name of ['Trail', 'Owed notes', 'Members'] as const) {
    await steps.go(name);
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
    await expect(steps.bar).toContainText(member.email);
  }
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('session');
  await page.getByRole('option', { name: 'Session', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: member.name })).toBeVisible();
});

test('End ends it, wipes the browser, and the note finishes it, S0-06 S0-11', async () => {
  const { folder } = await place();
  const profile = memberBrowsers(folder)[0]?.profile ?? '';
  await steps.end();
  await expect(page.getByRole('heading', { level: 1, name: `The session of ${member.name} has ended` })).toBeVisible();
  await expect(page.getByText('The platform has confirmed the end.')).toBeVisible();
  await expect(page.getByText('The browser is closed and its data is wiped.')).toBeVisible();
  expect(memberBrowsers(folder)).toEqual([]);
  expect(existsSync(profile)).toBe(false);
  await accessible();
  await steps.writeNote('The zip code was missing in the preferences; the member sets it.');
  await expect(page.getByText('The note is written. This session is finished.')).toBeVisible();
});

test('reason and note stand in the member’s notes, S0-09', async () => {
  await steps.openProfile(member.name, member.email);
  const notes = page.getByRole('region', { name: 'Member notes' });
  await expect(notes).toContainText('The provider search shows no results');
  await expect(notes).toContainText('The zip code was missing in the preferences');
});

test('the trail tells it in plain words, with both identities and one cause, S0-08 S1-12', async () => {
  await steps.go('Trail');
  const table = page.getByRole('table', { name: 'Records' });
  await table.getByRole('row').filter({ hasText: 'Session ended' }).first().getByRole('button', { name: /^Show only session/ }).click();
  await expect(page.getByText(/^Only session/)).toBeVisible();
  for (const kind of ['Session started', 'Session ended']) {
    const row = table.getByRole('row').filter({ hasText: kind });
    await expect(row).toHaveCount(1);
    await expect(row).toContainText('Lena Ortiz');
    await expect(row).toContainText(`about ${member.name}`);
  }
  await expect(table.getByRole('row').filter({ hasText: 'Session ended' })).toContainText('The agent ended it');
  await expect(page.getByText('Every record of this machine is with the platform.')).toBeVisible();
  await accessible();
});

test('a member browser that is killed ends the session and brings the close-out to the front', async () => {
  const { folder } = await place();
  await start('Looking at the preferences once more');
  const [browser] = memberBrowsers(folder);
  expect(browser).toBeDefined();
  process.kill(browser?.pid ?? NaN, 'SIGTERM');
  await expect(page.getByText('The browser crashed.')).toBeVisible(); // nobody closed its window
  await steps.writeNote('Looked at it again, all is well.');
  await expect(page.getByText(/^The note is written/)).toBeVisible();
});

test('signing out asks first, ends the session, and leaves nothing for the next person', async () => {
  await start('A third look at the same account');
  const signOut = async (): Promise<void> => {
    await page.getByRole('button', { name: /^Your account/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
  };
  await signOut();
  await page.getByRole('dialog').getByRole('button', { name: 'End and sign out' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Sign in to begin' })).toBeVisible();
  expect(memberBrowsers((await place()).folder)).toEqual([]);
  await signInAs('Priya Nair');
  await expect(page.getByRole('textbox', { name: 'Find a member' })).toHaveValue('');
});

test('a lead sees the live session in the overview, ends it there, and hands out an enrolment code, S1-11 S1-16', async () => {
  await start('The lead takes over the case');
  await steps.go('Overview');
  const live = page.getByRole('table', { name: /^Active Impersonation Sessions/ });
  await expect(live.getByRole('row').filter({ hasText: 'Priya Nair' })).toContainText(member.email);
  await accessible();
  await live.getByRole('button', { name: /^End the session of Priya Nair/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End session' }).click();
  await expect(steps.bar.getByRole('timer')).toHaveCount(0);
  await steps.go('Overview');
  await expect(page.getByText('Nobody is in a member’s account right now.')).toBeVisible();
  await expect(page.getByRole('table', { name: 'Ended sessions' }).getByRole('row')).toHaveCount(5);
  await page.getByRole('button', { name: 'Make an enrolment code' }).click();
  await expect(page.getByRole('status', { name: 'Enrolment code' })).not.toBeEmpty();
  await page.getByRole('button', { name: 'Close' }).click();
});

test('nothing complained on the way', () => {
  expect(complaints).toEqual([]);
});
