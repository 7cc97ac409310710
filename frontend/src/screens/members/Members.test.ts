import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { expectAccessible } from '../../test/axe';
import { open, openAt } from '../../test/window';

const field = (): Promise<HTMLElement> => screen.findByRole('textbox', { name: 'Find a member' });
const row = (name: RegExp): HTMLElement => screen.getByRole('row', { name });

describe('members, S0-01', () => {
  it('starts empty, says what to type, and has the focus in the field', async () => {
    open();
    expect(await field()).toHaveFocus();
    expect(screen.getByRole('heading', { name: 'Who needs help?' })).toBeVisible();
    await expectAccessible();
  });

  it('finds as one types and lists name, e-mail, account and branch', async () => {
    const { user } = open();
    await user.type(await field(), 'mara k');
    expect(await screen.findByRole('row', { name: /Mara Kern mara\.kern@example\.org Acme Health North/ })).toBeVisible();
    await waitFor(() => expect(screen.getAllByText('1 member found').length).toBeGreaterThan(0));
    await expectAccessible();
  });

  it('shows that it is looking, and then that nobody is there', async () => {
    const { fake, user } = open((f) => f.hold('members.find'));
    await user.type(await field(), 'zzz');
    expect(screen.getByText('Loading…')).toBeInTheDocument();
    await expectAccessible();
    await waitFor(() => expect(fake.asked('members.find')).toHaveLength(1));
    fake.release('members.find');
    expect(await screen.findByRole('heading', { name: 'Nobody found for “zzz”' })).toBeVisible();
  });

  it('says that it is offline, keeps what was typed, and finds once it is back', async () => {
    const { fake, user } = open((f) => f.fail('members.find'));
    await user.type(await field(), 'mara');
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    await expectAccessible();
    fake.mend('members.find');
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('button', { name: 'Mara Kern' })).toBeVisible();
    expect(screen.queryByRole('alert', { name: /reached/ })).toBeNull();
    expect(await field()).toHaveValue('mara');
  });

  it('shows a refusal with its hint', async () => {
    const { user } = open((f) => f.fail('members.find', { code: 'role_forbidden', sentence: 'Your role does not allow this.', hint: 'Ask your team lead.' }));
    await user.type(await field(), 'mara');
    expect(await screen.findByRole('alert')).toHaveTextContent('Your role does not allow this. Ask your team lead.');
  });

  it('is worked by arrows and Enter alone', async () => {
    const { user } = open();
    await user.type(await field(), 'mar');
    await screen.findByRole('button', { name: 'Mara Kern' });
    await user.keyboard('{ArrowDown}{ArrowDown}');
    expect(screen.getByRole('button', { name: 'Marek Dvorak' })).toHaveFocus();
    await user.keyboard('{ArrowUp}{ArrowUp}');
    expect(await field()).toHaveFocus();
    await user.keyboard('{Enter}');
    expect(await screen.findByRole('heading', { level: 1, name: 'Mara Kern' })).toHaveFocus();
  });

  it('opens the first of what was typed, not of what was found before', async () => {
    const { user } = open();
    await user.type(await field(), 'jonas');
    await screen.findByRole('button', { name: 'Jonas Albrecht' });
    await user.clear(await field());
    await user.type(await field(), 'aiko{Enter}');
    expect(await screen.findByRole('heading', { level: 1, name: 'Aiko Tanabe' })).toBeVisible();
  });

  it('is reached by / from anywhere, but not while typing', async () => {
    const { user } = await openAt('Trail');
    await screen.findByRole('heading', { level: 1, name: 'Trail' });
    await user.keyboard('/');
    expect(await field()).toHaveFocus();
    await user.keyboard('a/b');
    expect(await field()).toHaveValue('a/b');
  });

  it('shows more on demand', async () => {
    const { user } = open((f) => (f.pageSize = 2));
    await user.type(await field(), 'ma');
    await screen.findByText('First 2 members; type more to narrow it down', { selector: 'p' });
    await user.click(screen.getByRole('button', { name: 'Show more' }));
    await waitFor(() => expect(screen.getAllByRole('row')).toHaveLength(5));
  });

  it('remembers whom one opened lately', async () => {
    const { user } = open();
    await user.type(await field(), 'aiko{Enter}');
    await user.click(await screen.findByRole('button', { name: 'Back to members' }));
    await user.clear(await field());
    expect(screen.getByRole('heading', { name: 'Opened lately' })).toBeVisible();
    expect(screen.getByRole('button', { name: 'Aiko Tanabe' })).toBeVisible();
  });
});

describe('the row menu, S1-17 S2-02', () => {
  it('stands at the end of the row and offers to log in as this user', async () => {
    const { user } = open();
    await user.type(await field(), 'mara k');
    await screen.findByRole('button', { name: 'Mara Kern' });
    const cells = within(row(/Mara Kern/)).getAllByRole('cell');
    const trigger = within(cells.at(-1) ?? document.body).getByRole('button', { name: 'Actions for Mara Kern' });
    await user.click(trigger);
    expect(await screen.findByRole('menuitem', { name: 'Open profile' })).toBeVisible();
    await expectAccessible();
    await user.click(screen.getByRole('menuitem', { name: 'Log in as this user' }));
    expect(await screen.findByRole('dialog', { name: 'Log in as Mara Kern?' })).toBeVisible();
  });

  it('labels power users and says so in the menu', async () => {
    const { user } = open();
    await user.type(await field(), 'priya');
    await screen.findByRole('button', { name: 'Priya Raman' });
    expect(within(row(/Priya Raman/)).getByText('Power user')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Actions for Priya Raman' }));
    expect(await screen.findByRole('menuitem', { name: 'Log in as this power user' })).toBeVisible();
  });

  it('is opened and left by the keyboard, and the focus comes back', async () => {
    const { user } = open();
    await user.type(await field(), 'mara k');
    const trigger = await screen.findByRole('button', { name: 'Actions for Mara Kern' });
    trigger.focus();
    await user.keyboard('{Enter}');
    await screen.findByRole('menuitem', { name: 'Open profile' });
    await user.keyboard('{ArrowDown}');
    await user.keyboard('{Escape}');
    await waitFor(() => expect(trigger).toHaveFocus());
  });

  it('does not ask to confirm what is not possible, but says why', async () => {
    const { user } = open((f) => {
      f.whyNot = { code: 'peer', sentence: 'This member also works here.', hint: 'Ask the person to show you their screen.' };
    });
    await user.type(await field(), 'mara k');
    await user.click(await screen.findByRole('button', { name: 'Actions for Mara Kern' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Log in as this user' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('This member also works here.');
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('offers no login to somebody who may not impersonate', async () => {
    const { user } = open((f) => (f.me = { ...f.me, actions: ['find_members'] }));
    await user.type(await field(), 'mara k');
    await user.click(await screen.findByRole('button', { name: 'Actions for Mara Kern' }));
    await screen.findByRole('menuitem', { name: 'Open profile' });
    expect(screen.queryByRole('menuitem', { name: /Log in/ })).toBeNull();
  });
});
