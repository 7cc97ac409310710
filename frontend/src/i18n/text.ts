// The way from a key to words. Other languages fit in here: a catalogue of the same keys, chosen at start.

import { en } from './en';

export type Key = keyof typeof en;
export type Catalogue = Record<Key, string>;

type Names<S extends string> = S extends `${string}{${infer N}}${infer Rest}` ? N | Names<Rest> : never;
type Values<S extends string> = [Names<S>] extends [never] ? [] : [Record<Names<S>, string | number>];
type Counted = Key extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never;

const catalogue: Catalogue = en;
const plural = new Intl.PluralRules('en');

/** The words of a key, its {names} filled in. */
export function t<K extends Key>(key: K, ...values: Values<(typeof en)[K]>): string {
  return fill(catalogue[key], values[0]);
}

/** The words for a number of things: the key's form for that number, {count} filled in. */
export function tn(base: Counted, count: number): string {
  const key = `${base}.${plural.select(count)}`;
  return fill(has(key) ? catalogue[key] : catalogue[`${base}.other`], { count });
}

/** What Go names by a value of its own; the catalogue has the words. */
export type Group = 'by' | 'category' | 'cause' | 'code' | 'consent' | 'doubt' | 'kind' | 'mode' | 'result' | 'role' | 'scope' | 'state' | 'step' | 'texts' | 'what' | 'why';

/** What a fact of a record is called; its own name when it is new to us. */
export function factName(name: string): string {
  const key = `fact.${name}`;
  return has(key) ? catalogue[key] : name;
}

/** The words for a value that Go names (a cause, a kind, a category); the value itself, readable, when it is new to us. */
export function word(group: Group, value: string): string {
  const key = `${group}.${value}`;
  return has(key) ? catalogue[key] : value.replaceAll('_', ' ');
}

/** Why the agent's own session ended, said to that agent. */
export function ownCause(cause: string): string {
  const key = `own.${cause}`;
  return has(key) ? catalogue[key] : word('cause', cause);
}

function has(key: string): key is Key {
  return Object.hasOwn(catalogue, key);
}

function fill(words: string, values: Record<string, string | number> | undefined): string {
  return words.replace(/\{(\w+)\}/g, (whole, name: string) => String(values?.[name] ?? whole));
}
