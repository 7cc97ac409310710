import { describe, expect, it } from 'vitest';
import views from '../../../app/views.go?raw';
import port from './port.ts?raw';
import problem from './problem.ts?raw';

/** The fields of every struct in views.go, by its JSON names. */
function goShapes(): Map<string, string[]> {
  const shapes = new Map<string, string[]>();
  for (const [, name = '', body = ''] of views.matchAll(/^type (\w+) struct \{([^}]*)\}/gm)) {
    shapes.set(name, [...body.matchAll(/json:"(\w+)/g)].map((m) => m[1] ?? '').sort());
  }
  return shapes;
}

/** The fields of every interface in port.ts and problem.ts that only has fields. */
function ourShapes(): Map<string, string[]> {
  const shapes = new Map<string, string[]>();
  for (const [, name = '', body = ''] of `${port}\n${problem}`.matchAll(/^export interface (\w+)(?:<\w+>)? \{\n([^}]*)^\}/gm)) {
    shapes.set(name, [...body.matchAll(/^ {2}(\w+)\??:/gm)].map((m) => m[1] ?? '').sort());
  }
  return shapes;
}

describe('the port', () => {
  const ours = ourShapes();
  const page = ours.get('Page');

  it('knows views.go', () => {
    expect(goShapes().size).toBeGreaterThan(15);
  });

  it.each([...goShapes()])('has the fields of %s', (name, fields) => {
    const mirrored = ours.get(name) ?? page; // MembersView, SessionsView and RecordsView are pages
    expect(mirrored).toEqual(fields);
  });
});
