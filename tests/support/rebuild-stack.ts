import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../src/adapters/local-log/memory-storage.ts';
import { openRebuildPool } from '../../src/adapters/piscina/rebuild-pool.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Codec } from '../../src/ports/codec.ts';
import type { HistoryStore } from '../../src/ports/history-store.ts';
import type { RecordLog } from '../../src/ports/record-log.ts';
import { readClusterModels, type ClusterModels } from '../../src/runtime/cluster-models.ts';
import { runLearner, type Learner } from '../../src/runtime/learner.ts';
import { runRebuilder, type Rebuilder } from '../../src/runtime/rebuilder.ts';
import { silentLogger } from './silent-logger.ts';
import { everyTopic } from './topics.ts';

/** Of its topics. */
export const STACK_PARTITIONS = 2;

export type RebuildStack = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly clusterModels: ClusterModels;
  readonly learner: Learner;
  openRebuilder(maxHeapMb?: number): Promise<Rebuilder>;
  /** After whatever runs on it. */
  close(): Promise<void>;
};

/** What learns and decides about versions of clusters, on a log in memory. `logClock` = what appends are stamped by; default: the wall's. */
export async function openRebuildStack({ store, clock, logClock }: { readonly store: HistoryStore; readonly clock: Clock; readonly logClock?: Clock }): Promise<RebuildStack> {
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  const log = openLocalLog({ storage: memoryStorage(), retryDelayMs: 5, ...(logClock === undefined ? {} : { clock: logClock }) });
  await log.ensureTopics(everyTopic({ races: STACK_PARTITIONS, sources: STACK_PARTITIONS, single: 1 }));
  const clusterModels = readClusterModels({ log, codec, logger: silentLogger });
  const learner = await runLearner({ log, codec, clock, logger: silentLogger });
  return {
    log,
    codec,
    clusterModels,
    learner,
    openRebuilder: (maxHeapMb = 512) => runRebuilder({
      log, codec, store, clusterModels, clock, logger: silentLogger, hooks: { onStage() {}, onRebuilt() {}, onSwap() {} }, pilot: null, pool: openRebuildPool({ threads: 1, maxWaiting: 4, maxHeapMb }),
    }),
    async close() {
      await learner.close();
      await clusterModels.close();
      await log.close();
    },
  };
}
