import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const launcher = fileURLToPath(new URL('../../../src/cli/raceline.mjs', import.meta.url));

export type Started = {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  /** How it ended: the exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
};

export type StartOptions = { readonly node?: string; readonly env?: Record<string, string>; readonly script?: string };

/** Starts `raceline` as a process of its own, in the pipes of this one. */
export function start(args: readonly string[], options: StartOptions = {}): Started {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !['VITEST', 'NODE_OPTIONS', 'UV_THREADPOOL_SIZE'].includes(name)));
  const child = spawn(options.node ?? process.execPath, [options.script ?? launcher, ...args], { stdio: 'pipe', env: { ...inherited, ...options.env } });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output.stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output.stderr += text; });
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code ?? -1));
  });
  return { child, output, ended };
}

/** Polls until the condition holds; throws with what was seen when it does not within 30 s. */
export async function until(condition: () => boolean, seen: () => unknown): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`It did not happen within 30 s: ${JSON.stringify(seen())}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}
