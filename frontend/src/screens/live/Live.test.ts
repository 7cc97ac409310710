import { screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectAccessible } from '../../test/axe';
import { asLead, liveFor, minute, open, openAt, openConfirm } from '../../test/window';

const bar = (): HTMLElement => screen.getByRole('region', { name: 'Live session', hidden: true });
const frame = (): Element | null => document.querySelector('.frame');
const announced = (): string => document.querySelector('[aria-live=assertive]')?.textContent ?? '';

describe('the session screen', () => {
  it('says that no session is open and where to begin', async () => {
    const { user } = await openAt('Session');
    expect(await screen.findByRole('heading', { name: 'No session is open' })).toBeVisible();
    expect(frame()).toBeNull();
    await expectAccessible();
    await user.click(screen.getByRole('button', { name: 'Find a member' }));
    expect(await screen.findByRole('textbox', { name: 'Find a member' })).toHaveFocus();
  });

  it('shows that it asks, and says when it could not find out', async () => {
    const { fake, user } = await openAt('Session', (f) => f.hold('session.live'));
    expect(screen.getByText('Loading…')).toBeInTheDocument();
    fake.fail('session.live');
    fake.release('session.live');
    fake.release('session.live', 1);
    await user.click(screen.getByRole('button', { name: 'Members' }));
    await user.click(screen.getByRole('button', { name: 'Session' }));
    await expectAccessible();
  });

  it('says when the state cannot be read, and tries again', async () => {
    const { fake, user } = await openAt('Session', (f) => f.fail('session.live'));
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    fake.mend('session.live');
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('heading', { name: 'No session is open' })).toBeVisible();
  });

  it('shows who, how long, and that it is view only', async () => {
    const { user } = await openAt(/^Session/, (f) => (f.now = liveFor(20 * minute)));
    const main = within(screen.getByRole('main'));
    expect(await main.findByRole('heading', { level: 1, name: 'Mara Kern' })).toBeVisible();
    expect(main.getByText('mara.kern@example.org')).toBeVisible();
    expect(main.getByText('View only')).toBeVisible();
    expect(main.getByRole('timer')).toHaveTextContent(/^(20:00|19:59)$/);
    await expectAccessible();
    await user.click(main.getByRole('button', { name: 'End session' }));
    expect(await screen.findByRole('heading', { level: 1, name: 'The session of Mara Kern has ended' })).toBeVisible();
    expect(frame()).toBeNull();
  });

  it('S0-05 shows the pages as on a phone, and says when it cannot', async () => {
    const { fake, user } = await openAt(/^Session/, (f) => (f.now = liveFor(20 * minute)));
    const kind = (name: string): HTMLElement => screen.getByRole('radio', { name });
    expect(kind('Desktop')).toBeChecked();
    await user.click(kind('Phone'));
    await waitFor(() => { expect(kind('Phone')).toBeChecked(); });
    expect(fake.asked('session.setView')).toEqual([['phone']]);
    fake.fail('session.setView');
    await user.click(kind('Tablet'));
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    await waitFor(() => { expect(kind('Phone')).toBeChecked(); });
    fake.show({ view: '' });
    await waitFor(() => { expect(screen.queryByRole('radio', { name: 'Phone' })).toBeNull(); });
    await expectAccessible();
  });

  it('shows the steps of a start that is under way', async () => {
    const { fake } = await openAt('Session');
    fake.show({ phase: 'starting', step: 'platform', memberName: 'Mara Kern' });
    expect(await screen.findByRole('heading', { name: 'Starting the session of Mara Kern' })).toBeVisible();
    expect(screen.getByText('Ask the platform').closest('li')).toHaveAttribute('aria-current', 'step');
    await expectAccessible();
  });

  it('says why ending did not work, and leaves the session in sight', async () => {
    const { user } = await openAt(/^Session/, (f) => {
      f.now = liveFor(5 * minute);
      f.fail('session.end');
    });
    await user.click(within(screen.getByRole('main')).getByRole('button', { name: 'End session' }));
    expect((await screen.findAllByRole('alert'))[0]).toHaveTextContent('The platform cannot be reached.');
    expect(frame()).not.toBeNull();
  });
});

describe('while a session lives', () => {
  it.each(['Members', 'Session', 'Owed notes', 'Overview', 'Trail'])('the red frame and the bar with countdown and End are on %s', async (place) => {
    await openAt(new RegExp(`^${place}`), (f) => {
      asLead(f);
      f.now = liveFor(10 * minute);
    });
    await screen.findByRole('heading', { level: 1 });
    expect(frame()).not.toBeNull();
    expect(within(bar()).getByText('mara.kern@example.org')).toBeVisible();
    expect(within(bar()).getByRole('timer')).toHaveTextContent(/^(10:00|9:59)$/);
    expect(within(bar()).getByRole('button', { name: 'End session' })).toBeVisible();
    await expectAccessible();
  });

  it('Ctrl+Shift+E ends it from anywhere, an open dialog included', async () => {
    const { fake, user } = await openConfirm();
    fake.show(liveFor(10 * minute));
    await user.keyboard('{Control>}{Shift>}e{/Shift}{/Control}');
    await waitFor(() => expect(fake.asked('session.end')).toHaveLength(1));
  });

  it('says when nothing guards the browser, and only then', async () => {
    const { fake } = await openAt(/^Session/, (f) => (f.now = liveFor(10 * minute, { unguarded: true })));
    expect(await screen.findByText(/no guard in the browser/)).toBeVisible();
    await expectAccessible();
    fake.show({ unguarded: false });
    await waitFor(() => expect(screen.queryByText(/no guard in the browser/)).toBeNull());
  });

  it('every other screen goes on working', async () => {
    const { user } = open((f) => (f.now = liveFor(10 * minute)));
    await user.type(await screen.findByRole('textbox', { name: 'Find a member' }), 'jonas{Enter}');
    expect(await screen.findByRole('heading', { level: 1, name: 'Jonas Albrecht' })).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Show session' }));
    expect(await screen.findByRole('heading', { level: 1, name: 'Mara Kern' })).toHaveFocus();
  });

  it('says how long a lost connection may last, and stops saying it', async () => {
    const { fake } = await openAt(/^Session/, (f) => (f.now = liveFor(10 * minute, { lostAt: Date.now() + 70_000 })));
    expect(await screen.findAllByText(/^Connection lost: this session ends in 1:(10|09)$/)).toHaveLength(2);
    await expectAccessible();
    fake.show({ lostAt: 0 });
    await waitFor(() => expect(screen.queryByText(/Connection lost/)).toBeNull());
  });
});

describe('how it ends', () => {
  it.each([
    ['agent', 'You ended it.'],
    ['banner', 'You ended it in the banner.'],
    ['browser_closed', 'You closed its browser.'],
  ])('%s brings the close-out to the front, S0-06 S2-08', async (cause, words) => {
    const { fake } = await openAt('Members', (f) => (f.now = liveFor(10 * minute)));
    await waitFor(() => expect(frame()).not.toBeNull());
    fake.show({ phase: 'ended', cause, confirmed: true, noteOwed: true, wiped: true });
    expect(await screen.findByText(words)).toBeVisible();
    expect(screen.getByRole('textbox', { name: 'What did you look at, and what came of it?' })).toBeVisible();
    expect(screen.getByText('The platform has confirmed the end.')).toBeVisible();
    await expectAccessible();
  });

  it.each([
    ['expired', 'The twenty minutes are over', 'S1-07'],
    ['admin', 'Another member of staff ended it', 'S1-11'],
    ['connection_lost', 'The connection was lost for too long', 'S2-09'],
  ])('%s says so in the bar and does not take away what is being typed, %s %s', async (cause, words) => {
    const { fake, user } = open((f) => (f.now = liveFor(10 * minute)));
    const field = await screen.findByRole('textbox', { name: 'Find a member' });
    await user.type(field, 'jon');
    fake.show({ phase: 'ended', cause, confirmed: true, noteOwed: true, wiped: true });
    await waitFor(() => expect(frame()).toBeNull());
    expect(bar()).toHaveTextContent(`The session of Mara Kern has ended. ${words}.`);
    expect(field).toHaveValue('jon');
    await user.click(screen.getByRole('button', { name: 'Write the note' }));
    expect(await screen.findByRole('heading', { level: 1, name: 'The session of Mara Kern has ended' })).toHaveFocus();
  });

  it('says by when it ends for certain while that is not confirmed, and that it is once it is', async () => {
    const endsAt = Date.UTC(2030, 0, 1, 14, 22);
    const { fake } = await openAt('Session', (f) => {
      f.now = liveFor(0, { phase: 'ended', cause: 'browser_closed', endsAt, noteOwed: true, wiped: false });
    });
    expect(await screen.findByText('Closed here. Not yet confirmed; ends for certain by 14:22.')).toBeVisible();
    expect(screen.getByText(/could not be wiped completely yet/)).toBeVisible();
    await expectAccessible();
    fake.show({ confirmed: true, wiped: true });
    expect(await screen.findByText('The platform has confirmed the end.')).toBeVisible();
    expect(screen.queryByText(/Not yet confirmed/)).toBeNull();
  });

  it('owes no note when nothing was opened', async () => {
    await openAt('Session', (f) => (f.now = liveFor(0, { phase: 'ended', cause: 'not_opened', confirmed: true, wiped: true })));
    expect(await screen.findByText('Nothing was opened, so no note is owed.')).toBeVisible();
  });

  it('is finished when the note is written, S0-11', async () => {
    const { fake, user } = await openAt(/^Session/, (f) => (f.now = liveFor(10 * minute)));
    await user.click(within(await screen.findByRole('main')).getByRole('button', { name: 'End session' }));
    fake.table = [{ ...(await import('../../backend/fake-people')).session(Date.now()), state: 'ended', noteOwed: true }];
    await user.type(await screen.findByRole('textbox', { name: /What did you look at/ }), 'Plan had lapsed; renewed.');
    await user.click(screen.getByRole('button', { name: 'Save note' }));
    expect(await screen.findByText('The note is written. This session is finished.')).toBeVisible();
    expect(fake.asked('session.writeNote')).toEqual([[fake.now.sessionId, 'Plan had lapsed; renewed.']]);
    await expectAccessible();
  });
});

describe('the countdown', () => {
  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
  });
  afterEach(() => vi.useRealTimers());

  it('ticks, and is read out at 5:00, at 1:00 and at the end only', async () => {
    const { fake } = open((f) => (f.now = liveFor(5 * minute + 10_000)));
    const timer = within(await screen.findByRole('region', { name: 'Live session' })).getByRole('timer');
    expect(timer).toHaveAttribute('aria-live', 'off');
    const said = new Set<string>();
    const watch = new MutationObserver(() => said.add(announced()));
    watch.observe(document.querySelector('[aria-live=assertive]') ?? document.body, { childList: true, characterData: true, subtree: true });
    expect(announced()).toBe('');
    await vi.advanceTimersByTimeAsync(11_000);
    expect(timer).toHaveTextContent(/^4:5[89]$/);
    expect(announced()).toBe('5 minutes left in the session of Mara Kern.');
    await vi.advanceTimersByTimeAsync(4 * minute);
    expect(announced()).toBe('1 minute left in the session of Mara Kern.');
    await vi.advanceTimersByTimeAsync(2 * minute);
    expect(timer).toHaveTextContent('0:00');
    fake.show({ phase: 'ended', cause: 'expired', confirmed: true });
    await vi.advanceTimersByTimeAsync(10);
    expect([...said]).toEqual([
      '5 minutes left in the session of Mara Kern.',
      '1 minute left in the session of Mara Kern.',
      'The session of Mara Kern has ended.',
    ]);
    watch.disconnect();
  });

  it('stops ticking when nothing shows it', async () => {
    open();
    userEvent.setup({ advanceTimers: vi.advanceTimersByTime });
    await screen.findByRole('textbox', { name: 'Find a member' });
    await vi.advanceTimersByTimeAsync(5000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
