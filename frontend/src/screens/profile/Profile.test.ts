import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { expectAccessible } from '../../test/axe';
import { open, openProfile } from '../../test/window';

const peer = {
  code: 'peer',
  sentence: 'This member also works here, and staff are never impersonated, whatever their tier.',
  hint: 'Ask the person to show you their screen.',
};

describe('the profile, S0-01', () => {
  it('shows name, e-mail, phone, account and branch', async () => {
    await openProfile();
    const main = within(screen.getByRole('main'));
    expect(main.getByRole('heading', { level: 1, name: 'Mara Kern' })).toBeVisible();
    for (const fact of ['mara.kern@example.org', '+49 30 5550 1100', 'Acme Health', 'North', 'm-000042']) {
      expect(main.getByText(fact)).toBeVisible();
    }
    await expectAccessible();
  });

  it('shows that it loads, and then why it cannot be shown', async () => {
    const { fake, user } = open((f) => {
      f.hold('members.profile');
      f.fail('members.profile', { code: 'member_not_found', sentence: 'There is no such member among those you look after.', hint: 'Check the name.' });
    });
    await user.type(await screen.findByRole('textbox', { name: 'Find a member' }), 'mara k{Enter}');
    expect(await screen.findByText('Loading…', { selector: '[role=status] *' })).toBeInTheDocument();
    await expectAccessible();
    fake.release('members.profile');
    expect(await screen.findByRole('alert')).toHaveTextContent('There is no such member among those you look after. Check the name.');
    await expectAccessible();
  });

  it('goes back to the list as it was', async () => {
    const { user } = await openProfile();
    await user.click(screen.getByRole('button', { name: 'Back to members' }));
    expect(await screen.findByRole('textbox', { name: 'Find a member' })).toHaveValue('mara kern');
    expect(screen.getByRole('button', { name: 'Mara Kern' })).toBeVisible();
  });
});

describe('the identity check, S0-02', () => {
  it('says what to ask and records the check once both are ticked', async () => {
    const { fake, user } = await openProfile();
    const record = screen.getByRole('button', { name: 'Record the check' });
    expect(record).toBeDisabledInWords('Tick both once the member has said them.');
    await user.click(record);
    expect(fake.asked('members.checkIdentity')).toEqual([]);
    const name = screen.getByRole('checkbox', { name: 'Name matches: Mara Kern' });
    expect(name).toHaveAccessibleDescription('Ask: “What is your full name?”');
    await user.click(name);
    await user.click(screen.getByRole('checkbox', { name: 'E-mail matches: mara.kern@example.org' }));
    await user.click(record);
    expect(await screen.findByText(/^Checked at \d\d:\d\d/)).toBeVisible();
    expect(fake.asked('members.checkIdentity')).toEqual([['m-000042', true, true]]);
    await expectAccessible();
  });

  it('records a mismatch and warns', async () => {
    const { fake, user } = await openProfile();
    await user.click(screen.getByRole('checkbox', { name: /Name matches/ }));
    await user.click(screen.getByRole('button', { name: 'It does not match' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Do not go on before the person has proved who they are.');
    expect(fake.asked('members.checkIdentity')).toEqual([['m-000042', true, false]]);
  });

  it('says when the check could not be recorded, and keeps the ticks', async () => {
    const { fake, user } = await openProfile((f) => f.fail('members.checkIdentity'));
    await user.click(screen.getByRole('checkbox', { name: /Name matches/ }));
    await user.click(screen.getByRole('checkbox', { name: /E-mail matches/ }));
    await user.click(screen.getByRole('button', { name: 'Record the check' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    fake.mend('members.checkIdentity');
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText(/^Checked at/)).toBeVisible();
  });
});

describe('the Actions menu, S0-03', () => {
  it('offers Impersonate and opens the confirm dialog', async () => {
    const { user } = await openProfile();
    await user.click(screen.getByRole('button', { name: 'Actions' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Impersonate' }));
    expect(await screen.findByRole('dialog', { name: 'Log in as Mara Kern?' })).toBeVisible();
  });

  it('says why not instead, when it is not possible', async () => {
    const { user } = await openProfile((f) => (f.whyNot = peer));
    expect(screen.getByRole('alert')).toHaveTextContent(`Impersonate is not possible ${peer.sentence} ${peer.hint}`);
    await user.click(screen.getByRole('button', { name: 'Actions' }));
    const menu = await screen.findByRole('menu');
    expect(within(menu).queryByRole('menuitem', { name: 'Impersonate' })).toBeNull();
    expect(within(menu).getByRole('group')).toHaveTextContent(peer.sentence);
    await expectAccessible();
  });

  it('copies the e-mail address and says so', async () => {
    const { fake, user } = await openProfile();
    await user.click(screen.getByRole('button', { name: 'Actions' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Copy e-mail address' }));
    await waitFor(() => expect(fake.clipboard).toBe('mara.kern@example.org'));
    expect(await screen.findByText('Copied')).toBeInTheDocument();
  });
});

describe('member notes, S0-09 S0-11', () => {
  it('show reasons and close-outs with who and when', async () => {
    await openProfile((f) => {
      f.notes = [
        { at: Date.UTC(2026, 10, 21, 9, 30), author: 'Amara Okafor', kind: 'close_out', text: 'Plan renewed.' },
        { at: Date.UTC(2026, 10, 21, 9, 10), author: 'Amara Okafor', kind: 'reason', text: 'Search shows nothing' },
      ];
    });
    const notes = within(screen.getByRole('region', { name: 'Member notes' })).getAllByRole('listitem');
    expect(notes.map((n) => n.textContent.replace(/\s+/g, ' ').trim())).toEqual([
      'Close-out Amara Okafor 21 Nov 2026, 09:30 Plan renewed.',
      'Reason Amara Okafor 21 Nov 2026, 09:10 Search shows nothing',
    ]);
    await expectAccessible();
  });

  it('say that there are none yet', async () => {
    await openProfile();
    expect(screen.getByText(/^No notes yet/)).toBeVisible();
  });
});
