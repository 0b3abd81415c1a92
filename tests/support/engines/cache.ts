import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PREPARE_DEADLINE_MS = 300_000;

/** Where downloaded engines lie: RACELINE_TEST_CACHE, or .cache in the checkout. */
export function cacheDir(): string {
  const chosen = process.env['RACELINE_TEST_CACHE'];
  return chosen === undefined || chosen === '' ? join(import.meta.dirname, '../../../.cache') : chosen;
}

/**
 * A file or directory of the cache, made by `make` where it is missing. `make` writes to the path it is given, which
 * becomes the entry when it succeeds: there are no half-made entries. Processes that want the same entry wait.
 */
export async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const entry = join(cacheDir(), name);
  if (existsSync(entry)) return entry;
  mkdirSync(dirname(entry), { recursive: true });
  const release = await lock(`${entry}.lock`);
  try {
    if (existsSync(entry)) return entry;
    const scratch = mkdtempSync(`${entry}.making-`);
    try {
      const made = join(scratch, 'made');
      await make(made);
      renameSync(made, entry);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    return entry;
  } finally {
    release();
  }
}

async function lock(path: string): Promise<() => void> {
  const endAtMs = performance.now() + PREPARE_DEADLINE_MS;
  while (!tryLock(path)) {
    if (performance.now() > endAtMs) throw new Error(`Not within ${PREPARE_DEADLINE_MS} ms: the lock ${path}`);
    await sleep(100);
  }
  return () => rmSync(path, { force: true });
}

function tryLock(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    // A lock whose owner has died is nobody's.
    if (!isAlive(ownerOf(path))) rmSync(path, { force: true });
    return false;
  }
}

function ownerOf(path: string): number {
  try {
    // Empty between its creation and its writing.
    return Number(readFileSync(path, 'utf8')) || process.pid;
  } catch {
    return process.pid;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
