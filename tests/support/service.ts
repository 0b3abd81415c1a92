import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from './wait-until.ts';

const root = new URL('../..', import.meta.url).pathname;

export type RunningService = {
  /** Of the gateway; without one, of the probes. */
  readonly url: string;
  readonly pid: number;
  /** What it has written to stderr so far. */
  logs(): string;
  /** kill -9, and waits until the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
};

export type StartServiceOptions = {
  /** Default: any free one. */
  readonly port?: number;
  /** At most that long, ms; default 60 s. */
  readonly deadlineMs?: number;
  /** Resolve when /healthz answers, which may be before everything runs; needs `port`. */
  readonly alive?: true;
  /** Told the pid at once, for whoever wants to kill it before it is ready. */
  readonly onSpawned?: (pid: number) => void;
};

/** The whole service in a process of its own, as a user starts it; resolves when /readyz answers 200. */
export async function startService(env: Readonly<Record<string, string>>, options: StartServiceOptions = {}): Promise<RunningService> {
  const { port = 0, deadlineMs = 60_000, alive = false, onSpawned } = options;
  const child = spawn(process.execPath, [join(root, 'src/cli/raceline.mjs'), 'up'], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', RACELINE_PORT: String(port), RACELINE_GRPC_PORT: '0', RACELINE_LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (child.pid !== undefined) onSpawned?.(child.pid);
  let logs = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logs = (logs + text).slice(-200_000);
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  try {
    const url = alive ? `http://127.0.0.1:${port}` : await waitUntil('the service prints its address', () => {
      if (isGone()) throw new Error(`The service ended early:\n${logs}`);
      return /^Raceline\s+(http:\S+)$/m.exec(logs)?.[1] ?? null;
    }, deadlineMs);
    const path = alive ? '/healthz' : '/readyz';
    await waitUntil(`${path} answers 200`, async () => {
      if (isGone()) throw new Error(`The service ended early:\n${logs}`);
      return (await fetch(url + path)).ok;
    }, deadlineMs);
    return {
      url,
      pid: child.pid ?? 0,
      logs: () => logs,
      async kill() {
        child.kill('SIGKILL');
        await exited;
      },
      async stop() {
        child.kill('SIGTERM');
        return exited;
      },
    };
  } catch (error) {
    endNow(child);
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${logs}`, { cause: error });
  }
}

function endNow(child: ChildProcess): void {
  child.kill('SIGKILL');
}

/** A fresh directory under the system's temporary one. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'raceline-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Rows of a statement, through the gateway. */
export async function query<Row>(url: string, sql: string): Promise<Row[]> {
  const response = await fetch(`${url}/v1/sql?format=JSONEachRow`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: sql });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} for ${sql}: ${text}`);
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Row);
}
