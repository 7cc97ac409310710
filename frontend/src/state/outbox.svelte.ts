import type { Backend, OutboxView, ProblemView } from '../backend/port';
import { Load } from './load.svelte';

export type OutboxTone = 'clear' | 'pending' | 'trouble' | 'unknown';

/** OutboxState is what of this machine's records is not with the platform yet. */
export class OutboxState {
  readonly load: Load<OutboxView>;
  readonly #backend: Pick<Backend, 'trail' | 'on'>;

  constructor(backend: Pick<Backend, 'trail' | 'on'>) {
    this.#backend = backend;
    this.load = new Load(() => backend.trail.outbox());
  }

  get tone(): OutboxTone {
    const view = this.load.value;
    if (!view) return this.load.problem ? 'trouble' : 'unknown';
    if (view.blocked || view.alarm || view.quarantined > 0) return 'trouble';
    if (view.problem && view.problem.code !== 'platform_unreachable') return 'trouble';
    return view.pending > 0 ? 'pending' : 'clear';
  }

  /** Why no session can be started from this machine. */
  get blocked(): ProblemView | undefined {
    return this.load.value?.blocked;
  }

  open(): () => void {
    const off = this.#backend.on('outbox', (view) => {
      this.load.set(view);
    });
    void this.load.run();
    return off;
  }
}
