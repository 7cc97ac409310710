import { describe, expect, it } from 'vitest';
import actions from '../../../../internal/platform/authority/actions.go?raw';
import devices from '../../../../internal/platform/authority/devices.go?raw';
import compared from '../../../../internal/platform/authority/compare.go?raw';
import watched from '../../../../internal/audit/observed.go?raw';
import ends from '../../../../internal/platform/authority/end.go?raw';
import starts from '../../../../internal/platform/authority/start.go?raw';
import members from '../../../../internal/platform/casework/members.go?raw';
import erased from '../../../../internal/platform/erasure/erasure.go?raw';
import again from '../../../../internal/platform/erasure/reapply.go?raw';
import swept from '../../../../internal/platform/erasure/sweep.go?raw';
import alarms from '../../../../internal/platform/ledger/contact.go?raw';
import bridges from '../../../../internal/platform/ledger/quarantine.go?raw';
import trail from '../../../../internal/platform/ledger/trail.go?raw';
import staff from '../../../../internal/platform/staff/staff.go?raw';
import seen from '../../../../internal/desktop/session/end.go?raw';
import recovered from '../../../../internal/desktop/session/recover.go?raw';
import intent from '../../../../internal/desktop/session/start.go?raw';
import undone from '../../../../internal/desktop/session/undo.go?raw';
import { records } from '../../backend/fake-people';
import type { RecordView } from '../../backend/port';
import { factName } from '../../i18n/text';
import { exactly } from '../../i18n/time';
import { factsOf } from './facts';

const [some] = records(0);
const record = (facts: Record<string, string>, over: Partial<RecordView> = {}): RecordView => ({
  ...(some as RecordView), actor: 'Lena Brandt', subject: 'Mara Kern', facts: Object.entries(facts).map(([name, value]) => ({ name, value })), ...over,
});
const said = (r: RecordView): string[] => factsOf(r).map((f) => `${f.label}: ${f.value}`);

describe('facts of a record', () => {
  it('has a label for every fact that Go writes', () => {
    const all = [actions, compared, watched, again, alarms, bridges, devices, ends, erased, starts, swept, members, trail, staff, seen, recovered, intent, undone].flatMap((source) => [
      ...[...source.matchAll(/(?:audit\.Body|map\[string\]string)\{("[^}]*)\}/g)].flatMap((m) => [...(m[1] ?? '').matchAll(/"(\w+)":/g)]),
      ...source.matchAll(/(?:[Ff]acts|Body)\["(\w+)"\]/g),
    ]);
    const names = new Set(all.map((m) => m[1] ?? ''));
    expect(names.size).toBeGreaterThan(25);
    expect([...names].filter((name) => factName(name) === name)).toEqual(['app_ms']); // never shown
  });

  it('are said in plain words: causes, times, yes and no', () => {
    const at = Date.UTC(2026, 10, 22, 14, 0);
    expect(said(record({ cause: 'stead_closed', was: 'started', wiped: 'false', confirmed: 'true', due_ms: String(at), scope: 'read' }))).toEqual([
      'Why it ended: Stead was closed', 'Until then: not opened yet', 'Browser’s data wiped: no', 'Confirmed by the platform: yes',
      `Was due: ${exactly(at)}`, 'Allowed: View only',
    ]);
  });

  it('name some of what a browser asked for, and count the rest', () => {
    const lines = ['2 GET https://portal.example /plan 200', '1 POST https://portal.example /plan/search stopped', '1 GET https://portal.example / 200'];
    expect(said(record({ actions: lines.join('\n') }))).toEqual([
      'Asked of the member’s platform: GET /plan (2 times), POST /plan/search (stopped in the browser), GET /',
    ]);
    expect(said(record({ actions: [...lines, ...lines].join('\n') }))[0]).toMatch(/GET \/plan \(2 times\), and 2 more$/);
    expect(said(record({ examples: '3 POST /plan/search', why: 'not_shown' }))).toEqual([
      'Missing in the browser: POST /plan/search (3 times)', 'Because: The app reported what the session’s browser did not show',
    ]);
    expect(said(record({ actions: '' }))).toEqual([]);
  });

  it('say plainly what became of the texts', () => {
    expect(said(record({ cause: 'agent' }, { texts: 'erased' }))).toEqual(['Texts: Erased', expect.stringMatching(/^Why it ended: /)]);
    expect(said(record({ by: 'operator', why: 'retention', month: '2026-10' }, { texts: 'none' }))).toEqual([
      'By: Whoever runs the platform', 'Because: Their time was over', 'Up to and with: 2026-10',
    ]);
    const [broken] = factsOf(record({ found: '1' }, { texts: 'broken' }));
    expect(broken).toMatchObject({ name: 'texts', doubt: true });
    for (const state of ['ok', 'none', '']) expect(said(record({}, { texts: state }))).toEqual([]);
  });

  it('leave out what stands beside them, and nothing else', () => {
    const facts = { agent: 'st-lena', agent_name: 'Lena Brandt', app_ms: '1', member_name: 'Mara Kern', name: 'Mara Kern' };
    expect(said(record(facts))).toEqual([]);
    expect(said(record(facts, { actor: '' }))).toEqual(['Agent: Lena Brandt']);
    expect(said(record({ agent: 'st-lena' }, { actor: '' }))).toEqual(['Agent: st-lena']);
  });

  it('stay as they are when they are new to us, and a doubt comes first', () => {
    expect(said(record({ moon_phase: 'half_full', constructor: 'x', doubt: 'there is no such session' }))).toEqual([
      'In doubt: there is no such session', 'moon_phase: half_full', 'constructor: x',
    ]);
    expect(factsOf(record({ doubt: 'x' }))[0]?.doubt).toBe(true);
    expect(said(record({ doubt: 'late_untrusted', why: 'rolled_back' }))).toEqual([
      'In doubt: It came after its device was revoked', 'Because: The device’s records were set back to an earlier state',
    ]);
  });
});
