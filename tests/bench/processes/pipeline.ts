// The role `pipeline` as main.ts composes it, measured from inside.
import { randomUUID } from 'node:crypto';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import { runLearner } from '../../../src/runtime/learner.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { childOptions, tellParent } from '../child.ts';
import { createMeter } from '../meter.ts';
import { simpleForecast } from '../simple-forecast.ts';

export type PipelineProcessOptions = {
  readonly broker: string;
  readonly prefix: string;
  /** Measured from this many records of all instances to that many. */
  readonly from: number;
  readonly to: number;
  /** The clock shows the event time of the newest update: a backlog is worked off as if it were happening. */
  readonly inEventTime: boolean;
  /** Says how far it is each time so many records are done; default never. */
  readonly reportEvery?: number;
  /** Forecasts by the title's median (default: the product's own). */
  readonly isSimple?: boolean;
};

const { broker, prefix, from, to, inEventTime, reportEvery = Infinity, isSimple = false } = childOptions<PipelineProcessOptions>();
let eventMs = 0;
const clock = inEventTime ? { nowMs: () => eventMs } : { nowMs: () => Date.now() };
const log = await openKafkaLog({ config: kafkaConfig([broker]), topicPrefix: prefix, clientId: 'raceline', logger: quietLogger });
const plain = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro', topicPrefix: prefix });
const codec: Codec = !inEventTime ? plain : {
  ...plain,
  decode(topic, bytes) {
    const result = plain.decode(topic, bytes);
    if (topic === 'race-updates' && 'decoded' in result) eventMs = Math.max(eventMs, (result.decoded.value as { at: number }).at);
    return result;
  },
};
await codec.register();
const metrics = createMetrics(50);
const count = createMeter(from, to, (stretch) => tellParent({ ...stretch, revisions }));
let revisions = 0;
let done = 0;
let reported = 0;
const learner = await runLearner({ log, codec, clock, logger: quietLogger });
const readSoFar = new Map<number, number>();
let pipeline: Pipeline | null = null;
pipeline = await runPipeline({
  log, codec, learner, clock, logger: quietLogger, finishedTtlMs: 24 * 3_600_000, writerId: randomUUID(), forecast: isSimple ? simpleForecast : undefined,
  hooks: {
    ...metrics.pipelineHooks,
    onSlice(outputs, position) {
      metrics.pipelineHooks.onSlice(outputs, position);
      revisions += outputs.etas.length;
      done += position.read - (readSoFar.get(position.partition) ?? 0);
      readSoFar.set(position.partition, position.read);
      count(done);
      if (done - reported >= reportEvery || (reportEvery < Infinity && pipeline?.tasks.values().every(({ lag }) => lag === 0))) tellParent({ done: (reported = done) });
    },
    onRestored(position, races, elapsedMs) {
      metrics.pipelineHooks.onRestored(position, races, elapsedMs);
      readSoFar.set(position.partition, position.read);
    },
  },
});
metrics.observe({ pipeline });
process.once('disconnect', () => process.exit(0));
tellParent({ ready: true });
