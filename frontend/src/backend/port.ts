// The one port between the window and Go. The shapes mirror app/views.go field by field; port.test.ts holds them to it.
// Times are milliseconds since 1970 by this machine's clock; 0 means "not yet".

import type { ProblemView } from './problem';

export { Problem, toProblem, type ProblemView } from './problem';

export type SignInPhase =
  | 'starting'
  | 'unreachable'
  | 'signed_out'
  | 'waiting'
  | 'setup'
  | 'enrol'
  | 'ready'
  | 'failed';

export interface SignInView {
  phase: SignInPhase;
  platform: string;
  version: string;
  me?: PersonView;
  problem?: ProblemView;
}

export type Action =
  | 'find_members'
  | 'impersonate'
  | 'see_sessions'
  | 'end_any'
  | 'read_trail'
  | 'enrol_devices'
  | 'see_devices'
  | 'revoke_device'
  | 'erase'
  | 'hold';

export interface PersonView {
  id: string;
  name: string;
  email: string;
  role: string;
  tier: number;
  privilege: boolean;
  actions: Action[];
}

export interface MemberView {
  id: string;
  name: string;
  email: string;
  phone: string;
  account: string;
  accountName: string;
  branchName: string;
  power: boolean;
  disabled: boolean;
}

/** Page is a part of a list; next is the cursor of the following part, "" on the last. */
export interface Page<T> {
  items: T[];
  next: string;
}

export interface ProfileView {
  member: MemberView;
  mayImpersonate: boolean;
  whyNot?: ProblemView;
  identityCheckedAt: number;
  notes: NoteView[];
}

export interface NoteView {
  at: number;
  author: string;
  kind: string;
  text: string;
}

export interface StartView {
  memberId: string;
  category: string;
  reason: string;
  ticket: string;
  consent: boolean;
  consentHow: string;
  nameChecked: boolean;
  mailChecked: boolean;
}

export type ScreenKind = 'desktop' | 'tablet' | 'phone';

export type LivePhase = 'none' | 'starting' | 'live' | 'ending' | 'ended';

export interface LiveView {
  phase: LivePhase;
  step: string;
  sessionId: string;
  memberId: string;
  memberName: string;
  memberEmail: string;
  account: string;
  scope: string;
  /** How the pages are shown; "" where the browser offers no choice. */
  view: '' | ScreenKind;
  endsAt: number;
  lostAt: number;
  cause: string;
  confirmed: boolean;
  noteOwed: boolean;
  wiped: boolean;
  unguarded: boolean;
  problem?: ProblemView;
}

export interface SessionView {
  id: string;
  agentId: string;
  agentName: string;
  memberId: string;
  memberName: string;
  memberEmail: string;
  account: string;
  state: string;
  category: string;
  reason: string;
  ticket: string;
  startedAt: number;
  endsAt: number;
  endedAt: number;
  cause: string;
  endedBy: string;
  note: string;
  noteOwed: boolean;
  mine: boolean;
  mayEnd: boolean;
}

export interface RecordView {
  index: number;
  at: number;
  source: string;
  kind: string;
  sessionId: string;
  actor: string;
  subject: string;
  facts: FactView[];
  /** What became of its texts: none, ok, erased, withheld, broken; empty when the platform does not say. */
  texts: string;
  leaf: string;
}

export interface FactView {
  name: string;
  value: string;
}

export interface OutboxView {
  pending: number;
  oldestAt: number;
  nextTryAt: number;
  acknowledged: number;
  /** Sequence up to which a receipt proves that the records are in the ledger. */
  proven: number;
  /** Records that the platform could not read; they are kept here. */
  quarantined: number;
  /** So many records wait that somebody should look. */
  alarm: boolean;
  problem?: ProblemView;
  /** Why no session can be started from this machine. */
  blocked?: ProblemView;
  recovered?: RecoveredView;
}

/** RecoveredView says what was saved when a damaged or missing outbox was set up anew. */
export interface RecoveredView {
  /** File that was kept as evidence, "" when the outbox was gone. */
  evidence: string;
  sha256: string;
  salvaged: number;
  /** Sequences that could not be read. */
  missing: string;
}

export interface EnrolmentView {
  code: string;
  expiresAt: number;
}

export interface SignInPort {
  state(): Promise<SignInView>;
  /** Opens the agent's own browser; resolves when the sign-in is done or given up. */
  begin(): Promise<SignInView>;
  cancel(): Promise<void>;
  signOut(): Promise<SignInView>;
  claim(code: string): Promise<SignInView>;
  enrol(code: string): Promise<SignInView>;
  retry(): Promise<SignInView>;
}

export interface MembersPort {
  find(query: string, cursor: string): Promise<Page<MemberView>>;
  profile(id: string): Promise<ProfileView>;
  checkIdentity(id: string, nameMatches: boolean, emailMatches: boolean): Promise<ProfileView>;
}

export interface SessionPort {
  /** Resolves when the session is live; rejects with a Problem when it was refused or could not be opened. */
  start(ask: StartView): Promise<LiveView>;
  live(): Promise<LiveView>;
  end(): Promise<LiveView>;
  setView(view: ScreenKind): Promise<LiveView>;
  writeNote(sessionId: string, text: string): Promise<SessionView>;
  owed(): Promise<Page<SessionView>>;
}

export interface OverviewPort {
  sessions(state: 'live' | 'ended' | 'all', cursor: string): Promise<Page<SessionView>>;
  end(sessionId: string): Promise<SessionView>;
  enrolmentCode(): Promise<EnrolmentView>;
}

export interface TrailPort {
  records(sessionId: string, cursor: string): Promise<Page<RecordView>>;
  outbox(): Promise<OutboxView>;
}

/** Events that Go sends by itself, with what they carry. */
export interface Events {
  signin: SignInView;
  live: LiveView;
  outbox: OutboxView;
}

/** Backend is everything the window can ask of Go. Every rejection is a Problem. */
export interface Backend {
  readonly signIn: SignInPort;
  readonly members: MembersPort;
  readonly session: SessionPort;
  readonly overview: OverviewPort;
  readonly trail: TrailPort;
  /** Calls heard for every event of that name until the returned function is called. */
  on<E extends keyof Events>(event: E, heard: (view: Events[E]) => void): () => void;
  /** Puts a text on the clipboard. Only ever ids, addresses and codes that are on the screen anyway. */
  copy(text: string): Promise<void>;
}
