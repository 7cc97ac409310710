// Invented people for the fake backend.

import type { Action, MemberView, PersonView, RecordView, SessionView } from './port';

const actionsOf: Record<string, Action[]> = {
  support: ['find_members', 'impersonate'],
  lead: ['find_members', 'impersonate', 'see_sessions', 'end_any', 'read_trail', 'enrol_devices', 'see_devices', 'revoke_device'],
  auditor: ['see_sessions', 'read_trail', 'see_devices'],
  superadmin: ['find_members', 'impersonate', 'see_sessions', 'end_any', 'read_trail', 'enrol_devices', 'see_devices', 'revoke_device', 'erase', 'hold'],
};

export function person(role: 'support' | 'lead' | 'auditor' | 'superadmin' = 'support'): PersonView {
  const name = { support: 'Lena Brandt', lead: 'Amara Okafor', auditor: 'Ivo Marek', superadmin: 'Noor Haddad' }[role];
  return {
    id: `st-${name.split(' ')[0]?.toLowerCase() ?? role}`,
    name,
    email: `${name.toLowerCase().replace(' ', '.')}@stead.example`,
    role,
    tier: role === 'support' ? 1 : 0,
    privilege: role !== 'auditor',
    actions: actionsOf[role] ?? [],
  };
}

const names = [
  'Mara Kern', 'Jonas Albrecht', 'Priya Raman', 'Tomás Herrera', 'Aiko Tanabe', 'Samuel Boateng', 'Ines Laurent',
  'Marek Dvorak', 'Leila Farahani', 'Owen Gallagher', 'Chiara Bellini', 'Martin Söder', 'Grace Wanjiru', 'Mareike Voss',
];

export function members(): MemberView[] {
  return names.map((name, i) => ({
    id: `m-${String(i + 42).padStart(6, '0')}`,
    name,
    email: `${name.toLowerCase().normalize('NFD').replace(/[^a-z ]/g, '').replace(' ', '.')}@example.org`,
    phone: `+49 30 5550 ${String(1100 + i * 37)}`,
    account: i % 3 === 0 ? 'acme' : 'blueleaf',
    accountName: i % 3 === 0 ? 'Acme Health' : 'Blueleaf Mutual',
    branchName: ['North', 'South', 'Harbour'][i % 3] ?? 'North',
    power: i % 5 === 2,
    disabled: i === 9,
  }));
}

export function session(at: number, over: Partial<SessionView> = {}): SessionView {
  return {
    id: '0199a3c4-7b10-7d2e-9c55-2f6f1e0a4b77',
    agentId: 'st-lena',
    agentName: 'Lena Brandt',
    memberId: 'm-000042',
    memberName: 'Mara Kern',
    memberEmail: 'mara.kern@example.org',
    account: 'acme',
    state: 'live',
    category: 'troubleshooting',
    reason: 'The provider search by zip shows no results for her',
    ticket: 'SUP-4711',
    startedAt: at - 4 * 60_000,
    endsAt: at + 16 * 60_000,
    endedAt: 0,
    cause: '',
    endedBy: '',
    note: '',
    noteOwed: false,
    mine: true,
    mayEnd: true,
    ...over,
  };
}

export function records(at: number): RecordView[] {
  const one = (index: number, kind: string, source: string, facts: [string, string][]): RecordView => ({
    index,
    at: at - (9 - index) * 41_000,
    source,
    kind,
    sessionId: index > 2 ? '0199a3c4-7b10-7d2e-9c55-2f6f1e0a4b77' : '',
    actor: 'Lena Brandt',
    subject: index > 1 ? 'Mara Kern' : '',
    facts: facts.map(([name, value]) => ({ name, value })),
    texts: 'ok',
    leaf: ((0x9f3ac1de ^ (index * 0x1234567)) >>> 0).toString(16).padStart(8, '0').repeat(8),
  });
  const device = 'a41f0c77be2d4f6c9b1e55d08a3c7f10';
  return [
    one(8, 'session.ended', 'platform', [['cause', 'agent']]),
    one(7, 'session.observed_end', device, [['cause', 'agent'], ['confirmed', 'true'], ['doubt', 'there is no such session'], ['wiped', 'true']]),
    one(6, 'session.action', 'platform', [['words', 'Looked at preferences'], ['app_ms', String(at)], ['method', 'GET'], ['path', '/preferences'], ['status', '200']]),
    one(5, 'session.opened', 'platform', []),
    one(4, 'session.started', 'platform', [['agent_name', 'Lena Brandt'], ['category', 'troubleshooting'], ['expires_ms', String(at)], ['member_name', 'Mara Kern'], ['scope', 'read']]),
    one(3, 'session.intent', device, [['ticket', 'SUP-4711']]),
    one(2, 'identity.checked', 'platform', [['name_matches', 'true'], ['email_matches', 'true']]),
    one(1, 'member.searched', 'platform', [['found', '2'], ['query', 'mar']]),
  ];
}
