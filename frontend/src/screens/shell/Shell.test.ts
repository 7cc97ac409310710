import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { person } from '../../backend/fake-people';
import { expectAccessible } from '../../test/axe';
import { closed, liveFor, minute, open, openAt } from '../../test/window';

const places = async (): Promise<string[]> =>
  within(await screen.findByRole('navigation', { name: 'Main' })).getAllByRole('button').map((b) => b.querySelector('.label')?.textContent ?? '');

describe('the shell', () => {
  it.each([
    ['support', ['Members', 'Session', 'Owed notes', 'Trail']],
    ['lead', ['Members', 'Session', 'Owed notes', 'Overview', 'Trail']],
    ['auditor', ['Overview', 'Trail']],
    ['superadmin', ['Members', 'Session', 'Owed notes', 'Overview', 'Trail']],
  ] as const)('shows a %s what they may use', async (role, expected) => {
    open((f) => (f.me = person(role)));
    expect(await places()).toEqual(expected);
    expect(screen.getByRole('button', { name: new RegExp(`^Your account: ${person(role).name}`) })).toBeVisible();
    await expectAccessible();
  });

  it('moves the focus to the heading of the screen one goes to', async () => {
    await openAt('Trail');
    await waitFor(() => expect(screen.getByRole('heading', { level: 1, name: 'Trail' })).toHaveFocus());
    expect(screen.getByRole('button', { name: 'Trail' })).toHaveAttribute('aria-current', 'page');
  });

  it('lets the keyboard skip the navigation', async () => {
    const { user } = open();
    const skip = await screen.findByRole('link', { name: 'Skip to the content' });
    skip.focus();
    await user.keyboard('{Enter}');
    expect(screen.getByRole('main')).toHaveFocus();
  });

  it('signs out, and shows the next person nothing of the one before', async () => {
    const { fake, user } = open();
    await user.type(await screen.findByRole('textbox', { name: 'Find a member' }), 'mara k{Enter}');
    await screen.findByRole('heading', { level: 1, name: 'Mara Kern' });
    await user.click(screen.getByRole('button', { name: /^Your account/ }));
    await user.click(await screen.findByRole('menuitem', { name: 'Sign out' }));
    expect(await screen.findByRole('heading', { name: 'Sign in to begin' })).toBeVisible();
    fake.me = person('lead');
    await user.click(screen.getByRole('button', { name: 'Sign in with the browser' }));
    expect(await screen.findByRole('textbox', { name: 'Find a member' })).toHaveValue('');
    expect(screen.queryByText('Mara Kern')).toBeNull();
  });

  it('asks before signing out ends a live session', async () => {
    const { fake, user } = open((f) => (f.now = liveFor(5 * minute)));
    await user.click(await screen.findByRole('button', { name: /^Your account/ }));
    await user.click(await screen.findByRole('menuitem', { name: 'Sign out' }));
    const dialog = await screen.findByRole('dialog', { name: 'Sign out and end the session?' });
    expect(dialog).toHaveAccessibleDescription(/The session of Mara Kern is still open/);
    await expectAccessible();
    await user.click(within(dialog).getByRole('button', { name: 'Cancel' }));
    await closed();
    expect(fake.asked('signIn.signOut')).toEqual([]);
    await user.click(screen.getByRole('button', { name: /^Your account/ }));
    await user.click(await screen.findByRole('menuitem', { name: 'Sign out' }));
    await user.click(await screen.findByRole('button', { name: 'End and sign out' }));
    await waitFor(() => expect(fake.asked('signIn.signOut')).toHaveLength(1));
  });
});

describe('the command palette, S1-17', () => {
  const input = (): Promise<HTMLElement> => screen.findByRole('combobox', { name: 'Find a member or do something' });

  it('opens with Ctrl+K, finds a member and opens the profile', async () => {
    const { user } = await openAt('Trail');
    await user.keyboard('{Control>}k{/Control}');
    expect(await input()).toHaveFocus();
    await expectAccessible();
    await user.type(await input(), 'aiko');
    const option = await screen.findByRole('option', { name: /Aiko Tanabe/ });
    await waitFor(() => expect(option).toHaveAttribute('aria-selected', 'true'));
    await user.keyboard('{Enter}');
    expect(await screen.findByRole('heading', { level: 1, name: 'Aiko Tanabe' })).toBeVisible();
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('goes to a screen, and closes with Escape', async () => {
    const { user } = open();
    await user.click(await screen.findByRole('button', { name: /^Find or do/ }));
    await user.type(await input(), 'trail');
    await user.click(await screen.findByRole('option', { name: 'Trail' }));
    expect(await screen.findByRole('heading', { level: 1, name: 'Trail' })).toBeVisible();
    await user.keyboard('{Control>}k{/Control}');
    await input();
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('can end the session, but never by an Enter too many', async () => {
    const { fake, user } = open((f) => (f.now = liveFor(5 * minute)));
    await screen.findByRole('region', { name: 'Live session' });
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await input(), 'mara');
    await screen.findByRole('option', { name: /Mara Kern mara/ });
    await user.keyboard('{Enter}');
    expect(await screen.findByRole('heading', { level: 1, name: 'Mara Kern' })).toBeVisible();
    expect(fake.asked('session.end')).toEqual([]);
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await input(), 'end the session');
    await user.click(await screen.findByRole('option', { name: 'End the session of Mara Kern' }));
    await waitFor(() => expect(fake.asked('session.end')).toHaveLength(1));
  });

  it('says when nothing matches, and asks for no members where the person may find none', async () => {
    const { fake, user } = open((f) => (f.me = person('auditor')));
    await screen.findByRole('heading', { level: 1, name: 'Overview' });
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await input(), 'zzz');
    expect(await screen.findByText('Nothing matches “zzz”.')).toBeVisible();
    expect(fake.asked('members.find')).toEqual([]);
  });
});
