import { createSubscriber } from 'svelte/reactivity';

const beat = 250; // milliseconds: a countdown is never more than a quarter of a second behind

/** Clock is the one ticking source of every countdown. It ticks only while something on the screen reads it. */
export class Clock {
  readonly #subscribe = createSubscriber((tick) => {
    const id = setInterval(tick, beat);
    return () => {
      clearInterval(id);
    };
  });

  get now(): number {
    this.#subscribe();
    return Date.now();
  }
}
