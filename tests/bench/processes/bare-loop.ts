// The peer of the pipeline: consume, parse, change, stringify, produce, commit on bare kafkajs, as fast as it goes.
import kafkajs from 'kafkajs';
import { repairRequestTimer } from '../../../src/adapters/kafka/request-timer.ts';
import { childOptions, tellParent } from '../child.ts';
import { createMeter } from '../meter.ts';

const { broker, from, to, group, output } = childOptions<BareLoopOptions>();

export type BareLoopOptions = {
  readonly broker: string;
  /** Topics by their full names. */
  readonly input: string;
  readonly output: string;
  readonly group: string;
  /** Measured from this many records to that many. */
  readonly from: number;
  readonly to: number;
};

const { input } = childOptions<BareLoopOptions>();
// As production does: otherwise a timer of kafkajs is re-armed every millisecond, and Node warns of it.
repairRequestTimer();
const kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 250, maxBytesPerPartition: 1_048_576, maxBytes: 4 * 1_048_576 });
const count = createMeter(from, to, (stretch) => tellParent(stretch));
let done = 0;

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: [input], fromBeginning: true });
process.once('disconnect', () => process.exit(0));
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 4,
  async eachBatch({ batch, resolveOffset, commitOffsetsIfNecessary }) {
    for (let start = 0; start < batch.messages.length; start += 1_000) {
      const some = batch.messages.slice(start, start + 1_000);
      const messages = some.map(({ key, value }) => {
        const update = JSON.parse(value?.toString() ?? '') as { progress: number };
        update.progress += 1;
        return { key, value: JSON.stringify(update), partition: batch.partition };
      });
      await producer.send({ topic: output, acks: -1, messages });
      const last = Number(some.at(-1)?.offset);
      resolveOffset(String(last));
      await commitOffsetsIfNecessary({ topics: [{ topic: input, partitions: [{ partition: batch.partition, offset: String(last + 1) }] }] });
      done += some.length;
      count(done);
    }
  },
});
tellParent({ ready: true });
