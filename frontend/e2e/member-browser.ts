import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A browser that Stead launched for a session, as the system sees it. */
export interface MemberBrowser {
  pid: number;
  args: string[];
  environment: string;
  profile: string;
}

/** The first process of each member browser below that folder. */
export function memberBrowsers(folder: string): MemberBrowser[] {
  const found: MemberBrowser[] = [];
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      // Chromium writes its arguments anew, with spaces between them.
      const args = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split(/[\0 ]+/).filter(Boolean);
      const profile = args.find((a) => a.startsWith('--user-data-dir='))?.split('=')[1] ?? '';
      if (!profile.startsWith(folder) || args.some((a) => a.startsWith('--type='))) continue;
      if (readlinkSync(`/proc/${entry}/exe`).includes('crashpad')) continue;
      found.push({ pid: Number(entry), args, environment: readFileSync(`/proc/${entry}/environ`, 'utf8'), profile });
    } catch {
      // the process has ended meanwhile
    }
  }
  return found;
}

/** Every file below the folder whose content holds one of the words. */
export function filesHolding(folder: string, words: RegExp): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, entry);
    try {
      if (statSync(path).isFile() && words.test(readFileSync(path, 'latin1'))) found.push(path);
    } catch {
      // gone meanwhile
    }
  }
  return found;
}
