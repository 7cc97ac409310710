import { describe, expect, it } from 'vitest';
import { Router } from './router.svelte';

describe('the router', () => {
  it('goes back to where one came from, and home when it does not know', () => {
    const router = new Router();
    router.go({ name: 'overview' });
    router.go({ name: 'profile', id: 'm-1', start: true });
    router.replace({ name: 'profile', id: 'm-1' });
    router.back({ name: 'members' });
    expect(router.now).toEqual({ name: 'overview' });
    router.reset({ name: 'trail' });
    router.back({ name: 'members' });
    expect(router.now).toEqual({ name: 'members' });
  });
});
