import { describe, expect, it } from 'vitest';
import kinds from '../../../internal/audit/kind.go?raw';
import codes from '../../../internal/stead/codes.go?raw';
import people from '../../../internal/stead/people.go?raw';
import sessions from '../../../internal/stead/session.go?raw';
import { en } from './en';
import { ownCause, t, tn, word } from './text';
import { countdown, duration, secondsUntil } from './time';

const values = (source: string, type: string): string[] =>
  [...source.matchAll(new RegExp(`^\\s+\\w+\\s+${type}\\s+= "([^"]+)"`, 'gm'))].map((m) => m[1] ?? '');

describe('words', () => {
  it('fills names in and leaves what is in them alone', () => {
    expect(t('confirm.title', { name: '<b>{name}</b> $& Ö' })).toBe('Log in as <b>{name}</b> $& Ö?');
  });

  it('chooses the form for the number', () => {
    expect(tn('members.found', 1)).toBe('1 member found');
    expect(tn('members.found', 0)).toBe('0 members found');
  });

  it('has words for every cause, kind and role that Go knows', () => {
    const groups = [['cause', values(sessions, 'Cause')], ['kind', values(kinds, '(?:Kind)')], ['role', values(people, 'Role')]] as const;
    for (const [group, all] of groups) {
      expect(all.length).toBeGreaterThan(3);
      expect(all.filter((value) => !Object.hasOwn(en, `${group}.${value}`))).toEqual([]);
    }
  });

  it('has words for every way in which a browser kept a session from opening', () => {
    const all = values(codes, 'Code').filter((code) => code.startsWith('browser_'));
    expect(all.length).toBeGreaterThan(3);
    expect(all.filter((code) => !Object.hasOwn(en, `code.${code}`))).toEqual([]);
  });

  it('shows what it has no words for as it is', () => {
    expect(word('cause', 'moon_phase')).toBe('moon phase');
    expect(ownCause('agent')).toBe('You ended it');
    expect(ownCause('expired')).toBe('The twenty minutes are over');
  });

  it('has no empty words and no bare braces', () => {
    const all: Record<string, string> = en;
    expect(Object.entries(all).filter(([, words]) => words === '' || /\{\s*\}/.test(words))).toEqual([]);
  });
});

describe('times', () => {
  it('reads seconds as a countdown', () => {
    expect([1200, 599, 60, 9, 0].map(countdown)).toEqual(['20:00', '9:59', '1:00', '0:09', '0:00']);
    expect(duration(599)).toBe('PT9M59S');
    expect([secondsUntil(5001, 5000), secondsUntil(4000, 5000)]).toEqual([1, 0]);
  });
});
