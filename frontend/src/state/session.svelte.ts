import {
  toProblem,
  type Backend,
  type LivePhase,
  type LiveView,
  type Page,
  type Problem,
  type ScreenKind,
  type SessionView,
  type StartView,
} from '../backend/port';
import { secondsUntil } from '../i18n/time';
import type { Clock } from './clock.svelte';
import { Load } from './load.svelte';

const order: Record<LivePhase, number> = { none: 0, starting: 1, live: 2, ending: 3, ended: 4 };

const nothing: LiveView = {
  phase: 'none', step: '', sessionId: '', memberId: '', memberName: '', memberEmail: '', account: '', scope: '', view: '',
  endsAt: 0, lostAt: 0, cause: '', confirmed: false, noteOwed: false, wiped: false, unguarded: false,
};

/** SessionState is this machine's session: the one that lives, or the one that ended last. */
export class SessionState {
  #view = $state.raw<LiveView>(nothing);
  #before = $state.raw<LiveView>();
  #known = $state(false);
  #problem = $state.raw<Problem>();
  #endProblem = $state.raw<Problem>();
  #events = 0;
  // Nothing on the screen is derived from these two, so they need not be reactive.
  /* eslint-disable svelte/prefer-svelte-reactivity */
  readonly #written = new Set<string>();
  /** What was typed into notes that are not saved yet, by session. */
  readonly drafts = new Map<string, string>();
  /* eslint-enable svelte/prefer-svelte-reactivity */
  readonly owed: Load<Page<SessionView>>;
  readonly #backend: Pick<Backend, 'session' | 'on'>;
  readonly #clock: Clock;

  constructor(backend: Pick<Backend, 'session' | 'on'>, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
    this.owed = new Load(() => backend.session.owed());
  }

  get view(): LiveView {
    return this.#view;
  }
  /** False until Go has said once whether a session is open. */
  get known(): boolean {
    return this.#known;
  }
  /** Why the state of the session could not be read. */
  get problem(): Problem | undefined {
    return this.#problem;
  }
  /** Why ending did not work. */
  get endProblem(): Problem | undefined {
    return this.#endProblem;
  }
  /** Whose account is open: while a new session is starting, still the one that it will replace. */
  get shown(): LiveView {
    return this.#before ?? this.#view;
  }
  /** A session is open: somebody's account is in front of the agent. */
  get live(): boolean {
    return this.shown.phase === 'live' || this.shown.phase === 'ending';
  }
  /** Seconds until the session ends at the latest. */
  get left(): number {
    return secondsUntil(this.shown.endsAt, this.#clock.now);
  }
  /** Seconds until the platform ends it unless the connection returns; undefined while connected. */
  get lostIn(): number | undefined {
    return this.live && this.shown.lostAt > 0 ? secondsUntil(this.shown.lostAt, this.#clock.now) : undefined;
  }
  /** What a screen reader is told: at five minutes, at one, and at the end. Nothing in between. */
  get milestone(): 'none' | 'five' | 'one' | 'ended' {
    if (this.#view.phase === 'ended') return 'ended';
    if (!this.live || this.left > 300) return 'none';
    return this.left > 60 ? 'five' : 'one';
  }

  open(): () => void {
    const off = this.#backend.on('live', (view) => {
      this.#events++;
      this.#take(view);
    });
    void this.refresh();
    return off;
  }

  /** Asks Go for the state; an event that comes in meanwhile is newer and wins. */
  refresh = async (): Promise<void> => {
    const before = this.#events;
    try {
      const view = await this.#backend.session.live();
      if (before === this.#events) this.#take(view);
      this.#problem = undefined;
    } catch (thrown) {
      this.#problem = toProblem(thrown);
    }
  };

  /** Starts a session. Returns the refusal or failure, or undefined once the session is live. */
  async start(ask: StartView): Promise<Problem | undefined> {
    const before = this.#events;
    try {
      const view = await this.#backend.session.start(ask);
      if (before === this.#events || view.sessionId === this.#view.sessionId || this.#view.phase === 'starting') this.#take(view);
      this.#endProblem = undefined;
      return undefined;
    } catch (thrown) {
      await this.refresh();
      return toProblem(thrown);
    }
  }

  end = async (): Promise<void> => {
    if (this.#view.phase !== 'live') return;
    this.#endProblem = undefined;
    this.#take({ ...this.#view, phase: 'ending' });
    try {
      this.#take(await this.#backend.session.end());
    } catch (thrown) {
      this.#endProblem = toProblem(thrown);
      this.#stillLive();
      await this.refresh();
    }
  };

  /** Shows the member's pages as on that kind of screen. Returns the problem, or undefined once they are. */
  async setView(view: ScreenKind): Promise<Problem | undefined> {
    try {
      this.#take(await this.#backend.session.setView(view));
      return undefined;
    } catch (thrown) {
      return toProblem(thrown);
    }
  }

  /** Saves a close-out note. Returns the problem, or undefined once it is saved. */
  async writeNote(sessionId: string, text: string): Promise<Problem | undefined> {
    try {
      await this.#backend.session.writeNote(sessionId, text);
    } catch (thrown) {
      return toProblem(thrown);
    }
    this.drafts.delete(sessionId);
    this.#written.add(sessionId);
    if (this.#view.sessionId === sessionId) this.#view = { ...this.#view, noteOwed: false };
    const owed = this.owed.value;
    if (owed) this.owed.set({ ...owed, items: owed.items.filter((s) => s.id !== sessionId) });
    return undefined;
  }

  reset(): void {
    this.drafts.clear();
    this.owed.clear();
  }

  // The end was asked for and failed: the session is as live as before, unless an event has ended it meanwhile.
  #stillLive(): void {
    if (this.#view.phase === 'ending') this.#view = { ...this.#view, phase: 'live' };
  }

  // A session only moves forward, and a confirmed end stays confirmed: an answer that was overtaken changes nothing.
  #take(view: LiveView): void {
    const old = this.#view;
    const same = view.sessionId !== '' && view.sessionId === old.sessionId;
    if (same && order[view.phase] < order[old.phase]) return;
    if (same && old.phase === 'ended' && old.confirmed && !view.confirmed) return;
    if (view.phase !== 'starting') this.#before = undefined;
    else if (this.live) this.#before = this.shown;
    this.#view = this.#written.has(view.sessionId) ? { ...view, noteOwed: false } : view;
    this.#known = true;
    if (view.phase === 'ended' && old.phase !== 'ended') void this.owed.run();
  }
}
