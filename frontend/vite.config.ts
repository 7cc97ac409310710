import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: './',
  plugins: [svelte(), svelteTesting()],
  build: {
    target: ['es2022', 'safari16'],
    assetsInlineLimit: 0, // everything is a file of its own: the page's policy allows nothing inline
    modulePreload: { polyfill: false },
  },
  server: { host: '127.0.0.1', fs: { allow: ['..'] } },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test/setup.ts'],
    css: false,
    restoreMocks: true,
    testTimeout: 30_000, // a busy machine is slow, not wrong
    env: { TZ: 'UTC' },
  },
});
