/** The beginning of a long id or hash, enough to compare by eye. */
export function short(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}

/** The end of a session's id: it begins with the time, so that sessions of one minute begin alike. */
export function shortSession(id: string): string {
  return id.length > 12 ? `…${id.slice(-8)}` : id;
}
