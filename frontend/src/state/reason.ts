// The measure of a reason as internal/stead/reason.go takes it. The window only explains in advance; the platform decides.

export const categories = ['troubleshooting', 'guidance', 'settings', 'reproduce', 'other'] as const;
export const consentWays = ['phone', 'chat', 'email', 'in_person'] as const;

export const minLength = 15; // characters
export const minWords = 3; // different words
export const maxLength = 2000; // characters, for reasons and notes alike

const ticketForm = /^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}$/;

export interface Measure {
  length: number;
  words: number;
  enough: boolean;
  over: number;
}

/** How much a text says: characters (code points, as Go counts them) and different words. */
export function measure(text: string): Measure {
  const trimmed = text.trim();
  const length = Array.from(trimmed).length;
  const words = new Set(trimmed.toLowerCase().split(/\s+/).filter(Boolean)).size;
  return { length, words, enough: length >= minLength && words >= minWords, over: Math.max(0, length - maxLength) };
}

/** The ticket as it is sent: without spaces around it, in capitals. */
export function tidyTicket(ticket: string): string {
  return ticket.trim().toUpperCase();
}

export function validTicket(ticket: string): boolean {
  return ticketForm.test(tidyTicket(ticket));
}
