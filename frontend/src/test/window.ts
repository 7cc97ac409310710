import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent, { type UserEvent } from '@testing-library/user-event';
import { FakeBackend, noSession } from '../backend/fake';
import { person, session } from '../backend/fake-people';
import type { LiveView } from '../backend/port';
import App from '../screens/App.svelte';

export const minute = 60_000;

export interface Opened {
  fake: FakeBackend;
  user: UserEvent;
}

/** Opens the whole window on a fake backend that prepare has arranged. */
export function open(prepare: (fake: FakeBackend) => void = () => undefined): Opened {
  const fake = new FakeBackend();
  prepare(fake);
  const user = userEvent.setup({ document });
  render(App, { backend: fake });
  return { fake, user };
}

/** Opens the window and goes to a screen by its name in the navigation. */
export async function openAt(place: string | RegExp, prepare?: (fake: FakeBackend) => void): Promise<Opened> {
  const opened = open(prepare);
  const nav = within(await screen.findByRole('navigation', { name: 'Main' }));
  await opened.user.click(nav.getByRole('button', { name: place }));
  return opened;
}

/** Opens the window on Mara Kern's profile. */
export async function openProfile(prepare?: (fake: FakeBackend) => void): Promise<Opened> {
  const opened = open(prepare);
  await opened.user.type(await screen.findByRole('textbox', { name: 'Find a member' }), 'mara kern');
  await opened.user.click(await screen.findByRole('button', { name: 'Mara Kern' }));
  await screen.findByRole('button', { name: 'Actions' });
  return opened;
}

/** Opens the confirm dialog on Mara Kern's profile. */
export async function openConfirm(prepare?: (fake: FakeBackend) => void): Promise<Opened> {
  const opened = await openProfile(prepare);
  await opened.user.click(screen.getByRole('button', { name: 'Actions' }));
  await opened.user.click(await screen.findByRole('menuitem', { name: 'Impersonate' }));
  await screen.findByRole('dialog', { name: 'Log in as Mara Kern?' });
  return opened;
}

/** Waits until a dialog is gone and the page behind it takes the pointer again. */
export async function closed(): Promise<void> {
  await waitFor(() => {
    if (document.querySelector('[role=dialog]') || document.body.style.pointerEvents === 'none') throw new Error('still open');
  });
}

export function asLead(fake: FakeBackend): void {
  fake.me = person('lead');
}

/** A session of Mara Kern that is live and ends after so many milliseconds. */
export function liveFor(left: number, over: Partial<LiveView> = {}): LiveView {
  const { id } = session(Date.now());
  return {
    ...noSession, phase: 'live', sessionId: id, memberId: 'm-000042', memberName: 'Mara Kern',
    memberEmail: 'mara.kern@example.org', account: 'acme', scope: 'read', view: 'desktop', endsAt: Date.now() + left, ...over,
  };
}
