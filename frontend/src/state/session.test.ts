import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeBackend } from '../backend/fake';
import { liveFor, minute } from '../test/window';
import { Clock } from './clock.svelte';
import { SessionState } from './session.svelte';

describe('the session', () => {
  let fake: FakeBackend;
  let session: SessionState;
  beforeEach(() => {
    vi.useFakeTimers();
    fake = new FakeBackend();
    session = new SessionState(fake, new Clock());
  });
  afterEach(() => vi.useRealTimers());

  it('counts down whole seconds and never below zero', () => {
    session.open();
    fake.show(liveFor(20 * minute));
    expect(session.left).toBe(1200);
    vi.advanceTimersByTime(1);
    expect(session.left).toBe(1200);
    vi.advanceTimersByTime(1000);
    expect(session.left).toBe(1199);
    vi.advanceTimersByTime(30 * minute);
    expect(session.left).toBe(0);
  });

  it.each([[301, 'none'], [300, 'five'], [61, 'five'], [60, 'one'], [0, 'one']] as const)('with %i seconds left is at milestone %s', (seconds, milestone) => {
    session.open();
    fake.show(liveFor(seconds * 1000));
    expect(session.milestone).toBe(milestone);
  });

  it('takes an event over an answer that was asked for before it', async () => {
    fake.now = liveFor(minute);
    fake.hold('session.live');
    session.open();
    fake.show(liveFor(20 * minute, { sessionId: 's2' }));
    fake.release('session.live');
    await vi.advanceTimersByTimeAsync(0);
    expect(session.view.sessionId).toBe('s2');
  });

  it('only moves forward: a late "live" does not reopen what has ended', () => {
    session.open();
    const live = fake.show(liveFor(minute));
    const ended = fake.show({ phase: 'ended', cause: 'admin' });
    fake.emit('live', live);
    expect(session.view).toMatchObject({ phase: 'ended', cause: 'admin' });
    fake.show({ confirmed: true });
    fake.emit('live', ended);
    expect(session.view.confirmed).toBe(true);
  });

  it('shows the session that is being replaced until the new one is there', () => {
    session.open();
    fake.show(liveFor(minute));
    fake.show({ phase: 'starting', sessionId: '', memberName: 'Jonas Albrecht' });
    expect(session.live).toBe(true);
    expect(session.shown.memberName).toBe('Mara Kern');
    fake.show(liveFor(20 * minute, { sessionId: 's2', memberName: 'Jonas Albrecht' }));
    expect(session.shown.memberName).toBe('Jonas Albrecht');
  });

  it('is live again when ending failed, and says why', async () => {
    fake.now = liveFor(minute);
    session.open();
    await vi.advanceTimersByTimeAsync(0);
    fake.fail('session.end');
    await session.end();
    expect(session.view.phase).toBe('live');
    expect(session.endProblem?.code).toBe('platform_unreachable');
  });

  it('knows how long the connection may stay lost', () => {
    session.open();
    fake.show(liveFor(10 * minute, { lostAt: Date.now() + 70_000 }));
    expect(session.lostIn).toBe(70);
    fake.show({ lostAt: 0 });
    expect(session.lostIn).toBeUndefined();
  });

  it('does not ask again for a note that is written', async () => {
    session.open();
    const view = fake.show(liveFor(minute, { phase: 'ended', noteOwed: true }));
    fake.table = [{ ...(await import('../backend/fake-people')).session(0), id: view.sessionId, state: 'ended', noteOwed: true }];
    expect(await session.writeNote(view.sessionId, 'Done')).toBeUndefined();
    fake.emit('live', { ...view, confirmed: true });
    expect(session.view.noteOwed).toBe(false);
  });
});
