// The window on the fake backend, for looking at screens and for measuring contrast in a real browser. It is served
// by `vite` only and is no part of the build. The query says what to show: ?role=lead&scene=live&fail=members.find

import { mount } from 'svelte';
import { FakeBackend, noSession, unreachable } from '../src/backend/fake';
import { session } from '../src/backend/fake-people';
import type { SignInPhase } from '../src/backend/port';
import App from '../src/screens/App.svelte';
import '../src/styles/tokens.css';
import '../src/styles/base.css';

const asked = new URLSearchParams(location.search);
const fake = new FakeBackend();
const now = Date.now();
const role = asked.get('role');
const phase = asked.get('phase');

if (role) fake.me = (await import('../src/backend/fake-people')).person(role as 'lead');
if (phase) {
  fake.phase = phase as SignInPhase;
  if (phase === 'unreachable') fake.signInProblem = unreachable;
  if (phase === 'failed') {
    fake.signInProblem = {
      code: 'keyring_missing',
      sentence: "This machine's keyring cannot be used, so the device key has no safe place.",
      hint: 'Start the keyring service (on Linux: GNOME Keyring or KWallet) and sign in to the desktop; then start Stead again.',
    };
  }
}
fake.stepTime = 900;
fake.notes = [
  { at: now - 86_400_000, author: 'Amara Okafor', kind: 'close_out', text: 'Her plan had lapsed; the search shows providers again since it was renewed.' },
  { at: now - 86_900_000, author: 'Amara Okafor', kind: 'reason', text: 'Provider search by zip shows no results' },
];
fake.table = [
  session(now),
  session(now, {
    id: 's2', agentName: 'Tariq Aziz', agentId: 'st-tariq', memberName: 'Priya Raman', memberEmail: 'priya.raman@example.org', mine: false,
    endsAt: now + 9.4 * 60_000, category: 'guidance', reason: 'Wants to be walked through the new preferences page', ticket: '',
  }),
  session(now, {
    id: 's3', memberName: 'Jonas Albrecht', memberEmail: 'jonas.albrecht@example.org', state: 'ended', startedAt: now - 3_600_000, endedAt: now - 3_000_000,
    cause: 'banner', noteOwed: true,
  }),
  session(now, {
    id: 's4', memberName: 'Aiko Tanabe', memberEmail: 'aiko.tanabe@example.org', state: 'ended', startedAt: now - 9_600_000, endedAt: now - 8_400_000,
    cause: 'expired', note: 'Preferences were saved under another e-mail address; explained.', agentName: 'Tariq Aziz', mine: false,
  }),
];

const live = {
  ...noSession, phase: 'live' as const, sessionId: session(now).id, memberId: 'm-000042', memberName: 'Mara Kern',
  memberEmail: 'mara.kern@example.org', account: 'Acme Health', scope: 'read', endsAt: now + 14.6 * 60_000,
};
const scenes: Record<string, () => void> = {
  live: () => (fake.now = live),
  lost: () => (fake.now = { ...live, lostAt: now + 70_000 }),
  ended: () => (fake.now = { ...live, phase: 'ended', cause: 'agent', confirmed: true, wiped: true, noteOwed: true }),
  unconfirmed: () => (fake.now = { ...live, phase: 'ended', cause: 'browser_closed', confirmed: false, wiped: true, noteOwed: true }),
  peer: () => (fake.whyNot = {
    code: 'peer',
    sentence: 'This member also works here, and staff are never impersonated, whatever their tier.',
    hint: 'Ask the person to show you their screen.',
  }),
  pending: () => (fake.box = { ...fake.box, pending: 3, oldestAt: now - 240_000, nextTryAt: now + 25_000, acknowledged: 809, problem: unreachable }),
};
for (const scene of asked.getAll('scene')) scenes[scene]?.();
for (const name of asked.getAll('fail')) fake.fail(name);
for (const name of asked.getAll('hold')) fake.hold(name);

const target = document.getElementById('window');
if (target) mount(App, { target, props: { backend: fake } });
