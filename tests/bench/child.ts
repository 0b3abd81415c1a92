import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A process of this run: answers with messages, ends when told to. */
export type Child<Message> = {
  readonly pid: number | undefined;
  /** The next message of the child; rejects when it ends before. */
  next(): Promise<Message>;
  send(message: object): void;
  /** Asks it to end and waits; SIGKILL after five seconds. */
  stop(): Promise<void>;
};

/** With which src/cli/raceline.mjs starts the service. */
export const SERVICE_FLAGS = ['--max-semi-space-size=64'];

/** Starts a file of processes/ with arguments as JSON. */
export function startChild<Message>(file: string, options: object, nodeFlags: readonly string[] = []): Child<Message> {
  const child = fork(new URL(`./processes/${file}`, import.meta.url), [JSON.stringify(options)], {
    execArgv: [...nodeFlags, ...(process.env['RACELINE_BENCH_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '')],
    stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
    env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: '1', UV_THREADPOOL_SIZE: '12' },
  });
  const exited = once(child, 'exit');
  const inbox: Message[] = [];
  const waiting: (() => void)[] = [];
  const wakeAll = (): void => {
    for (const wake of waiting.splice(0)) wake();
  };
  child.on('message', (message) => {
    inbox.push(message as Message);
    wakeAll();
  });
  let gone = false;
  void exited.then(() => {
    gone = true;
    wakeAll();
  });
  return {
    pid: child.pid,
    async next() {
      while (inbox.length === 0) {
        if (gone) throw new Error(`${file} ended with ${child.exitCode ?? child.signalCode}`);
        await new Promise<void>((resolve) => { waiting.push(resolve); });
      }
      return inbox.shift()!;
    },
    send: (message) => void child.send(message),
    async stop() {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** For the child: what it was started with. */
export function childOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

export function tellParent(message: object): void {
  process.send?.(message);
}
