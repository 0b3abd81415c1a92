import { decodeModel, encodeModel } from '../forecast/model.ts';
import { decodeOriginGate, encodeOriginGate } from '../forecast/origin-gate.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, NewRecord, RecordLog } from '../ports/record-log.ts';
import { positionKey } from '../race/position-key.ts';
import { appendInChunks } from './append-in-chunks.ts';
import { createLearnedPartition, type LearnedPartition } from './learned-partition.ts';

// A source's model goes in chunks into one of two slots, the other one staying whole meanwhile. A manifest per
// partition of race-history, written last and itself in two slots, names the slot and offset of every source, and the
// origins seen: a restore is all of one manifest, or nothing.

const CHUNK_BYTES = 500_000;

/** A row of model-snapshots (schemas/avro/model-snapshot.avsc). */
type ModelSnapshot = {
  source: string; slot: number; chunk: number; chunks: number;
  partition: number;
  /** The next offset of race-history that is not folded in. */
  offset: number;
  model_version: string; at: number; format: string; bytes: Buffer;
};

type Placed = { readonly slot: number; readonly offset: number };
type Manifest = { readonly offset: number; readonly gate: string; readonly sources: Record<string, Placed> };

/** What was restored of a partition, and where it lies whole: the next write of a source takes its other slot. */
export type RestoredPartition = {
  readonly learned: LearnedPartition;
  readonly placed: ReadonlyMap<string, Placed>;
  /** null = nothing was restored. */
  readonly manifestSlot: number | null;
};

export type SnapshotWriterOptions = {
  readonly log: RecordLog; readonly codec: Codec; readonly clock: Clock; readonly partition: number; readonly restored: RestoredPartition;
};

/** Writes the changed models of one partition of race-history. */
export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions;
  #placed: ReadonlyMap<string, Placed>;
  #manifestSlot: number;
  #writtenOffset: number;

  constructor(options: SnapshotWriterOptions) {
    const { learned, placed, manifestSlot } = options.restored;
    this.#options = options;
    this.#placed = placed;
    this.#manifestSlot = manifestSlot ?? 1;
    this.#writtenOffset = manifestSlot === null ? 0 : learned.offset;
  }

  /** Does nothing when no record was folded since. Models are encoded at once, as of one offset; then sent. */
  async write(): Promise<void> {
    const { log, partition, restored: { learned } } = this.#options;
    const { offset } = learned;
    if (offset === this.#writtenOffset) return;
    const changed = [...learned.changed];
    learned.changed.clear();
    const records: NewRecord[] = [];
    const placed = new Map(this.#placed);
    for (const source of changed) {
      const model = learned.models.get(source);
      if (model === undefined) continue;
      const slot = 1 - (this.#placed.get(source)?.slot ?? 1);
      placed.set(source, { slot, offset });
      records.push(...this.#chunks(source, slot, offset, encodeModel(model)));
    }
    const manifest: Manifest = { offset, gate: Buffer.from(encodeOriginGate(learned.gate)).toString('utf8'), sources: Object.fromEntries(placed) };
    const manifestSlot = 1 - this.#manifestSlot;
    records.push(...this.#chunks(positionKey(partition), manifestSlot, offset, Buffer.from(JSON.stringify(manifest))));
    try {
      await appendInChunks(log, 'model-snapshots', partition, records);
    } catch (error) {
      for (const source of changed) learned.changed.add(source);
      throw error;
    }
    this.#placed = placed;
    this.#manifestSlot = manifestSlot;
    this.#writtenOffset = offset;
  }

  #chunks(source: string, slot: number, offset: number, bytes: Uint8Array): NewRecord[] {
    const { codec, clock, partition } = this.#options;
    const chunks = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
    return Array.from({ length: chunks }, (_, chunk) => {
      const row: ModelSnapshot = {
        source, slot, chunk, chunks, partition, offset, model_version: `${partition}@${offset}`, at: clock.nowMs(), format: 'json',
        bytes: Buffer.from(bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES)),
      };
      return { key: Buffer.from(`${source}/${slot}/${chunk}`), value: codec.encode('model-snapshots', row) };
    });
  }
}

export type ReadSnapshotsOptions = { readonly log: RecordLog; readonly codec: Codec; readonly logger: Logger; readonly count: number };

/** The newest whole snapshot of every partition of race-history; an empty one where there is none. */
export async function readSnapshots({ log, codec, logger, count }: ReadSnapshotsOptions): Promise<RestoredPartition[]> {
  const rows = Array.from({ length: count }, () => new Map<string, ModelSnapshot>());
  const take = (record: LogRecord): void => {
    if (record.value === null || record.key === null) return;
    const result = codec.decode('model-snapshots', record.value);
    if ('decoded' in result) rows[record.partition]?.set(record.key.toString('utf8'), result.decoded.value as ModelSnapshot);
  };
  const reader = log.readPartitions({
    topic: 'model-snapshots',
    partitions: rows.map((_, partition) => partition),
    from: () => 'earliest',
    async onRecords(records) {
      await codec.prepare('model-snapshots', records.map((record) => record.value));
      for (const record of records) take(record);
    },
  });
  try {
    await reader.caughtUp;
  } finally {
    await reader.close();
  }
  return rows.map((found, partition) => {
    const manifests = [0, 1].flatMap((slot) => {
      const bytes = joinChunks(found, positionKey(partition), slot, null);
      return bytes === null ? [] : [{ slot, manifest: JSON.parse(bytes.toString('utf8')) as Manifest }];
    });
    manifests.sort((a, b) => b.manifest.offset - a.manifest.offset);
    for (const { slot, manifest } of manifests) {
      const learned = restore(found, manifest);
      if (learned !== null) return { learned, placed: new Map(Object.entries(manifest.sources)), manifestSlot: slot };
      logger.warn({ partition, offset: manifest.offset }, 'A model snapshot is not whole; trying the one before');
    }
    return { learned: createLearnedPartition(), placed: new Map(), manifestSlot: null };
  });
}

function restore(rows: Map<string, ModelSnapshot>, manifest: Manifest): LearnedPartition | null {
  const learned: LearnedPartition = { ...createLearnedPartition(), offset: manifest.offset, gate: decodeOriginGate(Buffer.from(manifest.gate)) };
  for (const [source, { slot, offset }] of Object.entries(manifest.sources)) {
    const bytes = joinChunks(rows, source, slot, offset);
    if (bytes === null) return null;
    try {
      learned.models.set(source, decodeModel(bytes));
    } catch {
      // Of an older format: what it held is folded anew.
      return null;
    }
  }
  return learned;
}

/** The bytes of a slot, or null when a chunk is missing or of another offset than the first (or than asked for). */
function joinChunks(rows: Map<string, ModelSnapshot>, source: string, slot: number, offset: number | null): Buffer | null {
  const first = rows.get(`${source}/${slot}/0`);
  if (first === undefined || (offset !== null && first.offset !== offset)) return null;
  const parts: Buffer[] = [];
  for (let chunk = 0; chunk < first.chunks; chunk++) {
    const row = rows.get(`${source}/${slot}/${chunk}`);
    if (row === undefined || row.offset !== first.offset || row.chunks !== first.chunks) return null;
    parts.push(row.bytes);
  }
  return Buffer.concat(parts);
}

