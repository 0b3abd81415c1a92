import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The java to use: of JAVA_HOME, else of the PATH. */
export function javaProgram(): string {
  const home = process.env['JAVA_HOME'];
  return home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
}

/** What `java -version` says; null where there is no Java. */
export function javaVersion(): string | null {
  const { status, stderr } = spawnSync(javaProgram(), ['-version'], { encoding: 'utf8' });
  return status === 0 ? stderr : null;
}

export function hasMaven(): boolean {
  return spawnSync('mvn', ['-version']).status === 0;
}

export type Jvm = {
  readonly pid: number;
  readonly exited: Promise<void>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
};

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts Java with its output in a file; resolves when the port answers, rejects with the output's end if it dies first. */
export async function startJvm(options: { readonly args: readonly string[]; readonly cwd?: string; readonly logFile: string; readonly port: number; readonly deadlineMs: number }): Promise<Jvm> {
  const log = openSync(options.logFile, 'a');
  const child = spawn(javaProgram(), options.args, { ...(options.cwd === undefined ? {} : { cwd: options.cwd }), stdio: ['ignore', log, log] });
  closeSync(log);
  running.add(child);
  let hasExited = false;
  const exited = new Promise<void>((resolve) => {
    const gone = (): void => {
      hasExited = true;
      running.delete(child);
      resolve();
    };
    child.once('exit', gone);
    child.once('error', gone);
  });
  const endAtMs = performance.now() + options.deadlineMs;
  while (!(await answers(options.port))) {
    if (hasExited || performance.now() > endAtMs) {
      child.kill('SIGKILL');
      throw new Error(`Java did not open port ${options.port} within ${options.deadlineMs} ms:\n${readFileSync(options.logFile, 'utf8').slice(-4_000)}`);
    }
    await sleep(50);
  }
  return {
    pid: child.pid ?? 0,
    exited,
    async kill(signal) {
      child.kill(signal);
      await exited;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
