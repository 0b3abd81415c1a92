import type { PublishedModel } from '../cluster/published-model.ts';
import { messageOf } from '../errors.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, RecordLog } from '../ports/record-log.ts';

/** The topic cluster-models as this instance has read it (a global store). */
export type ClusterModels = {
  /** Resolves when what was there at the start is known; rejects when the log broke before. */
  readonly caughtUp: Promise<void>;
  /** undefined = it was never published, or was taken back. Decoded anew at each call: some milliseconds. */
  find(source: string, version: string): PublishedModel | undefined;
  has(source: string, version: string): boolean;
  /** Of a source, the oldest first. */
  versionsOf(source: string): string[];
  sources(): string[];
  /** Resolves when all that is in the topic at the call is known. */
  refresh(): Promise<void>;
  close(): Promise<void>;
};

/** Bytes stay as they came until somebody asks: a model is up to 900 KB. */
type Stored = { readonly source: string; readonly version: string; readonly bytes: Buffer };

export function readClusterModels({ log, codec, logger }: { readonly log: RecordLog; readonly codec: Codec; readonly logger: Logger }): ClusterModels {
  const stored = new Map<string, Map<string, Stored>>();
  const next: number[] = [];

  async function take(records: readonly LogRecord[]): Promise<void> {
    await codec.prepare('cluster-models', records.map(({ value }) => value));
    for (const { key, value, partition, offset } of records) {
      // Another reader may have come further: an older record must not replace a newer one.
      if (offset < (next[partition] ?? 0)) continue;
      next[partition] = offset + 1;
      const name = key?.toString('utf8') ?? '';
      const at = name.lastIndexOf('/');
      if (at <= 0) continue;
      const [source, version] = [name.slice(0, at), name.slice(at + 1)];
      const versions = stored.get(source) ?? new Map<string, Stored>();
      versions.delete(version);
      if (value !== null) versions.set(version, { source, version, bytes: value });
      stored.set(source, versions);
    }
  }
  const read = (partitions: number[]) => log.readPartitions({ topic: 'cluster-models', partitions, from: (partition) => next[partition] ?? 'earliest', onRecords: take });

  const opening = log.partitionCount('cluster-models').then((count) => {
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    const reader = read(partitions);
    reader.done.catch((error: unknown) => logger.error({ error: messageOf(error) }, 'Cluster models are no longer read'));
    return { partitions, reader };
  });
  opening.catch(() => undefined);
  const caughtUp = opening.then(({ reader }) => reader.caughtUp);
  caughtUp.catch(() => undefined);
  return {
    caughtUp,
    has: (source, version) => stored.get(source)?.has(version) === true,
    versionsOf: (source) => [...(stored.get(source)?.keys() ?? [])],
    sources: () => [...stored].filter(([, versions]) => versions.size > 0).map(([source]) => source),
    find(source, version) {
      const found = stored.get(source)?.get(version);
      if (found === undefined) return undefined;
      const result = codec.decode('cluster-models', found.bytes);
      if ('error' in result) {
        logger.error({ source, version, ...result.error }, 'Cannot read a cluster model');
        return undefined;
      }
      return result.decoded.value as PublishedModel;
    },
    async refresh() {
      const { partitions } = await opening;
      const reader = read(partitions);
      try {
        await reader.caughtUp;
      } finally {
        await reader.close();
      }
    },
    async close() {
      const opened = await opening.catch(() => null);
      await opened?.reader.close();
    },
  };
}
