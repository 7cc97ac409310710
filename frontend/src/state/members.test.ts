import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeBackend, unreachable } from '../backend/fake';
import { MemberSearch } from './members.svelte';

const names = (search: MemberSearch): string[] | undefined => search.pages.items?.map((m) => m.name);

describe('the type-ahead, S0-01', () => {
  let fake: FakeBackend;
  let search: MemberSearch;
  beforeEach(() => {
    vi.useFakeTimers();
    fake = new FakeBackend();
    search = new MemberSearch(fake.members);
  });
  afterEach(() => vi.useRealTimers());

  it('asks once, 120 ms after the last keystroke', async () => {
    search.type('m');
    await vi.advanceTimersByTimeAsync(119);
    search.type('ma');
    await vi.advanceTimersByTimeAsync(119);
    expect(fake.asked('members.find')).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(fake.asked('members.find')).toEqual([['ma', '']]);
  });

  it('drops an answer that a newer question has overtaken', async () => {
    fake.hold('members.find');
    search.type('jonas');
    await vi.advanceTimersByTimeAsync(120);
    search.type('mara');
    await vi.advanceTimersByTimeAsync(120);
    fake.release('members.find', 1); // the newer one is answered first
    await vi.advanceTimersByTimeAsync(0);
    expect(names(search)).toEqual(['Mara Kern']);
    fake.release('members.find', 0);
    await vi.advanceTimersByTimeAsync(0);
    expect(names(search)).toEqual(['Mara Kern']);
    expect(search.waiting).toBe(false);
  });

  it('drops an answer that arrives after the field was emptied', async () => {
    fake.hold('members.find');
    search.type('jonas');
    await vi.advanceTimersByTimeAsync(120);
    search.type('');
    fake.release('members.find');
    await vi.advanceTimersByTimeAsync(0);
    expect(names(search)).toBeUndefined();
  });

  it('keeps the old list beside the problem, and drops the problem once it works again', async () => {
    search.type('ma');
    await vi.advanceTimersByTimeAsync(120);
    fake.fail('members.find');
    search.type('mar');
    await vi.advanceTimersByTimeAsync(120);
    expect(search.pages.problem?.code).toBe(unreachable.code);
    expect(names(search)?.length).toBeGreaterThan(1);
    fake.mend('members.find');
    await search.ask();
    expect(search.pages.problem).toBeUndefined();
  });

  it('adds a part at a time, and starts with one again for another question', async () => {
    fake.pageSize = 2;
    search.type('ma');
    await vi.advanceTimersByTimeAsync(120);
    await search.pages.more();
    expect(names(search)).toHaveLength(4);
    expect(fake.asked('members.find').at(-1)).toEqual(['ma', '2']);
    search.type('mar');
    await vi.advanceTimersByTimeAsync(120);
    expect(names(search)).toHaveLength(2);
  });
});
