import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../engines/run.ts';

/** Why the file size limit of a running process cannot be set here; null = it can. */
export function whyNoPrlimit(): string | null {
  return spawnSync('prlimit', ['--pid', String(process.pid), '--fsize'], { stdio: 'ignore' }).status === 0 ? null : 'prlimit is missing';
}

/**
 * RLIMIT_FSIZE of a running process to 0: every write to every file fails with EFBIG, as on a disk that is full, until
 * it is lifted. Node and Java ignore the signal that comes with it.
 */
export async function forbidWrites(pid: number): Promise<void> {
  await run('prlimit', ['--pid', String(pid), '--fsize=0:unlimited']);
}

export async function allowWrites(pid: number): Promise<void> {
  await run('prlimit', ['--pid', String(pid), '--fsize=unlimited:unlimited']);
}

export type SmallDisk = {
  readonly path: string;
  /** Takes what is left. */
  fill(): void;
  empty(): void;
  remove(): void;
};

/** A file system in memory of its own; null = not allowed here (it takes root, and a container may forbid it). */
export function mountSmallDisk(dir: string, megabytes: number): SmallDisk | null {
  const path = join(dir, 'small-disk');
  mkdirSync(path, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'ignore' }).status !== 0) return null;
  const ballast = join(path, 'ballast');
  return {
    path,
    fill() {
      const file = openSync(ballast, 'a');
      for (const bytes of [1_048_576, 4_096, 1]) {
        const block = Buffer.alloc(bytes);
        try {
          for (;;) writeSync(file, block);
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
        }
      }
      closeSync(file);
    },
    empty() {
      rmSync(ballast, { force: true });
    },
    remove() {
      spawnSync('umount', ['--lazy', path], { stdio: 'ignore' });
    },
  };
}

/** Makes files immutable, also for those who have them open; false = not allowed here, or not on this file system. */
export function setImmutable(paths: readonly string[], isImmutable: boolean): boolean {
  const present = paths.filter((path) => existsSync(path));
  return spawnSync('chattr', [isImmutable ? '+i' : '-i', ...present], { stdio: 'ignore' }).status === 0;
}
