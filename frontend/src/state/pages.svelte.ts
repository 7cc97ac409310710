import { toProblem, type Page, type Problem } from '../backend/port';

/**
 * Pages is a list that arrives in parts. run starts again from the top and keeps as many parts as were shown; more
 * adds one. Of several runs only the newest one's answer counts.
 */
export class Pages<T> {
  #items = $state.raw<T[]>();
  #next = $state('');
  #problem = $state.raw<Problem>();
  #busy = $state(false);
  #at = $state(0);
  #parts = 1;
  #turn = 0;
  readonly #ask: (cursor: string) => Promise<Page<T>>;

  constructor(ask: (cursor: string) => Promise<Page<T>>) {
    this.#ask = ask;
  }

  /** What has arrived; undefined until the first part has. */
  get items(): T[] | undefined {
    return this.#items;
  }
  get hasMore(): boolean {
    return this.#next !== '';
  }
  get problem(): Problem | undefined {
    return this.#problem;
  }
  get busy(): boolean {
    return this.#busy;
  }
  /** When the list was last complete and up to date, 0 before. */
  get at(): number {
    return this.#at;
  }

  async run(): Promise<void> {
    await this.#try(async (current) => {
      let page = await this.#ask('');
      const items = [...page.items];
      for (let part = 1; part < this.#parts && page.next && current(); part++) {
        page = await this.#ask(page.next);
        items.push(...page.items);
      }
      return { items, next: page.next };
    });
  }

  async more(): Promise<void> {
    if (!this.#next || this.#busy) return;
    const cursor = this.#next;
    await this.#try(async () => {
      const page = await this.#ask(cursor);
      this.#parts++;
      return { items: [...(this.#items ?? []), ...page.items], next: page.next };
    });
  }

  /** Changes one item in place, e.g. to what a call answered. */
  replace(is: (item: T) => boolean, by: T): void {
    this.#items = this.#items?.map((item) => (is(item) ? by : item));
  }

  /** Makes the next run start with one part again; what is shown stays until then. */
  restart(): void {
    this.#parts = 1;
  }

  /** Forgets everything; an answer still under way is dropped. */
  clear(): void {
    this.#turn++;
    this.#parts = 1;
    this.#items = undefined;
    this.#next = '';
    this.#problem = undefined;
    this.#busy = false;
    this.#at = 0;
  }

  async #try(ask: (current: () => boolean) => Promise<Page<T>>): Promise<void> {
    const turn = ++this.#turn;
    const current = (): boolean => turn === this.#turn;
    this.#busy = true;
    try {
      const { items, next } = await ask(current);
      if (!current()) return;
      this.#items = items;
      this.#next = next;
      this.#problem = undefined;
      this.#at = Date.now();
      this.#busy = false;
    } catch (thrown) {
      if (!current()) return;
      this.#problem = toProblem(thrown);
      this.#busy = false;
    }
  }
}
