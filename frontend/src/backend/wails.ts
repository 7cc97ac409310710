// The only door to Go: nothing else touches window.go or window.runtime (eslint holds us to it).

import {
  toProblem,
  type Backend,
  type EnrolmentView,
  type Events,
  type LiveView,
  type OutboxView,
  type Page,
  type MemberView,
  type ProfileView,
  type RecordView,
  type SessionView,
  type SignInView,
} from './port';

type Bound = Record<string, (...args: unknown[]) => Promise<unknown>>;

interface Bridge {
  go?: { app?: Record<string, Bound | undefined> };
  runtime?: {
    EventsOn(name: string, heard: (view: unknown) => void): () => void;
    ClipboardSetText(text: string): Promise<boolean>;
  };
}

/** wails returns the backend that talks to Go through the bridge that the shell puts on the window. */
export function wails(bridge: Bridge = window as unknown as Bridge): Backend {
  const call = async <T>(struct: string, method: string, ...args: unknown[]): Promise<T> => {
    try {
      const bound = bridge.go?.app?.[struct];
      const ask = bound?.[method];
      if (!bound || !ask) throw new Error(`${struct}.${method} is not bound`);
      return (await ask.apply(bound, args)) as T;
    } catch (thrown) {
      throw toProblem(thrown);
    }
  };
  const page = async <T>(struct: string, method: string, ...args: unknown[]): Promise<Page<T>> =>
    tidyPage(await call<Page<T>>(struct, method, ...args));

  return {
    signIn: {
      state: () => call<SignInView>('SignIn', 'State').then(tidySignIn),
      begin: () => call<SignInView>('SignIn', 'Begin').then(tidySignIn),
      cancel: () => call('SignIn', 'Cancel'),
      signOut: () => call<SignInView>('SignIn', 'SignOut').then(tidySignIn),
      claim: (code) => call<SignInView>('SignIn', 'Claim', code).then(tidySignIn),
      enrol: (code) => call<SignInView>('SignIn', 'Enrol', code).then(tidySignIn),
      retry: () => call<SignInView>('SignIn', 'Retry').then(tidySignIn),
    },
    members: {
      find: (query, cursor) => page<MemberView>('Members', 'Find', query, cursor),
      profile: (id) => call<ProfileView>('Members', 'Profile', id).then(tidyProfile),
      checkIdentity: (id, nameMatches, emailMatches) =>
        call<ProfileView>('Members', 'CheckIdentity', id, nameMatches, emailMatches).then(tidyProfile),
    },
    session: {
      start: (ask) => call<LiveView>('Session', 'Start', ask),
      live: () => call<LiveView>('Session', 'Live'),
      end: () => call<LiveView>('Session', 'End'),
      setView: (view) => call<LiveView>('Session', 'SetView', view),
      writeNote: (sessionId, text) => call<SessionView>('Session', 'WriteNote', sessionId, text),
      owed: () => page<SessionView>('Session', 'Owed'),
    },
    overview: {
      sessions: (state, cursor) => page<SessionView>('Overview', 'Sessions', state, cursor),
      end: (sessionId) => call<SessionView>('Overview', 'End', sessionId),
      enrolmentCode: () => call<EnrolmentView>('Overview', 'EnrolmentCode'),
    },
    trail: {
      records: (sessionId, cursor) =>
        page<RecordView>('Trail', 'Records', sessionId, cursor).then((p) => ({ ...p, items: p.items.map(tidyRecord) })),
      outbox: () => call<OutboxView>('Trail', 'Outbox'),
    },
    on: (event, heard) =>
      bridge.runtime?.EventsOn(event, (view) => {
        heard(tidyEvent(event, view));
      }) ?? (() => undefined),
    copy: async (text) => {
      if (!(await bridge.runtime?.ClipboardSetText(text))) throw toProblem(undefined);
    },
  };
}

// Go writes an empty list as null; the window knows only lists.

function tidyPage<T>(p: Page<T>): Page<T> {
  return { items: list(p.items), next: p.next };
}

function tidySignIn(v: SignInView): SignInView {
  return v.me ? { ...v, me: { ...v.me, actions: list(v.me.actions) } } : v;
}

function tidyProfile(v: ProfileView): ProfileView {
  return { ...v, notes: list(v.notes) };
}

function tidyRecord(v: RecordView): RecordView {
  return { ...v, facts: list(v.facts) };
}

function tidyEvent<E extends keyof Events>(event: E, view: unknown): Events[E] {
  return event === 'signin' ? (tidySignIn(view as SignInView) as Events[E]) : (view as Events[E]);
}

function list<T>(items: T[] | null): T[] {
  return items ?? [];
}
