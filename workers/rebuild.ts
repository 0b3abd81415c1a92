import { receiveMessageOnPort } from 'node:worker_threads';
import { rebuildClusters, type RebuildOutcome } from '../src/cluster/rebuild.ts';
import type { Stage } from '../src/cluster/work.ts';
import { loadHnsw } from './hnsw.ts';
import type { CancelMessage, ProgressMessage, RebuildTask } from './messages.ts';

const BETWEEN_REPORTS_MS = 100;

/** A rebuild, from its first to its last line on this thread. Nothing of it outlives the task, an HNSW index neither. */
export function rebuild({ input, port }: RebuildTask): RebuildOutcome {
  let lastStage: Stage | null = null;
  let lastAtMs = -Infinity;
  let isWanted = true;
  const createVectors = loadHnsw();
  try {
    return rebuildClusters(input, {
      nowMs: () => performance.now(),
      ...(createVectors === null ? {} : { createVectors }),
      report(stage, ratio) {
        const atMs = performance.now();
        if (stage !== lastStage || atMs - lastAtMs >= BETWEEN_REPORTS_MS) {
          [lastStage, lastAtMs] = [stage, atMs];
          port.postMessage({ kind: 'progress', stage, ratio } satisfies ProgressMessage);
        }
        // This thread has no turn of its event loop before it is done: messages are fetched.
        const message = receiveMessageOnPort(port)?.message as CancelMessage | undefined;
        if (message?.kind === 'cancel') isWanted = false;
        return isWanted;
      },
    });
  } finally {
    port.close();
  }
}
