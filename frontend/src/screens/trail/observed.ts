import { t } from '../../i18n/text';

/** How many actions are named; the rest are counted. */
const named = 4;

/** A line of a record: count, method, origin (not where both sides have one), path, status or "stopped" (the same). */
function action(line: string): string {
  const parts = line.split(' ');
  const [count, method, , path, status] = parts.length === 5 ? parts : [parts[0], parts[1], '', parts[2], ''];
  if (method === undefined || path === undefined) return line;
  const words = `${method} ${path}`;
  if (status === 'stopped') return t('observed.stopped', { action: words });
  return Number(count) > 1 ? t('observed.times', { action: words, count: Number(count) }) : words;
}

/** What a session's browser asked for, or should have shown, in one line. */
export function observed(lines: string): string {
  const all = lines.split('\n').filter((line) => line !== '');
  const more = all.length - named;
  return [...all.slice(0, named).map(action), ...(more > 0 ? [t('observed.more', { count: more })] : [])].join(', ');
}
