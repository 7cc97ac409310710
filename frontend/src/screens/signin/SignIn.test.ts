import { screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { unreachable, type FakeBackend } from '../../backend/fake';
import type { SignInPhase } from '../../backend/port';
import { expectAccessible } from '../../test/axe';
import { open } from '../../test/window';

const at = (phase: SignInPhase) => (fake: FakeBackend) => {
  fake.phase = phase;
};

describe('signing in', () => {
  it.each([
    ['starting', 'Starting…'],
    ['signed_out', 'Sign in to begin'],
    ['waiting', 'Waiting for your browser'],
    ['unreachable', 'The platform cannot be reached'],
    ['setup', 'Claim this platform'],
    ['enrol', 'Enrol this device'],
    ['failed', 'Stead cannot work on this machine'],
  ] as const)('shows where it stands when %s', async (phase, title) => {
    open(at(phase));
    expect(await screen.findByRole('heading', { level: 1, name: title })).toBeVisible();
    await expectAccessible();
  });

  it('opens the browser, waits, and goes on by itself', async () => {
    const { fake, user } = open(at('signed_out'));
    fake.hold('signIn.begin');
    await user.click(await screen.findByRole('button', { name: 'Sign in with the browser' }));
    expect(await screen.findByText(/this window goes on by itself/)).toBeVisible();
    fake.release('signIn.begin');
    expect(await screen.findByRole('heading', { name: 'Members' })).toBeVisible();
  });

  it('gives up waiting on Cancel', async () => {
    const { fake, user } = open(at('signed_out'));
    fake.hold('signIn.begin');
    await user.click(await screen.findByRole('button', { name: 'Sign in with the browser' }));
    await user.click(await screen.findByRole('button', { name: 'Cancel' }));
    expect(await screen.findByRole('heading', { name: 'Sign in to begin' })).toBeVisible();
    expect(fake.asked('signIn.cancel')).toHaveLength(1);
  });

  it('says in one sentence and a hint why the platform cannot be reached, and tries again', async () => {
    const { fake, user } = open((f) => {
      f.phase = 'unreachable';
      f.signInProblem = unreachable;
    });
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent(unreachable.hint);
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(fake.asked('signIn.retry')).toHaveLength(1));
    expect(await screen.findByRole('heading', { name: 'Members' })).toBeVisible();
  });

  it('asks for a code before it sends one', async () => {
    const { fake, user } = open(at('enrol'));
    await user.click(await screen.findByRole('button', { name: 'Enrol device' }));
    const field = screen.getByRole('textbox', { name: 'Enrolment code' });
    expect(field).toHaveAccessibleDescription('Enter the code first.');
    await user.type(field, ' K7QF-2MZP {Enter}');
    await waitFor(() => expect(fake.asked('signIn.enrol')).toEqual([['K7QF-2MZP']]));
  });

  it('keeps the code and says what is wrong with it when it is refused', async () => {
    const { fake, user } = open(at('setup'));
    fake.fail('signIn.claim', { code: 'setup_invalid', sentence: 'The first-superadmin code is wrong or was already used.', hint: 'Look at what the platform printed at its first start.' });
    const field = await screen.findByRole('textbox', { name: 'Setup code' });
    await user.type(field, 'WRONG{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('wrong or was already used');
    expect(field).toHaveValue('WRONG');
    await expectAccessible();
  });

  it('still shows the red frame and the bar of a live session when the sign-in is gone', async () => {
    const { fake } = open(at('unreachable'));
    const { liveFor, minute } = await import('../../test/window');
    fake.show(liveFor(5 * minute));
    expect(await screen.findByRole('region', { name: 'Live session' })).toHaveTextContent('Mara Kern');
  });
});
