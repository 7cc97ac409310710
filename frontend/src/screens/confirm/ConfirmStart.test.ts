import { screen, waitFor, within } from '@testing-library/svelte';
import type { UserEvent } from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { expectAccessible } from '../../test/axe';
import { liveFor, minute, openConfirm, openProfile } from '../../test/window';

const ok = (): HTMLElement => screen.getByRole('button', { name: 'OK, log in' });
const dialog = () => within(screen.getByRole('dialog'));

async function fill(user: UserEvent): Promise<void> {
  await user.click(dialog().getByRole('checkbox', { name: /Name matches/ }));
  await user.click(dialog().getByRole('checkbox', { name: /E-mail matches/ }));
  await user.click(dialog().getByRole('radio', { name: 'Something does not work' }));
  await user.type(dialog().getByRole('textbox', { name: 'In your own words' }), 'Search shows nothing for her');
  await user.click(dialog().getByRole('checkbox', { name: /has agreed/ }));
  await user.click(dialog().getByRole('radio', { name: 'By phone' }));
}

describe('the confirm dialog, S1-02 S2-03', () => {
  it('names the member and the e-mail address, twenty minutes, and that everything is logged', async () => {
    await openConfirm();
    const text = screen.getByRole('dialog').textContent.replace(/\s+/g, ' ');
    expect(text).toContain('Mara Kern mara.kern@example.org');
    expect(text).toContain('lasts 20 minutes at most. It cannot be extended.');
    expect(text).toContain('Everything is logged, and the member is told.');
    await expectAccessible();
  });

  it('says what is missing until nothing is, and then starts what was asked', async () => {
    const { fake, user } = await openConfirm();
    expect(ok()).toBeDisabledInWords('Still missing: the identity check, a reason or a ticket, the member’s consent and how they gave it.');
    await user.click(ok());
    expect(fake.asked('session.start')).toEqual([]);
    await fill(user);
    expect(ok()).not.toHaveAttribute('aria-disabled');
    await expectAccessible();
    await user.click(ok());
    expect(await screen.findByRole('heading', { level: 1, name: 'Mara Kern' })).toBeVisible();
    expect(fake.asked('session.start')).toEqual([
      [{
        memberId: 'm-000042', category: 'troubleshooting', reason: 'Search shows nothing for her', ticket: '', consent: true, consentHow: 'phone',
        nameChecked: true, mailChecked: true,
      }],
    ]);
    expect(screen.getByRole('region', { name: 'Live session' })).toBeVisible();
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('measures the reason while it is written, S0-09', async () => {
    const { user } = await openConfirm();
    const text = dialog().getByRole('textbox', { name: 'In your own words' });
    expect(dialog().getByText('0 of at least 15 characters, 0 of 3 different words')).toBeVisible();
    await user.type(text, 'test test');
    expect(dialog().getByText('9 of at least 15 characters, 1 of 3 different words')).toBeVisible();
    await user.type(text, ' shows nothing');
    expect(dialog().getByText('Good. 1977 characters left.')).toBeVisible();
  });

  it('says precisely what the reason and the consent lack, and shows the question that comes up', async () => {
    const shown = vi.spyOn(Element.prototype, 'scrollIntoView');
    const { user } = await openConfirm((f) => (f.identityCheckedAt = Date.now()));
    await user.click(dialog().getByRole('checkbox', { name: /has agreed/ }));
    expect(shown.mock.contexts.some((e) => e instanceof Element && e.textContent.includes('How did they agree?'))).toBe(true);
    expect(ok()).toBeDisabledInWords('Still missing: a reason or a ticket, how the member agreed.');
    await user.click(dialog().getByRole('radio', { name: 'By phone' }));
    const text = dialog().getByRole('textbox', { name: 'In your own words' });
    await user.type(text, 'test test');
    expect(ok()).toBeDisabledInWords('Still missing: what kind of help it is, a longer reason.');
    await user.click(dialog().getByRole('radio', { name: 'Guidance' }));
    expect(ok()).toBeDisabledInWords('Still missing: a longer reason.');
    await user.type(text, ' test test test');
    expect(ok()).toBeDisabledInWords('Still missing: a reason of at least 3 different words.');
    await user.type(dialog().getByRole('textbox', { name: 'Ticket' }), 'SUP-4711');
    expect(dialog().queryByText(/different words/)).toBeNull();
    expect(ok()).not.toHaveAttribute('aria-disabled');
    shown.mockRestore();
  });

  it('takes a ticket for the reason, and says what a ticket looks like', async () => {
    const { fake, user } = await openConfirm((f) => (f.identityCheckedAt = Date.now()));
    await user.click(dialog().getByRole('checkbox', { name: /has agreed/ }));
    await user.click(dialog().getByRole('radio', { name: 'In the chat' }));
    const ticket = dialog().getByRole('textbox', { name: 'Ticket' });
    await user.type(ticket, '4711');
    expect(ticket).toHaveAccessibleDescription('A ticket looks like SUP-4711.');
    expect(ok()).toBeDisabledInWords('Still missing: a ticket that looks like SUP-4711.');
    await user.clear(ticket);
    await user.type(ticket, 'sup-4711');
    await user.click(ok());
    await waitFor(() => expect(fake.asked('session.start')[0]?.[0]).toMatchObject({ ticket: 'SUP-4711', category: '', consentHow: 'chat' }));
  });

  it('does not ask again for an identity that was checked on the profile, nor record it twice, S0-02', async () => {
    const { fake, user } = await openConfirm((f) => (f.identityCheckedAt = Date.now()));
    expect(dialog().getByText(/^Identity checked at/)).toBeVisible();
    expect(dialog().queryByRole('checkbox', { name: /matches/ })).toBeNull();
    await user.click(dialog().getByRole('checkbox', { name: /has agreed/ }));
    await user.click(dialog().getByRole('radio', { name: 'By phone' }));
    await user.type(dialog().getByRole('textbox', { name: 'Ticket' }), 'SUP-1');
    await user.click(ok());
    await waitFor(() => expect(fake.asked('session.start')[0]?.[0]).toMatchObject({ nameChecked: false, mailChecked: false }));
  });

  it('shows each step while it starts and cannot be closed meanwhile', async () => {
    const { fake, user } = await openConfirm((f) => (f.stepTime = 40));
    fake.hold('session.start');
    await fill(user);
    await user.click(ok());
    expect(await screen.findByRole('button', { name: 'Starting…' })).toBeVisible();
    const steps = within(screen.getByRole('list', { name: 'Steps of the start' }));
    await waitFor(() => expect(steps.getAllByRole('listitem').at(-1)).toHaveAttribute('aria-current', 'step'));
    expect(steps.getAllByRole('listitem')[0]).toHaveTextContent('Write the record to this machine’s disk done');
    await user.keyboard('{Escape}');
    expect(screen.getByRole('dialog')).toBeVisible();
    await expectAccessible();
    fake.release('session.start');
    expect(await screen.findByText('You are in the account of')).toBeVisible();
  });

  it('shows a refusal with sentence and hint, keeps what was typed, and starts when it is asked again', async () => {
    const { fake, user } = await openConfirm();
    fake.fail('session.start', { code: 'notes_owed', sentence: 'You still owe the notes of earlier sessions.', hint: 'Write the owed notes; then start again.' });
    await fill(user);
    await user.click(ok());
    const alert = await screen.findByRole('alert', { hidden: false });
    expect(alert).toHaveTextContent('No session was started You still owe the notes of earlier sessions. Write the owed notes; then start again.');
    expect(dialog().getByRole('textbox', { name: 'In your own words' })).toHaveValue('Search shows nothing for her');
    expect(screen.queryByRole('region', { name: 'Live session', hidden: true })).toBeNull();
    await expectAccessible();
    fake.mend('session.start');
    await user.click(ok());
    expect(await screen.findByText('You are in the account of')).toBeVisible();
  });

  it('gives the focus back to Actions when it is cancelled', async () => {
    const { fake, user } = await openConfirm();
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    await waitFor(() => expect(screen.getByRole('button', { name: 'Actions' })).toHaveFocus());
    expect(fake.asked('session.start')).toEqual([]);
  });

  it('says which session the new one will end, S1-08', async () => {
    const { fake, user } = await openProfile();
    fake.show(liveFor(10 * minute, { memberName: 'Jonas Albrecht' }));
    await user.click(screen.getByRole('button', { name: 'Actions' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Impersonate' }));
    expect(await screen.findByText('Your session of Jonas Albrecht ends when this one starts.')).toBeVisible();
  });

  it('does not ask what this machine would refuse', async () => {
    const { fake } = await openConfirm();
    fake.emit('outbox', { ...fake.box, blocked: { code: 'outbox_full', sentence: 'The disk is almost full.', hint: 'Free some disk space.' } });
    expect(await dialog().findByRole('alert')).toHaveTextContent(/No session can be started.*almost full/);
    expect(ok()).toHaveAttribute('aria-disabled', 'true');
  });

  it('is filled in by the keyboard alone', async () => {
    const { fake, user } = await openConfirm();
    const first = dialog().getByRole('checkbox', { name: /Name matches/ });
    await waitFor(() => expect(screen.getByRole('dialog').contains(document.activeElement)).toBe(true)); // the dialog takes the focus a moment after it opens
    for (let i = 0; i < 3 && document.activeElement !== first; i++) await user.tab();
    expect(first).toHaveFocus();
    await user.keyboard(' ');
    await user.tab();
    await user.keyboard(' ');
    await user.tab();
    await user.keyboard(' ');
    await user.tab();
    await user.keyboard('Search shows nothing for her');
    await user.tab();
    await user.tab();
    await user.keyboard(' ');
    await user.tab();
    await user.keyboard(' ');
    await user.tab();
    await user.tab();
    expect(ok()).toHaveFocus();
    await user.keyboard('{Enter}');
    await waitFor(() => expect(fake.asked('session.start')).toHaveLength(1));
  });
});
