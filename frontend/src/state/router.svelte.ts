export type Route =
  | { name: 'members' }
  | { name: 'profile'; id: string; start?: boolean }
  | { name: 'session' }
  | { name: 'notes'; sessionId?: string }
  | { name: 'overview' }
  | { name: 'trail'; sessionId?: string };

export type Place = Route['name'];

/** Router says which screen is shown. It lives in memory: the window has no address bar. */
export class Router {
  #now = $state.raw<Route>({ name: 'members' });
  #past: Route[] = [];

  get now(): Route {
    return this.#now;
  }

  go(to: Route): void {
    this.#past = [...this.#past.slice(-49), this.#now];
    this.#now = to;
  }

  /** Shows another screen without a way back to this one. */
  replace(to: Route): void {
    this.#now = to;
  }

  /** Goes where one came from, or to the given screen when that is unknown. */
  back(otherwise: Route): void {
    this.#now = this.#past.pop() ?? otherwise;
  }

  reset(to: Route): void {
    this.#past = [];
    this.#now = to;
  }
}
