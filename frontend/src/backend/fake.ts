// A backend in memory for tests and for looking at the screens. It is no part of the built window: only tests and
// e2e/preview.ts import it (eslint holds us to it). A test makes calls fail, holds answers back, and sends events.

import * as people from './fake-people';
import {
  Problem,
  type Backend,
  type Events,
  type LiveView,
  type ScreenKind,
  type MemberView,
  type NoteView,
  type OutboxView,
  type Page,
  type PersonView,
  type ProblemView,
  type ProfileView,
  type RecordView,
  type SessionView,
  type SignInPhase,
  type SignInView,
  type StartView,
} from './port';

export const unreachable: ProblemView = {
  code: 'platform_unreachable',
  sentence: 'The platform cannot be reached.',
  hint: 'Check the network or VPN; Stead keeps trying.',
};

export const noSession: LiveView = {
  phase: 'none', step: '', sessionId: '', memberId: '', memberName: '', memberEmail: '', account: '', scope: '', view: '',
  endsAt: 0, lostAt: 0, cause: '', confirmed: false, noteOwed: false, wiped: false, unguarded: false,
};

const twentyMinutes = 20 * 60_000;

export class FakeBackend implements Backend {
  phase: SignInPhase = 'ready';
  signInProblem: ProblemView | undefined;
  me: PersonView = people.person();
  people: MemberView[] = people.members();
  notes: NoteView[] = [];
  whyNot: ProblemView | undefined;
  identityCheckedAt = 0;
  now: LiveView = noSession;
  table: SessionView[] = [];
  trailOf: RecordView[] = people.records(Date.now());
  box: OutboxView = { pending: 0, oldestAt: 0, nextTryAt: 0, acknowledged: 812, proven: 812, quarantined: 0, alarm: false };
  pageSize = 50;
  steps = ['record', 'browser', 'platform', 'open'];
  stepTime = 0;
  clipboard = '';
  readonly calls: { name: string; args: unknown[] }[] = [];

  readonly #failures = new Map<string, ProblemView>();
  readonly #held = new Map<string, (() => void)[]>();
  readonly #heard = new Map<string, Set<(view: never) => void>>();

  /** Makes every call of that name fail until mend; e.g. "members.find". */
  fail(name: string, problem: ProblemView = unreachable): void {
    this.#failures.set(name, problem);
  }

  mend(name: string): void {
    this.#failures.delete(name);
  }

  /** Holds back the answers of that name; release lets go of the nth one held. */
  hold(name: string): void {
    this.#held.set(name, []);
  }

  release(name: string, nth = 0): void {
    this.#held.get(name)?.[nth]?.();
  }

  emit<E extends keyof Events>(event: E, view: Events[E]): void {
    for (const heard of this.#heard.get(event) ?? []) heard(view as never);
  }

  asked(name: string): unknown[][] {
    return this.calls.filter((c) => c.name === name).map((c) => c.args);
  }

  /** Changes this machine's session and tells the window. */
  show(change: Partial<LiveView>): LiveView {
    this.now = { ...this.now, ...change };
    this.emit('live', this.now);
    return this.now;
  }

  on<E extends keyof Events>(event: E, heard: (view: Events[E]) => void): () => void {
    const all = this.#heard.get(event) ?? new Set();
    this.#heard.set(event, all.add(heard));
    return () => all.delete(heard);
  }

  async copy(text: string): Promise<void> {
    await this.#answer('copy', [text], () => {
      this.clipboard = text;
    });
  }

  readonly signIn = {
    state: () => this.#answer('signIn.state', [], () => this.#signInView()),
    begin: () => this.#enter('signIn.begin', []),
    cancel: () =>
      this.#answer('signIn.cancel', [], () => {
        this.#go('signed_out');
      }),
    signOut: () => this.#answer('signIn.signOut', [], () => this.#go('signed_out')),
    claim: (code: string) => this.#enter('signIn.claim', [code]),
    enrol: (code: string) => this.#enter('signIn.enrol', [code]),
    retry: () => this.#enter('signIn.retry', []),
  };

  readonly members = {
    find: (query: string, cursor: string) =>
      this.#answer('members.find', [query, cursor], () => {
        const q = query.toLowerCase();
        return this.#page(this.people.filter((m) => `${m.name} ${m.email} ${m.id} ${m.accountName}`.toLowerCase().includes(q)), cursor);
      }),
    profile: (id: string) => this.#answer('members.profile', [id], () => this.#profile(id)),
    checkIdentity: (id: string, nameMatches: boolean, emailMatches: boolean) =>
      this.#answer('members.checkIdentity', [id, nameMatches, emailMatches], () => {
        this.identityCheckedAt = nameMatches && emailMatches ? Date.now() : 0;
        return this.#profile(id);
      }),
  };

  readonly session = {
    start: (ask: StartView) => this.#start(ask),
    live: () => this.#answer('session.live', [], () => this.now),
    end: () => this.#answer('session.end', [], () => this.#end('agent')),
    setView: (view: ScreenKind) => this.#answer('session.setView', [view], () => this.show({ view })),
    writeNote: (sessionId: string, text: string) =>
      this.#answer('session.writeNote', [sessionId, text], () => this.#change(sessionId, { note: text, noteOwed: false })),
    owed: () => this.#answer('session.owed', [], () => this.#page(this.table.filter((s) => s.mine && s.noteOwed), '')),
  };

  readonly overview = {
    sessions: (state: 'live' | 'ended' | 'all', cursor: string) =>
      this.#answer('overview.sessions', [state, cursor], () =>
        this.#page(this.table.filter((s) => state === 'all' || (state === 'ended') === (s.state === 'ended')), cursor)),
    end: (sessionId: string) =>
      this.#answer('overview.end', [sessionId], () =>
        this.#change(sessionId, { state: 'ended', cause: 'admin', endedAt: Date.now(), endedBy: this.me.name })),
    enrolmentCode: () =>
      this.#answer('overview.enrolmentCode', [], () => ({ code: 'K7QF-2MZP-9RTD', expiresAt: Date.now() + 15 * 60_000 })),
  };

  readonly trail = {
    records: (sessionId: string, cursor: string) =>
      this.#answer('trail.records', [sessionId, cursor], () =>
        this.#page(this.trailOf.filter((r) => !sessionId || r.sessionId === sessionId), cursor)),
    outbox: () => this.#answer('trail.outbox', [], () => this.box),
  };

  async #answer<T>(name: string, args: unknown[], make: () => T): Promise<T> {
    this.calls.push({ name, args });
    const failure = this.#failures.get(name);
    const value = failure ? undefined : make();
    const held = this.#held.get(name);
    await (held ? new Promise<void>((go) => held.push(go)) : Promise.resolve());
    if (failure) throw new Problem(failure);
    return value as T;
  }

  #signInView(): SignInView {
    const at = { phase: this.phase, platform: 'https://platform.stead.example', version: '0.1.0' };
    return { ...at, me: this.phase === 'ready' ? this.me : undefined, problem: this.signInProblem };
  }

  #go(phase: SignInPhase): SignInView {
    this.phase = phase;
    this.signInProblem = undefined;
    this.emit('signin', this.#signInView());
    return this.#signInView();
  }

  #enter(name: string, args: unknown[]): Promise<SignInView> {
    if (name === 'signIn.begin') this.#go('waiting');
    return this.#answer(name, args, () => 0).then(() => this.#go('ready'));
  }

  #profile(id: string): ProfileView {
    const member = this.people.find((m) => m.id === id);
    if (!member) {
      throw new Problem({ code: 'member_not_found', sentence: 'There is no such member among those you look after.', hint: 'Check the name, or ask a lead.' });
    }
    const { whyNot, identityCheckedAt, notes } = this;
    return { member, mayImpersonate: !whyNot, whyNot, identityCheckedAt, notes };
  }

  async #start(ask: StartView): Promise<LiveView> {
    const member = this.people.find((m) => m.id === ask.memberId);
    const before = this.now;
    for (const step of this.steps) {
      this.show({ ...noSession, phase: 'starting', step, memberId: ask.memberId, memberName: member?.name, memberEmail: member?.email });
      if (this.stepTime > 0) await new Promise((go) => setTimeout(go, this.stepTime));
    }
    try {
      await this.#answer('session.start', [ask], () => 0);
    } catch (refused) {
      this.show(before);
      throw refused;
    }
    const made = people.session(Date.now(), {
      id: crypto.randomUUID(), memberId: ask.memberId, memberName: member?.name, memberEmail: member?.email,
      account: member?.account, startedAt: Date.now(), endsAt: Date.now() + twentyMinutes, category: ask.category, reason: ask.reason, ticket: ask.ticket,
    });
    this.table = [made, ...this.table];
    return this.show({ phase: 'live', step: '', sessionId: made.id, account: made.account, scope: 'read', view: 'desktop', endsAt: made.endsAt });
  }

  #end(cause: string): LiveView {
    const { sessionId } = this.now;
    this.table = this.table.map((s) => (s.id === sessionId ? { ...s, state: 'ended', cause, endedAt: Date.now(), noteOwed: true } : s));
    return this.show({ phase: 'ended', cause, confirmed: true, noteOwed: true, wiped: true, lostAt: 0 });
  }

  #change(id: string, change: Partial<SessionView>): SessionView {
    this.table = this.table.map((s) => (s.id === id ? { ...s, ...change } : s));
    const found = this.table.find((s) => s.id === id);
    if (!found) throw new Problem({ code: 'session_not_found', sentence: 'There is no such session.', hint: 'Reload the list of sessions.' });
    return found;
  }

  #page<T>(all: T[], cursor: string): Page<T> {
    const from = Number(cursor || 0);
    const to = from + this.pageSize;
    return { items: all.slice(from, to), next: to < all.length ? String(to) : '' };
  }
}
