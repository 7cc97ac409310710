import type { MemberView, MembersPort } from '../backend/port';
import { Pages } from './pages.svelte';

const pause = 120; // milliseconds without a keystroke before asking
const remembered = 5;

/** MemberSearch is the type-ahead: what was typed, and who was found for exactly that. */
export class MemberSearch {
  #query = $state('');
  #askedFor = $state('');
  #recent = $state.raw<MemberView[]>([]);
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly pages: Pages<MemberView>;

  constructor(members: Pick<MembersPort, 'find'>) {
    this.pages = new Pages((cursor) => members.find(this.#askedFor, cursor));
  }

  get query(): string {
    return this.#query;
  }
  /** The members whose profile was opened lately, newest first; forgotten at sign-out. */
  get recent(): MemberView[] {
    return this.#recent;
  }
  /** True from the first keystroke until the answer to the last one has arrived. */
  get waiting(): boolean {
    return this.#query.trim() !== this.#askedFor || this.pages.busy;
  }

  /** Takes what was typed and asks once the typing pauses. An emptied field empties the list at once. */
  type(query: string): void {
    this.#query = query;
    clearTimeout(this.#timer);
    if (query.trim() === '') {
      this.#askedFor = '';
      this.pages.clear();
      return;
    }
    this.#timer = setTimeout(() => void this.ask(), pause);
  }

  /** Asks now for what was typed. */
  async ask(): Promise<void> {
    clearTimeout(this.#timer);
    const query = this.#query.trim();
    if (query === '') return;
    if (query !== this.#askedFor) this.pages.restart();
    this.#askedFor = query;
    await this.pages.run();
  }

  opened(member: MemberView): void {
    this.#recent = [member, ...this.#recent.filter((m) => m.id !== member.id)].slice(0, remembered);
  }

  reset(): void {
    this.type('');
    this.#recent = [];
  }
}
