import { toProblem, type Backend, type Problem, type SignInView } from '../backend/port';

/** SignInState is whether and as whom work can begin. */
export class SignInState {
  #view = $state.raw<SignInView>({ phase: 'starting', platform: '', version: '' });
  #problem = $state.raw<Problem>();
  #busy = $state(false);
  readonly #backend: Pick<Backend, 'signIn' | 'on'>;

  constructor(backend: Pick<Backend, 'signIn' | 'on'>) {
    this.#backend = backend;
  }

  get view(): SignInView {
    return this.#view;
  }
  /** Why the last thing asked for did not happen. */
  get problem(): Problem | undefined {
    return this.#problem;
  }
  get busy(): boolean {
    return this.#busy;
  }

  /** Listens and asks for the first state; the returned function stops listening. */
  open(): () => void {
    const off = this.#backend.on('signin', (view) => {
      this.#view = view;
    });
    void this.#ask(() => this.#backend.signIn.state());
    return off;
  }

  begin = (): Promise<void> => this.#ask(() => this.#backend.signIn.begin());
  retry = (): Promise<void> => this.#ask(() => this.#backend.signIn.retry());
  signOut = (): Promise<void> => this.#ask(() => this.#backend.signIn.signOut());
  claim = (code: string): Promise<void> => this.#ask(() => this.#backend.signIn.claim(code));
  enrol = (code: string): Promise<void> => this.#ask(() => this.#backend.signIn.enrol(code));

  /** Gives up waiting for the browser; begin then resolves or rejects by itself. */
  cancel = async (): Promise<void> => {
    try {
      await this.#backend.signIn.cancel();
    } catch (thrown) {
      this.#problem = toProblem(thrown);
    }
  };

  async #ask(call: () => Promise<SignInView>): Promise<void> {
    this.#busy = true;
    this.#problem = undefined;
    try {
      this.#view = await call();
    } catch (thrown) {
      this.#problem = toProblem(thrown);
      await this.#settle();
    } finally {
      this.#busy = false;
    }
  }

  // After a refusal the state is what Go says it is; not even that known, the last one stays on the screen.
  async #settle(): Promise<void> {
    try {
      this.#view = await this.#backend.signIn.state();
    } catch (thrown) {
      this.#problem ??= toProblem(thrown);
      if (this.#view.phase === 'starting') this.#view = { ...this.#view, phase: 'unreachable' };
    }
  }
}
