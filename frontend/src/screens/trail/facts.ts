import type { RecordView } from '../../backend/port';
import { factName, t, word, type Group } from '../../i18n/text';
import { exactly } from '../../i18n/time';
import { observed } from './observed';
import { short } from './short';

export interface Fact {
  name: string;
  label: string;
  value: string;
  /** All of a value that is shown shortened. */
  whole?: string;
  /** The platform does not vouch for the record, or its texts are not the ones it was made with. */
  doubt: boolean;
}

const yesOrNo = (value: string): string => (value === 'true' ? t('fact.yes') : value === 'false' ? t('fact.no') : value);
const time = (value: string): string => (Number(value) > 0 ? exactly(Number(value)) : value);
const named = (group: Group) => (value: string): string => word(group, value);

const readings: Record<string, (value: string) => string> = {
  category: named('category'), cause: named('cause'), platform_cause: named('cause'), code: named('code'), consent: named('consent'), doubt: named('doubt'), mode: named('mode'), what: named('what'),
  result: named('result'), role: named('role'), scope: named('scope'), step: named('step'), was: named('state'), why: named('why'), by: named('by'),
  cleaned_up_by: (value) => (value === 'nobody' ? word('by', value) : value),
  confirmed: yesOrNo, wiped: yesOrNo, recovered: yesOrNo, name_matches: yesOrNo, email_matches: yesOrNo,
  due_ms: time, expires_ms: time,
  actions: observed, examples: observed,
  device: short, epoch: short, key_id: short, leaf: short,
};

/** What became of a record's texts, where they are not simply there. */
function texts(state: string): Fact[] {
  if (!['erased', 'withheld', 'broken'].includes(state)) return [];
  return [{ name: 'texts', label: factName('texts'), value: word('texts', state), doubt: state === 'broken' }];
}

/** The facts of a record in words, without those that stand beside them; a doubt comes first. */
export function factsOf(record: RecordView): Fact[] {
  const given = new Set(record.facts.map((f) => f.name));
  const who = [record.actor, record.subject];
  const told = ({ name, value }: { name: string; value: string }): boolean =>
    value === '' || name === 'app_ms' // the time stands in the first column
    || (name === 'agent' && given.has('agent_name')) // the same person by their ID
    || (/^((agent|member)_)?name$/.test(name) && who.includes(value));
  return [...texts(record.texts), ...record.facts
    .filter((fact) => !told(fact))
    .map(({ name, value: whole }) => {
      const value = Object.hasOwn(readings, name) ? (readings[name]?.(whole) ?? whole) : whole;
      return { name, label: factName(name), value, whole: value.endsWith('…') || (value !== whole && readings[name] === observed) ? whole : undefined, doubt: name === 'doubt' };
    })]
    .sort((a, b) => Number(b.doubt) - Number(a.doubt));
}
