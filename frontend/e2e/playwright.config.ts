import { join } from 'node:path';
import { defineConfig } from '@playwright/test';
import { place } from './place';

// journey: the dev build with the real Go side, a demo platform and real member browsers, in a desktop session of its
// own. look: every screen on the fake backend, for what only a laid-out page can show: contrast, and nothing cut off.
const root = join(import.meta.dirname, '..', '..');
const program = process.env.STEAD_E2E_PROGRAM ?? join(root, 'build', 'out', 'stead-dev');
const { folder, url, port } = await place();
const look = 'http://127.0.0.1:5198';

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  globalTeardown: './teardown.ts',
  workers: 1, // one window, one session
  forbidOnly: true,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  reporter: 'list',
  use: {
    viewport: { width: 1180, height: 800 },
    launchOptions: { executablePath: process.env.STEAD_E2E_BROWSER ?? '/usr/bin/chromium', chromiumSandbox: true },
    trace: 'off', // a trace would keep what was on the screen
  },
  projects: [
    { name: 'journey', testMatch: 'journey.spec.ts', use: { baseURL: url } },
    { name: 'look', testMatch: 'look.spec.ts', use: { baseURL: look } },
  ],
  webServer: [
    {
      command: `exec ../../build/session.sh '${program}' demo --port ${String(port)} --data '${join(folder, 'data')}'`,
      cwd: import.meta.dirname,
      env: { PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`, devserver: new URL(url).host, assetdir: join(root, 'frontend', 'dist') },
      url,
      gracefulShutdown: { signal: 'SIGTERM', timeout: 20_000 },
    },
    { command: 'exec npx vite --port 5198 --strictPort', cwd: join(import.meta.dirname, '..'), url: `${look}/e2e/preview.html`, reuseExistingServer: true },
  ],
});
