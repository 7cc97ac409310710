/** What Go makes of an error: a code of the closed list in internal/stead, a sentence and a hint. */
export interface ProblemView {
  code: string;
  sentence: string;
  hint: string;
}

/** Problem is the only error that leaves the backend: something a person can read and act on. */
export class Problem extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(view: ProblemView) {
    super(view.sentence);
    this.name = 'Problem';
    this.code = view.code;
    this.hint = view.hint;
  }

  get sentence(): string {
    return this.message;
  }
}

const unknown: ProblemView = {
  code: 'internal',
  sentence: 'Something went wrong on our side.',
  hint: 'Try again; if it stays, tell IT the time and what you did.',
};

/**
 * toProblem reads whatever a call was rejected with. Go answers {code, sentence, hint}; on its way through the bridge
 * it may have become an Error or a string that carries the same thing as JSON. Anything else reads as an internal
 * error: its own text is for developers and stays off the screen.
 */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem(viewIn(thrown, 3) ?? unknown);
}

function viewIn(value: unknown, depth: number): ProblemView | undefined {
  if (depth === 0) return undefined;
  if (typeof value === 'string') return viewIn(parsed(value), depth - 1);
  if (typeof value !== 'object' || value === null) return undefined;
  if ('code' in value && typeof value.code === 'string' && 'sentence' in value && typeof value.sentence === 'string') {
    const hint = 'hint' in value && typeof value.hint === 'string' ? value.hint : '';
    return { code: value.code, sentence: value.sentence, hint };
  }
  for (const key of ['message', 'error', 'cause'] as const) {
    const found = key in value ? viewIn((value as Record<string, unknown>)[key], depth - 1) : undefined;
    if (found) return found;
  }
  return undefined;
}

function parsed(text: string): unknown {
  const start = text.indexOf('{'); // an Error's text may carry a prefix before the object
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
}
