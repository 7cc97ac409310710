import { describe, expect, it } from 'vitest';
import { FakeBackend } from '../backend/fake';
import { session } from '../backend/fake-people';
import { Load } from './load.svelte';
import { Pages } from './pages.svelte';

describe('Pages', () => {
  it('keeps as many parts as were shown when it runs again', async () => {
    const fake = new FakeBackend();
    fake.pageSize = 2;
    fake.table = [1, 2, 3, 4, 5].map((n) => session(0, { id: String(n) }));
    const pages = new Pages((cursor) => fake.overview.sessions('all', cursor));
    await pages.run();
    await pages.more();
    fake.table = fake.table.slice(1);
    await pages.run();
    expect(pages.items?.map((s) => s.id)).toEqual(['2', '3', '4', '5']);
    expect(pages.hasMore).toBe(false);
  });

  it('does not ask twice for the same part', async () => {
    const fake = new FakeBackend();
    fake.pageSize = 2;
    const pages = new Pages((cursor) => fake.members.find('ma', cursor));
    await pages.run();
    await Promise.all([pages.more(), pages.more()]);
    expect(pages.items).toHaveLength(4);
  });
});

describe('Load', () => {
  it('keeps its value when a later try fails', async () => {
    const fake = new FakeBackend();
    const load = new Load(() => fake.trail.outbox());
    await load.run();
    fake.fail('trail.outbox');
    await load.run();
    expect(load.value?.acknowledged).toBe(812);
    expect(load.problem?.code).toBe('platform_unreachable');
  });

  it('takes a value that came another way over an answer under way', async () => {
    const fake = new FakeBackend();
    fake.hold('trail.outbox');
    const load = new Load(() => fake.trail.outbox());
    const running = load.run();
    load.set({ ...fake.box, pending: 7 });
    fake.release('trail.outbox');
    await running;
    expect(load.value?.pending).toBe(7);
    expect(load.busy).toBe(false);
  });
});
