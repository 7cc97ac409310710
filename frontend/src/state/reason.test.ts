import { describe, expect, it } from 'vitest';
import source from '../../../internal/stead/reason.go?raw';
import { categories, consentWays, maxLength, measure, minLength, minWords, validTicket } from './reason';

describe('the measure of a reason, S0-09', () => {
  it('is the one of internal/stead', () => {
    const number = (name: string): number => Number(new RegExp(`${name}\\s*= (\\d+)`).exec(source)?.[1]);
    expect([minLength, minWords, maxLength]).toEqual([number('MinReasonLength'), number('MinReasonWords'), number('MaxTextLength')]);
    const named = (type: string): string[] => [...source.matchAll(new RegExp(`\\s${type}\\s*= "(\\w+)"`, 'g'))].map((m) => m[1] ?? '');
    expect([...source.matchAll(/^\s+Category\w+\s+Category\s+= "(\w+)"/gm)].map((m) => m[1])).toEqual([...categories]);
    expect(named('ConsentHow')).toEqual([...consentWays]);
    expect(source).toContain('`^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}$`');
  });

  it.each([
    ['Search shows nothing', true],
    ['  Search   shows nothing  ', true],
    ['test test test test', false],
    ['Search broken', false],
    ['.', false],
    ['', false],
    ['Präferenzen prüfen für Mara', true],
  ])('of %j is enough: %s', (text, enough) => {
    expect(measure(text).enough).toBe(enough);
  });

  it('counts characters as Go does, not UTF-16 units', () => {
    expect(measure('🙂🙂').length).toBe(2);
    expect(measure('x'.repeat(2003)).over).toBe(3);
  });

  it.each([['SUP-4711', true], [' sup-4711 ', true], ['SUP-0', false], ['4711', false], ['S-1', false], ['', false]])('ticket %j: %s', (ticket, valid) => {
    expect(validTicket(ticket)).toBe(valid);
  });
});
