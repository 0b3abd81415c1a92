import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Behaviour, FromServer, ToServer } from './protocol.ts';

export type StartClickHouseOptions = {
  /** Data directory; a server started on it again finds what was stored. */
  readonly dir: string;
  readonly password?: string;
  /** PEM file with key and certificate: the server speaks TLS. */
  readonly certificateFile?: string;
  /** 0 = any free one. */
  readonly port?: number;
};

export type ClickHouseProcess = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Tokens of the inserts that were stored, in order; '' = one without. */
  readonly inserted: readonly string[];
  behave(behaviour: Behaviour): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Asks it to end; resolves when it is gone. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when the process is gone, however. */
  readonly exited: Promise<unknown>;
};

/** A ClickHouse over HTTP on 127.0.0.1, in a child process. */
export async function startClickHouse({ dir, password = '', port = 0, certificateFile = '' }: StartClickHouseOptions): Promise<ClickHouseProcess> {
  const child = fork(new URL('./server.ts', import.meta.url), [dir, String(port), password, certificateFile], {
    execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: { ...process.env, UV_THREADPOOL_SIZE: '12' },
  });
  const exited = once(child, 'exit');
  const inserted: string[] = [];
  child.on('message', (message: FromServer) => {
    if ('inserted' in message) inserted.push(message.inserted);
  });
  const listening = await Promise.race([answer(child, 'port'), exited.then(() => null)]);
  if (listening === null || child.pid === undefined) throw new Error(`The ClickHouse process ended at its start with ${child.exitCode ?? child.signalCode}`);
  return {
    url: `${certificateFile === '' ? 'http' : 'https'}://127.0.0.1:${listening.port}`, port: listening.port, pid: child.pid, inserted, exited,
    async behave(behaviour) {
      const done = answer(child, 'done');
      child.send({ behaviour } satisfies ToServer);
      await done;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      if (child.connected) child.disconnect();
      // A query that runs on would hold up its exit.
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

function answer<K extends 'port' | 'done'>(child: ChildProcess, key: K): Promise<Extract<FromServer, Record<K, unknown>>> {
  return new Promise((resolve) => {
    const listen = (message: FromServer): void => {
      if (!(key in message)) return;
      child.off('message', listen);
      resolve(message as Extract<FromServer, Record<K, unknown>>);
    };
    child.on('message', listen);
  });
}
