import { describe, expect, it, vi } from 'vitest';
import { Problem, type SignInView } from './port';
import { wails } from './wails';

type Struct = Record<string, (...args: unknown[]) => Promise<unknown>>;

function bridge(app: Record<string, Struct>, runtime?: Record<string, unknown>): Parameters<typeof wails>[0] {
  return { go: { app }, runtime } as unknown as Parameters<typeof wails>[0];
}

describe('the door to Go', () => {
  it('passes arguments on in their order', async () => {
    const CheckIdentity = vi.fn().mockResolvedValue({ member: {}, notes: [] });
    await wails(bridge({ Members: { CheckIdentity } })).members.checkIdentity('m-1', true, false);
    expect(CheckIdentity).toHaveBeenCalledWith('m-1', true, false);
  });

  it('turns the null that Go writes for an empty list into a list', async () => {
    const backend = wails(
      bridge({
        Members: { Find: () => Promise.resolve({ items: null, next: '' }), Profile: () => Promise.resolve({ notes: null }) },
        Trail: { Records: () => Promise.resolve({ items: [{ facts: null }], next: '' }) },
        SignIn: { State: () => Promise.resolve({ phase: 'ready', me: { actions: null } }) },
      }),
    );
    expect((await backend.members.find('x', '')).items).toEqual([]);
    expect((await backend.members.profile('m-1')).notes).toEqual([]);
    expect((await backend.trail.records('', '')).items[0]?.facts).toEqual([]);
    expect((await backend.signIn.state()).me?.actions).toEqual([]);
  });

  it('rejects with a Problem, whatever Go or the bridge threw', async () => {
    const peer = { code: 'peer', sentence: 'No.', hint: 'Ask.' };
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the bridge rejects with plain objects
    const backend = wails(bridge({ Session: { Start: () => Promise.reject(peer) } }));
    await expect(backend.session.start({} as never)).rejects.toMatchObject({ code: 'peer', hint: 'Ask.' });
    await expect(wails(bridge({})).session.live()).rejects.toBeInstanceOf(Problem);
  });

  it('hears events until told to stop', () => {
    const off = vi.fn();
    let send: (view: unknown) => void = () => undefined;
    const EventsOn = (_: string, heard: (view: unknown) => void): (() => void) => {
      send = heard;
      return off;
    };
    const heard = vi.fn<(view: SignInView) => void>();
    const stop = wails(bridge({}, { EventsOn })).on('signin', heard);
    send({ phase: 'ready', me: { name: 'Lena', actions: null } });
    expect(heard.mock.calls[0]?.[0].me?.actions).toEqual([]);
    stop();
    expect(off).toHaveBeenCalledOnce();
  });

  it('says when the clipboard did not take the text', async () => {
    const copying = (took: boolean) => wails(bridge({}, { ClipboardSetText: () => Promise.resolve(took) })).copy('x');
    await expect(copying(true)).resolves.toBeUndefined();
    await expect(copying(false)).rejects.toBeInstanceOf(Problem);
  });
});
