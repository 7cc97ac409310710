import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { createRawSnippet } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import { expectAccessible } from '../test/axe';
import Button from './Button.svelte';
import Choice from './Choice.svelte';
import Highlight from './Highlight.svelte';
import Initials from './Initials.svelte';
import TextField from './TextField.svelte';

const words = (text: string) => createRawSnippet(() => ({ render: () => `<span>${text}</span>` }));

describe('Highlight', () => {
  it('marks what was searched for, without case, and makes no markup of what it shows', () => {
    const { container } = render(Highlight, { text: '<b>Mara</b> Kern', query: 'mara ER' });
    expect(container.textContent).toBe('<b>Mara</b> Kern');
    expect([...container.querySelectorAll('mark')].map((m) => m.textContent)).toEqual(['Mara', 'er']);
  });

  it('takes letters with and without an accent for the same, however they are written', () => {
    const { container } = render(Highlight, { text: 'Már\u0103 𝒜 Söder Ma\u0301r', query: 'mar sod' });
    expect(container.textContent).toBe('Már\u0103 𝒜 Söder Ma\u0301r');
    expect([...container.querySelectorAll('mark')].map((m) => m.textContent)).toEqual(['Már', 'Söd', 'Ma\u0301r']);
  });

  it('takes signs as they are', () => {
    const { container } = render(Highlight, { text: 'a+b (c)', query: '+ (' });
    expect([...container.querySelectorAll('mark')].map((m) => m.textContent)).toEqual(['+', '(']);
  });
});

describe('Button', () => {
  it('does nothing while it is blocked or busy, and stays reachable', async () => {
    const onclick = vi.fn();
    const { rerender } = render(Button, { blocked: true, onclick, children: words('Go') });
    const button = screen.getByRole('button', { name: 'Go' });
    await userEvent.tab();
    expect(button).toHaveFocus();
    await userEvent.keyboard('{Enter}');
    await rerender({ blocked: false, busy: true });
    await userEvent.click(button);
    expect(onclick).not.toHaveBeenCalled();
    await rerender({ busy: false });
    await userEvent.click(button);
    expect(onclick).toHaveBeenCalledOnce();
  });
});

describe('fields', () => {
  it('Choice is worked by the arrows', async () => {
    render(Choice, { legend: 'How?', value: '', options: [{ value: 'a', label: 'By phone' }, { value: 'b', label: 'In the chat' }] });
    await userEvent.click(screen.getByRole('radio', { name: 'By phone' }));
    await userEvent.keyboard('{ArrowRight}');
    expect(screen.getByRole('radio', { name: 'In the chat' })).toBeChecked();
    expect(screen.getByRole('group', { name: 'How?' })).toBeVisible();
  });

  it('TextField says its problem and its hint', async () => {
    render(TextField, { label: 'Ticket', value: 'x', hint: 'For example SUP-1.', problem: 'Not a ticket.' });
    const field = screen.getByRole('textbox', { name: 'Ticket' });
    expect(field).toHaveAccessibleDescription('Not a ticket. For example SUP-1.');
    expect(field).toBeInvalid();
    document.querySelector('.field')?.setAttribute('role', 'main');
    await expectAccessible();
  });
});

describe('Initials', () => {
  it.each([['Mara Kern', 'MK'], ['Ines de la Cruz', 'IC'], ['Prince', 'P'], ['𝒜da Lovelace', '𝒜L'], ['', '']])('of %j are %j', (name, letters) => {
    const { container } = render(Initials, { name });
    expect(container.textContent).toBe(letters);
  });
});
