import type { Codec } from '../../../src/ports/codec.ts';
import type { Logger } from '../../../src/ports/logger.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { runHistorian, type Historian } from '../../../src/runtime/historian.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runJourneys, type Journeys } from '../../../src/runtime/journeys.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { readRoutes } from '../../../src/runtime/route-store.ts';
import type { Timers } from '../../../src/runtime/timers.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import type { Process, World } from './world.ts';

export type InstanceOptions = {
  readonly world: World;
  readonly process: Process;
  readonly log: RecordLog;
  readonly store: HistoryStore;
  readonly codec: Codec;
  readonly historyCodec: Codec;
  readonly logger: Logger;
  readonly finishedTtlMs: number;
  /** Rows in one batch of the historian. */
  readonly historianRows: number;
  readonly hasJourneys: boolean;
};

/** One process with the roles pipeline and historian, and perhaps journeys, as main.ts starts them. */
export type Instance = {
  readonly process: Process;
  learner: Learner | null;
  pipeline: Pipeline | null;
  historian: Historian | null;
  journeys: Journeys | null;
  /** As SIGTERM does. */
  stop(): Promise<void>;
};

export function startInstance({ world, process, log, store, codec, historyCodec, logger, finishedTtlMs, historianRows, hasJourneys }: InstanceOptions): Instance {
  const clock = { nowMs: () => world.wallMs() + process.skewMs };
  const timers: Timers = {
    // Late as timers are on a busy machine; that late, so that a seed does not consist of wake-ups that find nothing.
    after: (delayMs, call) => world.after(delayMs + world.between(0, 1_500), call, process),
    monotonicMs: () => world.elapsedMs,
  };
  const instance: Instance = {
    process, learner: null, pipeline: null, historian: null, journeys: null,
    async stop() {
      await instance.journeys?.close();
      await instance.historian?.close();
      await instance.pipeline?.close();
      await instance.learner?.close();
      process.isAlive = false;
    },
  };
  async function start(): Promise<void> {
    instance.learner = await runLearner({ log, codec: historyCodec, clock, logger, timers });
    const routes = hasJourneys ? readRoutes({ log, codec, logger, timers }) : null;
    instance.pipeline = await runPipeline({
      log, codec, learner: instance.learner, ...(routes === null ? {} : { routes }), clock, logger, timers, hooks: noHooks, finishedTtlMs, writerId: process.name,
    });
    if (routes !== null) instance.journeys = await runJourneys({ log, codec, routes, clock, logger, timers, writerId: process.name });
    instance.historian = await runHistorian({ log, codec: historyCodec, store, clock, logger, timers, limits: { maxRows: historianRows } });
  }
  // A service that cannot start ends, and is started again.
  start().catch(() => { process.isAlive = false; });
  return instance;
}
