import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the program under test lives during one run. The runner chooses it; its workers inherit it. */
export interface Place {
  folder: string;
  /** The address of the window's pages. */
  url: string;
  /** The first of the demo's three ports. */
  port: number;
  /** The file in which the stand-in for the agent's own browser leaves the address it was given. */
  opened: string;
}

export async function place(): Promise<Place> {
  const folder = (process.env.STEAD_E2E_FOLDER ??= newFolder());
  const first = Number((process.env.STEAD_E2E_PORT ??= String(await freePorts(4))));
  return { folder, port: first + 1, url: `http://127.0.0.1:${String(first)}`, opened: join(folder, 'opened') };
}

// The sign-in opens xdg-open; ours writes the address down, and the test is the agent's browser.
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stead-e2e-'));
  mkdirSync(join(folder, 'bin'));
  const opened = join(folder, 'opened');
  const script = `#!/bin/sh\nprintf '%s' "$1" >'${opened}.part' && mv '${opened}.part' '${opened}'\n`;
  writeFileSync(join(folder, 'bin', 'xdg-open'), script, { mode: 0o700 });
  return folder;
}

async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const first = 20_000 + Math.floor(Math.random() * 30_000);
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`no ${String(count)} free ports in a row`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => {
      answer(false);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => {
      answer(true);
    }));
  });
}
