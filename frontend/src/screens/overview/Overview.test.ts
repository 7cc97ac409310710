import { screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeBackend } from '../../backend/fake';
import { person, session } from '../../backend/fake-people';
import { expectAccessible } from '../../test/axe';
import { asLead, closed, minute, open, openAt } from '../../test/window';

const lead = (fake: FakeBackend): void => {
  asLead(fake);
  const now = Date.now();
  fake.table = [
    session(now, { id: 's1', agentName: 'Tariq Aziz', mine: false, endsAt: now + 9 * minute }),
    session(now, { id: 's2', agentName: 'Amara Okafor', memberName: 'Aiko Tanabe', state: 'started', mayEnd: false }),
    session(now, { id: 's3', state: 'ended', cause: 'admin', endedBy: 'Noor Haddad', noteOwed: true, startedAt: Date.UTC(2026, 10, 22, 14, 0), endedAt: Date.UTC(2026, 10, 22, 14, 7) }),
  ];
};
const table = async (name: RegExp) => within(await screen.findByRole('table', { name }));
const visibility = (state: string): void => {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
};

describe('the overview, S1-11 S1-16', () => {
  it('shows the Active Impersonation Sessions with agent, member, reason and countdown', async () => {
    await openAt('Overview', lead);
    const live = await table(/^Active Impersonation Sessions/);
    expect(live.getByRole('row', { name: /Tariq Aziz Mara Kern mara\.kern@example\.org Something does not work SUP-4711 The provider search.* (9:00|8:59)/ })).toBeVisible();
    expect(live.getByRole('row', { name: /Aiko Tanabe.*Opening/ })).toBeVisible();
    await expectAccessible();
  });

  it('shows the ended ones with why and by whom, and whether the note is owed', async () => {
    await openAt('Overview', lead);
    const ended = await table(/^Ended sessions/);
    expect(ended.getByRole('row', { name: /SUP-4711 The provider search .* 14:00 – 14:07 22 Nov 2026 Another member of staff ended it \(by Noor Haddad\) Note owed/ })).toBeVisible();
  });

  it('ends one after a confirm, and gives the focus back when it is cancelled', async () => {
    const { fake, user } = await openAt('Overview', lead);
    const end = await screen.findByRole('button', { name: 'End the session of Tariq Aziz in the account of Mara Kern' });
    await user.click(end);
    const dialog = await screen.findByRole('dialog', { name: 'End this session?' });
    expect(dialog).toHaveAccessibleDescription(/Tariq Aziz is in the account of Mara Kern\. The session ends at once/);
    await expectAccessible();
    await user.click(within(dialog).getByRole('button', { name: 'Cancel' }));
    await closed();
    expect(end).toHaveFocus();
    expect(fake.asked('overview.end')).toEqual([]);
    await user.click(end);
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'End session' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(fake.asked('overview.end')).toEqual([['s1']]);
    expect(await (await table(/^Ended sessions/)).findByRole('row', { name: /Tariq Aziz/ })).toBeVisible();
  });

  it('offers End only where the person may end', async () => {
    await openAt('Overview', lead);
    await table(/^Active/);
    expect(screen.queryByRole('button', { name: /End the session of Amara/ })).toBeNull();
  });

  it('shows in the dialog why it could not be ended', async () => {
    const { fake, user } = await openAt('Overview', lead);
    fake.fail('overview.end', { code: 'role_forbidden', sentence: 'Your role does not allow this.', hint: 'Ask your team lead.' });
    await user.click(await screen.findByRole('button', { name: /End the session of Tariq/ }));
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'End session' }));
    expect(await within(screen.getByRole('dialog')).findByRole('alert')).toHaveTextContent('Your role does not allow this.');
    await expectAccessible();
  });

  it('says that nobody is in an account, and that none has ended', async () => {
    await openAt('Overview', asLead);
    expect(await screen.findByText('Nobody is in a member’s account right now.')).toBeVisible();
    expect(screen.getByText('No session has ended yet.')).toBeVisible();
    await expectAccessible();
  });

  it('shows that it loads, and says when the platform cannot be reached', async () => {
    const { fake, user } = await openAt('Overview', (f) => {
      lead(f);
      f.fail('overview.sessions');
    });
    expect((await screen.findAllByRole('alert'))[0]).toHaveTextContent('The platform cannot be reached.');
    await expectAccessible();
    fake.mend('overview.sessions');
    await user.click(screen.getAllByRole('button', { name: 'Try again' })[0] ?? document.body);
    await table(/^Active/);
  });

  it('leads to the records of a session', async () => {
    const { fake, user } = await openAt('Overview', lead);
    await user.click(await screen.findByRole('button', { name: 'Records of the session of Tariq Aziz in the account of Mara Kern' }));
    expect(await screen.findByRole('heading', { level: 1, name: 'Trail' })).toHaveFocus();
    await waitFor(() => expect(fake.asked('trail.records')).toEqual([['s1', '']]));
  });

  it('is not offered to a support agent, and is the first thing an auditor sees', async () => {
    open();
    await screen.findByRole('heading', { name: 'Members' });
    expect(screen.queryByRole('button', { name: 'Overview' })).toBeNull();
    document.body.replaceChildren();
    open((f) => (f.me = person('auditor')));
    expect(await screen.findByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Make an enrolment code' })).toBeNull();
  });
});

describe('the overview refreshes', () => {
  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
  });
  afterEach(() => {
    vi.useRealTimers();
    visibility('visible');
  });

  it('every two seconds while it can be seen, and not otherwise', async () => {
    const fake = open((f) => {
      f.me = person('auditor');
    }).fake;
    await screen.findByRole('heading', { level: 1, name: 'Overview' });
    const asked = (): number => fake.asked('overview.sessions').filter(([state]) => state === 'live').length;
    const before = asked();
    await vi.advanceTimersByTimeAsync(6000);
    expect(asked() - before).toBe(3);
    visibility('hidden');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked() - before).toBe(3);
    visibility('visible');
    expect(asked() - before).toBe(4);
  });

  it('and keeps showing what it knew, with since when, while the platform is away', async () => {
    const { fake } = open((f) => {
      lead(f);
      f.me = person('auditor');
    });
    await table(/^Active/);
    fake.fail('overview.sessions');
    await vi.advanceTimersByTimeAsync(2100);
    expect(screen.getByRole('alert')).toHaveTextContent(/^Not up to date since .*\d\d:\d\d:\d\d\. The platform cannot be reached\./);
    expect(screen.getByText('Tariq Aziz')).toBeVisible();
    fake.mend('overview.sessions');
    await vi.advanceTimersByTimeAsync(2100);
    expect(screen.queryByRole('alert')).toBeNull();
  });
});

describe('an enrolment code', () => {
  it('is made afresh at each opening, shows how long it holds, and can be copied', async () => {
    const { fake, user } = await openAt('Overview', lead);
    await user.click(await screen.findByRole('button', { name: 'Make an enrolment code' }));
    expect(await screen.findByRole('status', { name: 'Enrolment code' })).toHaveTextContent('K7QF-2MZP-9RTD');
    expect(screen.getByText(/^Valid for (15:00|14:59)$/)).toBeVisible();
    await expectAccessible();
    await user.click(screen.getByRole('button', { name: 'Copy' }));
    await waitFor(() => expect(fake.clipboard).toBe('K7QF-2MZP-9RTD'));
    await user.click(screen.getByRole('button', { name: 'Close' }));
    await closed();
    await user.click(await screen.findByRole('button', { name: 'Make an enrolment code' }));
    await waitFor(() => expect(fake.asked('overview.enrolmentCode')).toHaveLength(2));
  });

  it('says until when it holds where that is more than an hour', async () => {
    const { fake, user } = await openAt('Overview', lead);
    const at = new Date(2026, 10, 23, 3, 20).getTime();
    fake.overview.enrolmentCode = () => Promise.resolve({ code: 'K7QF', expiresAt: Math.max(at, Date.now() + 61 * minute) });
    await user.click(await screen.findByRole('button', { name: 'Make an enrolment code' }));
    expect(await screen.findByText(/^Valid until \d+ \w+, \d\d:\d\d$/)).toBeVisible();
  });

  it('says why there is none', async () => {
    const { user } = await openAt('Overview', (f) => {
      lead(f);
      f.fail('overview.enrolmentCode');
    });
    await user.click(await screen.findByRole('button', { name: 'Make an enrolment code' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The platform cannot be reached.');
  });
});
