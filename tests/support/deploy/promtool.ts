import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cacheDir } from '../engines/cache.ts';
import { skipped } from '../engines/engines.ts';

/** The path of promtool: on PATH, or where .ci/run unpacks it. null = none: prints the reason, or throws where a skip is a failure. */
export function findPromtool(): string | null {
  for (const program of ['promtool', join(cacheDir(), 'prometheus/usr/bin/promtool')]) {
    if (spawnSync(program, ['--version']).status === 0) return program;
  }
  skipped('rules are not tested without promtool (Debian: in the package prometheus)');
  return null;
}
