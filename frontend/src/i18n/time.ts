// Times as people read them.

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const clockSeconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const dayOnly = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** "14:22" */
export function timeOfDay(at: number): string {
  return clock.format(at);
}

/** "22 Nov 2026" */
export function date(at: number): string {
  return day.format(at);
}

/** "14:22:07" */
export function timeToTheSecond(at: number): string {
  return clockSeconds.format(at);
}

/** "22 Nov 2026, 14:22:07" */
export function exactly(at: number): string {
  return `${day.format(at)}, ${clockSeconds.format(at)}`;
}

/** "22 Nov 2026, 14:22" */
export function dayAndTime(at: number): string {
  return `${day.format(at)}, ${clock.format(at)}`;
}

/** "22 Nov, 14:22" */
export function soonAndTime(at: number): string {
  return `${dayOnly.format(at)}, ${clock.format(at)}`;
}

/** Whole seconds from now until then, rounded up so that the last one is shown as 0:01; never negative. */
export function secondsUntil(then: number, now: number): number {
  return Math.max(0, Math.ceil((then - now) / 1000));
}

/** "19:59", "0:07" */
export function countdown(seconds: number): string {
  return `${String(Math.floor(seconds / 60))}:${String(seconds % 60).padStart(2, '0')}`;
}

/** "PT19M59S", for a time element's datetime (ISO 8601). */
export function duration(seconds: number): string {
  return `PT${String(Math.floor(seconds / 60))}M${String(seconds % 60)}S`;
}
