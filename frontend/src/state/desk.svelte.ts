import { createContext } from 'svelte';
import type { Action, Backend, PersonView } from '../backend/port';
import { Clock } from './clock.svelte';
import { MemberSearch } from './members.svelte';
import { OutboxState } from './outbox.svelte';
import { Router, type Place, type Route } from './router.svelte';
import { SessionState } from './session.svelte';
import { SignInState } from './signin.svelte';

/** Desk is everything an agent has in front of them: built once from the backend, shared by all screens. */
export class Desk {
  readonly backend: Backend;
  readonly clock = new Clock();
  readonly router = new Router();
  readonly signin: SignInState;
  readonly session: SessionState;
  readonly members: MemberSearch;
  readonly outbox: OutboxState;

  constructor(backend: Backend) {
    this.backend = backend;
    this.signin = new SignInState(backend);
    this.session = new SessionState(backend, this.clock);
    this.members = new MemberSearch(backend.members);
    this.outbox = new OutboxState(backend);
  }

  get me(): PersonView | undefined {
    return this.signin.view.phase === 'ready' ? this.signin.view.me : undefined;
  }

  may(action: Action): boolean {
    return this.me?.actions.includes(action) ?? false;
  }

  /** The screens this person can use, in the order of the navigation. */
  get places(): Place[] {
    const all: [Place, boolean][] = [
      ['members', this.may('find_members')],
      ['session', this.may('impersonate')],
      ['notes', this.may('impersonate')],
      ['overview', this.may('see_sessions')],
      ['trail', true],
    ];
    return all.filter(([, allowed]) => allowed).map(([place]) => place);
  }

  get home(): Route {
    return { name: this.places.find((p) => p === 'members' || p === 'overview') ?? 'trail' };
  }

  /** Clears the desk for the person who sits down at it; nothing of the one before stays. */
  welcome(): void {
    this.members.reset();
    this.session.reset();
    this.router.reset(this.home);
    void this.session.refresh(); // before somebody is signed in, Go knows of no session
    if (this.may('impersonate')) void this.session.owed.run();
    void this.outbox.load.run();
  }

  /** Listens to Go until the returned function is called. */
  open(): () => void {
    const stops = [this.signin.open(), this.session.open(), this.outbox.open()];
    return () => {
      for (const stop of stops) stop();
    };
  }
}

export const [desk, provideDesk] = createContext<Desk>();
