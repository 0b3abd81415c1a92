import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { RecordLog } from '../ports/record-log.ts';
import { appendInChunks } from './append-in-chunks.ts';
import { deadLetterRecord } from './dead-letters.ts';
import { readRoute } from './read-route.ts';

const GROUP = 'route-checks';

/**
 * Sends records of the topic routes that hold no route to dead-letters, each with a code. The stores of every instance leave them out; this is
 * the one who says so.
 *
 * **Delivery.** At least once: a crash between letter and commit sends it again.
 */
export async function refuseRoutes({ log, codec, logger }: { readonly log: RecordLog; readonly codec: Codec; readonly logger: Logger }): Promise<{ close(): Promise<void> }> {
  const subscription = await log.subscribe({
    group: GROUP, topics: ['routes'],
    handler: {
      onAssigned: async () => undefined,
      onRevoked: async () => undefined,
      async onBatch({ topic, partition, records, signal }) {
        await codec.prepare('routes', records.map(({ value }) => value));
        const letters = records.flatMap((record) => {
          const { key, value, offset } = record;
          const read = value === null ? null : readRoute(codec, { key, value });
          if (read === null || !('code' in read)) return [];
          logger.error({ offset, ...read }, 'A record of the topic routes holds no route');
          return [deadLetterRecord(record, read)];
        });
        await appendInChunks(log, 'dead-letters', 0, letters, signal);
        await subscription.commit({ topic, partition }, records.at(-1)!.offset + 1);
      },
    },
  });
  return { close: () => subscription.close() };
}
