import { describe, expect, it } from 'vitest';
import { Problem, toProblem } from './problem';

const peer = { code: 'peer', sentence: 'Staff are never impersonated.', hint: 'Ask the person.' };

describe('toProblem', () => {
  it.each([
    ['the object itself', peer],
    ['an object without a hint', { code: 'peer', sentence: peer.sentence }],
    ['JSON text', JSON.stringify(peer)],
    ['an Error whose text is JSON', new Error(JSON.stringify(peer))],
    ['an Error whose text has a prefix', new Error(`call failed: ${JSON.stringify(peer)}`)],
    ['an object wrapped as message', { message: peer }],
    ['an Error with a cause', new Error('call failed', { cause: peer })],
  ])('reads %s', (_, thrown) => {
    const problem = toProblem(thrown);
    expect(problem).toBeInstanceOf(Problem);
    expect(problem.code).toBe('peer');
    expect(problem.sentence).toBe(peer.sentence);
  });

  it.each([['a plain text', 'boom'], ['a plain Error', new TypeError('x is undefined')], ['nothing', undefined], ['broken JSON', '{"code"']])(
    'makes an internal error of %s and keeps its text off the screen',
    (_, thrown) => {
      const problem = toProblem(thrown);
      expect(problem.code).toBe('internal');
      expect(problem.sentence).not.toContain('undefined');
      expect(problem.hint).not.toBe('');
    },
  );

  it('leaves a Problem as it is', () => {
    const problem = new Problem(peer);
    expect(toProblem(problem)).toBe(problem);
  });
});
