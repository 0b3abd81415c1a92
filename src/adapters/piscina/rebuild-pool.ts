import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { buffersOf } from '../../cluster/packed-races.ts';
import type { RebuildInput, RebuildOutcome } from '../../cluster/rebuild.ts';
import { messageOf } from '../../errors.ts';
import type { PoolOutcome, RebuildPool } from '../../ports/rebuild-pool.ts';
import type { CancelMessage, ProgressMessage, RebuildTask } from '../../../workers/messages.ts';

export type RebuildPoolOptions = {
  /** Rebuilds at the same time. One is right for two cores: the service needs the other. */
  readonly threads: number;
  /** Rebuilds that may wait for a thread. */
  readonly maxWaiting: number;
  /** JavaScript heap of a thread, MB. A rebuild of 100,000 distinct races takes some 200. */
  readonly maxHeapMb: number;
};

/**
 * Rebuilds in Piscina's threads.
 *
 * What of Piscina matters here: `atomics` is off, for the default puts an idle thread to sleep on a lock, deaf to messages;
 * an abort signal of its own would terminate the thread, which must not happen while it fills an HNSW index, so cancelling
 * is a message and close() waits; threads start with the first rebuild, a service without rebuilds has none; a thread that
 * dies idle is an `error` event, which would end the process if nobody listened.
 */
export function openRebuildPool({ threads, maxWaiting, maxHeapMb }: RebuildPoolOptions): RebuildPool {
  const running = new Map<string, { readonly cancel: () => void; readonly done: Promise<unknown> }>();
  let piscina: Piscina<RebuildTask, RebuildOutcome> | null = null;
  let closing: Promise<void> | null = null;
  const threadsOf = (): Piscina<RebuildTask, RebuildOutcome> => piscina ??= openThreads();
  const openThreads = (): Piscina<RebuildTask, RebuildOutcome> => {
    const opened = new Piscina<RebuildTask, RebuildOutcome>({
      filename: new URL('../../../workers/rebuild.ts', import.meta.url).href,
      name: 'rebuild',
      minThreads: threads,
      maxThreads: threads,
      atomics: 'disabled',
      // How many wait is counted below, where a refusal is an outcome.
      maxQueue: maxWaiting + threads,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    opened.on('error', () => {
      // A thread died without a task. Piscina starts no other where that was at its start: what waits would wait for ever.
      if (opened.threads.length > 0) return;
      if (piscina === opened) piscina = null;
      void opened.destroy();
    });
    return opened;
  };

  const execute = async (input: RebuildInput, port: MessagePort, remote: MessagePort): Promise<PoolOutcome> => {
    try {
      const transferList = [...buffersOf(input.races), ...(input.unseen === null ? [] : buffersOf(input.unseen)), remote];
      return await threadsOf().run({ input, port: remote }, { transferList });
    } catch (error) {
      const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      return { kind: 'failed', because: isMemory ? 'out_of_memory' : 'crashed', message: messageOf(error) };
    } finally {
      port.close();
    }
  };

  return {
    get pending() {
      return running.size;
    },
    async rebuild(source, input, run = {}) {
      if (closing !== null) return { kind: 'busy', because: 'closing' };
      if (running.has(source)) return { kind: 'busy', because: 'source' };
      if (running.size >= threads + maxWaiting) return { kind: 'busy', because: 'queue' };
      if (run.signal?.aborted) return { kind: 'cancelled' };
      const { port1, port2 } = new MessageChannel();
      port1.on('message', (message: ProgressMessage) => run.onProgress?.(message.stage, message.ratio));
      port1.unref();
      const cancel = (): void => port1.postMessage({ kind: 'cancel' } satisfies CancelMessage);
      run.signal?.addEventListener('abort', cancel, { once: true });
      const done = execute(input, port1, port2);
      running.set(source, { cancel, done });
      try {
        return await done;
      } finally {
        running.delete(source);
        run.signal?.removeEventListener('abort', cancel);
      }
    },
    close() {
      closing ??= (async () => {
        for (const { cancel } of running.values()) cancel();
        await Promise.all(Array.from(running.values(), ({ done }) => done));
        await piscina?.destroy();
      })();
      return closing;
    },
  };
}
