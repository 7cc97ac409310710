import '@testing-library/jest-dom/vitest';
import { configure } from '@testing-library/svelte';
import { expect } from 'vitest';

// The sentence is enough; the whole page behind it hides it.
configure({ asyncUtilTimeout: 5000, getElementError: (message) => new Error(message ?? 'not found') });

// What jsdom does not have and bits-ui asks for.
Element.prototype.scrollIntoView = () => undefined;
Element.prototype.hasPointerCapture = () => false;
Element.prototype.setPointerCapture = () => undefined;
Element.prototype.releasePointerCapture = () => undefined;
// Nothing is laid out here, and a menu whose trigger takes no room stays hidden.
const room = { x: 0, y: 0, top: 0, left: 0, right: 10, bottom: 10, width: 10, height: 10, toJSON: () => ({}) };
Element.prototype.getBoundingClientRect = () => room;
Element.prototype.getClientRects = () => [room] as unknown as DOMRectList;
globalThis.matchMedia = (media) => Object.assign(new EventTarget(), { matches: false, media }) as MediaQueryList;
globalThis.ResizeObserver = class {
  observe(): void {
    // nothing is ever laid out here
  }
  unobserve(): void {
    // see observe
  }
  disconnect(): void {
    // see observe
  }
};

expect.extend({
  /** The button cannot be pressed, stays reachable, and its description says why. */
  toBeDisabledInWords(button: HTMLElement, words: string | RegExp) {
    const described = (button.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' ')
      .trim();
    const pass = button.getAttribute('aria-disabled') === 'true' && (typeof words === 'string' ? described === words : words.test(described));
    return { pass, message: () => `aria-disabled is ${String(button.getAttribute('aria-disabled'))}, and it says “${described}”` };
  },
});
