import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import type { FakeBackend } from '../../backend/fake';
import { session } from '../../backend/fake-people';
import { expectAccessible } from '../../test/axe';
import { openAt } from '../../test/window';

const owed = (fake: FakeBackend): void => {
  const ended = { state: 'ended', noteOwed: true, endedAt: Date.UTC(2026, 10, 22, 14, 5) };
  fake.table = [session(0, { id: 's1', ...ended }), session(0, { id: 's2', memberName: 'Jonas Albrecht', reason: 'Wants his preferences explained', ticket: '', ...ended })];
};
const text = (): Promise<HTMLElement> => screen.findByRole('textbox', { name: /What did you look at/ });

describe('owed notes, S0-11', () => {
  it('says that none are owed', async () => {
    await openAt('Owed notes');
    expect(await screen.findByRole('heading', { name: 'No notes are owed' })).toBeVisible();
    await expectAccessible();
  });

  it('lists them, with what each session was for, and counts them in the navigation', async () => {
    const { user } = await openAt(/^Owed notes/, owed);
    expect(await screen.findByRole('button', { name: /Owed notes\s*, 2 notes owed/ })).toBeVisible();
    const list = within(screen.getByRole('list', { name: 'Sessions without a note' }));
    expect(list.getByRole('button', { current: true })).toHaveTextContent('Mara Kern Ended 22 Nov 2026, 14:05');
    await user.click(list.getByRole('button', { name: /Jonas/ }));
    expect(screen.getByText('Something does not work · Wants his preferences explained')).toBeVisible();
    await expectAccessible();
  });

  it('saves one, says so, goes on with the next, and keeps the focus on the page', async () => {
    const { fake, user } = await openAt(/^Owed notes/, owed);
    await user.type(await text(), '  Plan renewed. ');
    await user.click(screen.getByRole('button', { name: 'Save note' }));
    expect(await screen.findByText('The note of Mara Kern’s session is saved.')).toBeVisible();
    expect(fake.asked('session.writeNote')).toEqual([['s1', 'Plan renewed.']]);
    expect(screen.getByRole('heading', { level: 2, name: 'Jonas Albrecht' })).toBeVisible();
    expect(await text()).toHaveValue('');
    await waitFor(() => expect(screen.getByRole('heading', { level: 1 })).toHaveFocus());
  });

  it('asks for words before it saves', async () => {
    const { fake, user } = await openAt(/^Owed notes/, owed);
    await user.click(await screen.findByRole('button', { name: 'Save note' }));
    expect(await text()).toHaveAccessibleDescription(/^Write a few words first\./);
    expect(fake.asked('session.writeNote')).toEqual([]);
  });

  it('keeps the text when saving fails, and when one looks elsewhere', async () => {
    const { user } = await openAt(/^Owed notes/, (f) => {
      owed(f);
      f.fail('session.writeNote');
    });
    await user.type(await text(), 'Half a note');
    await user.click(screen.getByRole('button', { name: 'Save note' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    await expectAccessible();
    await user.click(screen.getByRole('button', { name: 'Trail' }));
    await user.click(screen.getByRole('button', { name: /^Owed notes/ }));
    expect(await text()).toHaveValue('Half a note');
  });

  it('shows that it loads, and says when the list cannot be had', async () => {
    const { fake, user } = await openAt('Owed notes', (f) => f.fail('session.owed'));
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    await expectAccessible();
    fake.mend('session.owed');
    owed(fake);
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await text()).toBeVisible();
  });
});
