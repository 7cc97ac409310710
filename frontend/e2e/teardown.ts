import { rmSync } from 'node:fs';
import { place } from './place';

export default async function teardown(): Promise<void> {
  rmSync((await place()).folder, { recursive: true, force: true });
}
