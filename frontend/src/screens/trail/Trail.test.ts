import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { unreachable } from '../../backend/fake';
import { expectAccessible } from '../../test/axe';
import { asLead, openAt } from '../../test/window';

const id = '0199a3c4-7b10-7d2e-9c55-2f6f1e0a4b77';
const rows = (): HTMLElement[] => within(screen.getByRole('table', { name: 'Records' })).getAllByRole('row').slice(1);

describe('the trail, S0-08', () => {
  it('shows what happened in plain words, with both identities, the facts and the source', async () => {
    await openAt('Trail', asLead);
    await screen.findByRole('table', { name: 'Records' });
    expect(rows()[0]).toHaveTextContent(/Session ended written by the platform\s*Lena Brandt about Mara Kern\s*Why it ended\s*The agent ended it/);
    expect(rows()[1]).toHaveTextContent(/End seen by the device\s*written by device a41f0c77…/);
    expect(screen.getByText('Everything that happened, newest first. Nobody can change it.')).toBeVisible();
    await expectAccessible();
  });

  it('says that an agent sees their own work only', async () => {
    await openAt('Trail');
    expect(await screen.findByText('Records about your own work. Nobody can change them.')).toBeVisible();
  });

  it('shows one session when it is pressed, and all of them again', async () => {
    const { fake, user } = await openAt('Trail', asLead);
    await screen.findByRole('table', { name: 'Records' });
    await user.click(screen.getAllByRole('button', { name: 'Show only session …1e0a4b77' })[0] ?? document.body);
    expect(await screen.findByText('Only session …1e0a4b77')).toBeVisible();
    await waitFor(() => expect(rows()).toHaveLength(6));
    expect(fake.asked('trail.records').at(-1)).toEqual([id, '']);
    await expectAccessible();
    await user.click(screen.getByRole('button', { name: 'Show all sessions' }));
    await waitFor(() => expect(rows()).toHaveLength(8));
  });

  it('shows the session whose ID is pasted, and says when there is nothing', async () => {
    const { fake, user } = await openAt('Trail', asLead);
    await user.type(await screen.findByRole('textbox', { name: 'Show one session' }), ' nope {Enter}');
    expect(await screen.findByRole('heading', { name: 'No records of this session' })).toBeVisible();
    expect(fake.asked('trail.records').at(-1)).toEqual(['nope', '']);
  });

  it('copies the whole proof hash of a record', async () => {
    const { fake, user } = await openAt('Trail', asLead);
    await user.click(await screen.findByRole('button', { name: 'Copy the proof hash of record 8' }));
    await waitFor(() => expect(fake.clipboard).toBe(fake.trailOf[0]?.leaf));
    expect(await screen.findByText('Copied')).toBeInTheDocument();
    fake.fail('copy');
    await user.click(screen.getByRole('button', { name: 'Copy the proof hash of record 7' }));
    expect(await screen.findByText('Could not be copied')).toBeInTheDocument();
  });

  it('shows more on demand', async () => {
    const { user } = await openAt('Trail', (f) => (f.pageSize = 3));
    await user.click(await screen.findByRole('button', { name: 'Show more' }));
    await waitFor(() => expect(rows()).toHaveLength(6));
  });

  it('says that there is nothing yet, that it loads, and that it is offline', async () => {
    const { fake, user } = await openAt('Trail', (f) => {
      f.trailOf = [];
      f.hold('trail.records');
    });
    expect(screen.getByText('Loading…')).toBeInTheDocument();
    await expectAccessible();
    fake.release('trail.records');
    expect(await screen.findByRole('heading', { name: 'No records yet' })).toBeVisible();
    fake.fail('trail.records');
    await user.click(screen.getByRole('button', { name: 'Reload' }));
    fake.release('trail.records', 1);
    expect(await screen.findByRole('alert')).toHaveTextContent(/Not up to date since .*The platform cannot be reached\./);
    await expectAccessible();
  });
});

const forked = { code: 'log_forked', sentence: 'The platform’s ledger contradicts what it showed this machine before.', hint: 'Tell IT at once.' };

describe('the outbox of this machine', () => {
  const panel = () => within(screen.getByRole('region', { name: 'Outbox of this machine' }));

  it('says that everything is with the platform', async () => {
    await openAt('Trail');
    expect(await screen.findByText('Every record of this machine is with the platform.')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Outbox: everything delivered' })).toBeVisible();
  });

  it('says how many are pending, since when, and when it tries again', async () => {
    const { fake } = await openAt('Trail');
    await screen.findByText('Every record of this machine is with the platform.');
    fake.emit('outbox', { ...fake.box, pending: 3, oldestAt: Date.UTC(2026, 10, 22, 13, 58), nextTryAt: Date.now() + 25_000, acknowledged: 809, problem: unreachable });
    expect(await panel().findByText('3 records are still only on this machine.')).toBeVisible();
    expect(panel().getByText('22 Nov 2026, 13:58')).toBeVisible();
    expect(panel().getByText(/^in 0:2[45]$/)).toBeVisible();
    expect(panel().getByRole('alert')).toHaveTextContent('The platform cannot be reached.');
    expect(screen.getByRole('button', { name: 'Outbox: 3 records still on this machine' })).toBeVisible();
    await expectAccessible();
  });

  it('calls for attention when it is damaged', async () => {
    const { fake } = await openAt('Members');
    fake.emit('outbox', { ...fake.box, problem: { code: 'outbox_damaged', sentence: 'The outbox on this machine is damaged; nothing was deleted.', hint: 'Tell IT.' } });
    expect(await screen.findByRole('button', { name: 'Outbox: needs attention' })).toBeVisible();
  });

  it('says how far receipts reach', async () => {
    const { fake } = await openAt('Trail');
    fake.emit('outbox', { ...fake.box, proven: 800 });
    expect((await panel().findByText('Proven in the ledger up to record')).nextElementSibling).toHaveTextContent('800');
  });

  it('says on every screen why nothing can be started', async () => {
    const { fake, user } = await openAt('Members');
    fake.box = { ...fake.box, blocked: forked };
    fake.emit('outbox', fake.box);
    expect(await screen.findByRole('alert')).toHaveTextContent(/No session can be started from this machine.*contradicts/);
    await expectAccessible();
    await user.click(screen.getByRole('button', { name: 'Look at the outbox' }));
    expect(await panel().findByRole('alert')).toHaveTextContent(/No session can be started.*contradicts/);
    expect(screen.getAllByRole('alert')).toHaveLength(1);
  });

  it('names the file that was kept when it was set up anew', async () => {
    const { fake } = await openAt('Trail');
    fake.emit('outbox', { ...fake.box, recovered: { evidence: 'outbox-7-g1.db', sha256: 'ab'.repeat(32), salvaged: 12, missing: '13-14' } });
    expect(await panel().findByText('outbox-7-g1.db')).toBeVisible();
    expect(panel().getByText('13-14')).toBeVisible();
    await expectAccessible();
  });

  it('does not speak of a file when there was none', async () => {
    const { fake } = await openAt('Trail');
    fake.emit('outbox', { ...fake.box, recovered: { evidence: '', sha256: '', salvaged: 0, missing: '' } });
    expect(await panel().findByText('The outbox was missing and has been set up anew')).toBeVisible();
    expect(panel().queryByText('Kept as evidence')).toBeNull();
  });

  it('calls for attention when records were set aside or very many wait', async () => {
    const { fake } = await openAt('Trail');
    fake.emit('outbox', { ...fake.box, quarantined: 2, alarm: true });
    expect(await panel().findByText(/could not read 2 records/)).toBeVisible();
    expect(panel().getByText('Very many records wait on this machine')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Outbox: needs attention' })).toBeVisible();
  });

  it('says when its state cannot be read', async () => {
    await openAt('Trail', (f) => f.fail('trail.outbox'));
    expect((await panel().findByRole('alert'))).toHaveTextContent('The platform cannot be reached.');
  });
});
