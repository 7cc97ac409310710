import 'vitest';

declare module 'vitest' {
  interface Matchers<R> {
    toBeDisabledInWords(words: string | RegExp): R;
  }
}
