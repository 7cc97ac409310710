import { toProblem, type Problem } from '../backend/port';

/**
 * Load asks for one value and keeps what is known of it: the last value that arrived, the problem of the last try,
 * whether a try is under way. Of several tries only the newest one's answer counts. A value stays when a later try
 * fails, so that a screen can go on showing it and say that it is old.
 */
export class Load<T> {
  #value = $state.raw<T>();
  #problem = $state.raw<Problem>();
  #busy = $state(false);
  #at = $state(0);
  #turn = 0;
  readonly #ask: () => Promise<T>;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  get value(): T | undefined {
    return this.#value;
  }
  get problem(): Problem | undefined {
    return this.#problem;
  }
  get busy(): boolean {
    return this.#busy;
  }
  /** When the value arrived, 0 before. */
  get at(): number {
    return this.#at;
  }

  async run(): Promise<void> {
    const turn = ++this.#turn;
    this.#busy = true;
    try {
      const value = await this.#ask();
      if (turn === this.#turn) this.set(value);
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.#problem = toProblem(thrown);
      this.#busy = false;
    }
  }

  /** Takes a value that came another way; answers still under way are dropped. */
  set(value: T): void {
    this.#turn++;
    this.#value = value;
    this.#problem = undefined;
    this.#busy = false;
    this.#at = Date.now();
  }

  clear(): void {
    this.#turn++;
    this.#value = undefined;
    this.#problem = undefined;
    this.#busy = false;
    this.#at = 0;
  }
}
