import { AppError } from '../errors.ts';
import { sourceOf } from '../forecast/history-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, NewRecord, RecordBatch, RecordLog } from '../ports/record-log.ts';
import { partitionOfKey } from '../race/partition.ts';
import { isPositionKey, positionKey } from '../race/position-key.ts';
import type { PartitionState } from '../race/state.ts';
import { approximateStateBytes } from '../race/state-size.ts';
import { appendInChunks } from './append-in-chunks.ts';
import { changelogHeaders } from './changelog-headers.ts';
import { deadLetterRecord } from './dead-letters.ts';
import { giveUpRecord } from './give-up-record.ts';
import type { PipelineHooks } from './hooks.ts';
import { beginEpochIfRecreated } from './input-position.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { PartitionGraph, type GraphOptions, type GraphOutputs } from './partition-graph.ts';
import type { PartitionStore } from './race-store.ts';
import { pause, type Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

/**
 * Inputs in one slice at most: bounds what a crash repeats. A race that changes several times within a slice is logged
 * once: of a backlog in slices of 2,000 two thirds as many states were sent as in slices of 1,000.
 */
export const SLICE_RECORDS = 2_000;
/** How soon it is asked again whether the partition is ours. */
const LOOK_AGAIN_MS = 50;
/** Of a turn of the event loop. */
const RECORDS_A_LOOK = 8;
/** Wake-ups in one slice at most. */
const SLICE_WAKE_UPS = 250;
/** Leaves room for the totals and framing in one send, so that a slice's changelog is all there or not at all. */
const SLICE_STATE_BYTES = 600_000;

export type TaskOptions = GraphOptions & {
  readonly partition: number;
  readonly historyPartitions: number;
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers: Timers;
  readonly hooks: PipelineHooks;
  readonly store: PartitionStore;
  /** Names this task in the changelog. */
  readonly writerId: string;
  /** The offset that race-updates' next record had when the partition was restored. */
  readonly endOffset: number;
  readonly commit: (nextOffset: number) => Promise<void>;
  /** Whether the partition is surely ours; default: it is until `stop`. */
  readonly isHeld?: () => boolean;
};

/** Encoded only when it is sent: what cannot be encoded is kept like what cannot be sent. */
type Slice = {
  readonly outputs: GraphOutputs;
  readonly changes: ReturnType<PartitionStore['takeChanges']>;
  readonly position: PartitionState;
  outputsSent: boolean;
};

/**
 * One partition in service: slices of inputs through the graph, then outputs, then changelog, then commit.
 *
 * **Delivery.** A slice that could not be sent is kept and sent again before anything else, so the state in memory
 * never runs ahead of what is logged by more than that one slice. After `stop` nothing more is sent.
 */
export class PartitionTask {
  readonly #options: TaskOptions;
  readonly #graph: PartitionGraph;
  #unsent: Slice | null = null;
  #endOffset: number;
  #lastCommit: Promise<void> = Promise.resolve();
  readonly #exclusively = oneAtATime();
  readonly #lost = new AbortController();

  constructor(options: TaskOptions) {
    this.#options = options;
    this.#graph = new PartitionGraph(options);
    this.#endOffset = options.endOffset;
    this.#noticeEnd(options.endOffset);
  }

  get store(): PartitionStore {
    return this.#options.store;
  }

  /** Everything appended so far is applied: only then may the wall clock speak. */
  get isCaughtUp(): boolean {
    return this.store.position.applied_offset + 1 >= this.#endOffset;
  }

  get lag(): number {
    return Math.max(0, this.#endOffset - this.store.position.applied_offset - 1);
  }

  process(batch: RecordBatch): Promise<void> {
    return this.#exclusively(async () => {
      const { codec, hooks } = this.#options;
      this.#endOffset = Math.max(this.#endOffset, batch.endOffset);
      await this.#sendUnsent();
      this.#noticeEnd(batch.endOffset);
      const { records, signal } = batch;
      await codec.prepare('race-updates', records.map((record) => record.value));
      let stateBytes = 0;
      let sliceStart = 0;
      const startedAt = performance.now();
      const turn = beginTurn(this.#options.timers, { recordsALook: RECORDS_A_LOOK });
      for (let next = 0; next < records.length;) {
        if (this.#lost.signal.aborted || signal.aborted) return;
        stateBytes += this.#accept(records[next++]!);
        if (next - sliceStart >= SLICE_RECORDS || stateBytes >= SLICE_STATE_BYTES) {
          await this.#flush();
          stateBytes = 0;
          sliceStart = next;
        } else if (turn.isOver()) {
          await turn.next();
        }
      }
      await this.#flush();
      hooks.onBatch(this.#options.partition, records.length, performance.now() - startedAt);
    });
  }

  /** Runs what is due; does nothing while the partition lags. */
  runWakeUps(): Promise<void> {
    return this.#exclusively(async () => {
      await this.#sendUnsent();
      while (!this.#lost.signal.aborted && this.isCaughtUp) {
        const count = this.#graph.wake(this.#options.clock.nowMs(), SLICE_WAKE_UPS);
        if (count === 0) return;
        await this.#flush();
      }
    });
  }

  /** Or a slice that could not be sent: nothing else may come along to send it again. */
  get hasDueWakeUps(): boolean {
    if (this.#unsent !== null) return true;
    if (!this.isCaughtUp) return false;
    const dueMs = this.store.nextDueMs();
    return dueMs !== null && dueMs <= this.#options.clock.nowMs();
  }

  /** Writes the given keys and the totals to the changelog again, as they stand here: the answer to a foreign writer. */
  assertOwnership(keys: Iterable<string>): Promise<void> {
    return this.#exclusively(async () => {
      await this.#sendUnsent();
      for (const key of keys) if (!isPositionKey(key)) this.store.touch(key);
      await this.#flush(true);
    });
  }

  /** Waits for the slice in hand and the last commit. */
  drain(): Promise<void> {
    return this.#exclusively(async () => {
      await this.#sendUnsent();
      await this.#lastCommit;
    });
  }

  /** The partition is lost: drops what is in hand. */
  stop(): void {
    this.#lost.abort(new AppError('partition_lost', `Partition ${this.#options.partition} of race-updates belongs to another instance now`));
  }

  #noticeEnd(endOffset: number): void {
    const { partition, logger, store } = this.#options;
    if (!beginEpochIfRecreated(store.position, endOffset, { topic: 'race-updates', partition, logger })) return;
    store.position.history_index = 0;
    this.#endOffset = endOffset;
    this.#committedUpTo = -1;
  }

  /** Takes one record; returns by how many bytes, at most, the slice's changelog grows with it. */
  #accept(record: LogRecord): number {
    const changedBefore = this.store.changedCount;
    this.#graph.accept(record);
    // A race that is in the slice already has grown by no more than what the record says.
    const growth = record.value?.length ?? 0;
    if (this.store.changedCount === changedBefore || record.key === null) return growth;
    const race = this.store.get(record.key.toString('utf8'));
    return race === undefined ? growth : growth + approximateStateBytes(race);
  }

  async #flush(evenIfUnchanged = false): Promise<void> {
    const { store } = this.#options;
    const { position } = store;
    position.at = this.#options.clock.nowMs();
    if (!evenIfUnchanged && this.#graph.outputCount === 0 && store.changedCount === 0 && position.applied_offset + 1 === this.#committedUpTo) return;
    this.#unsent = { outputs: this.#graph.takeOutputs(), changes: store.takeChanges(), position: { ...position }, outputsSent: false };
    await this.#sendUnsent();
  }

  #committedUpTo = -1;

  async #sendUnsent(): Promise<void> {
    const slice = this.#unsent;
    if (slice === null) return;
    const { signal } = this.#lost;
    signal.throwIfAborted();
    const { log, partition, commit, hooks } = this.#options;
    await this.#untilHeld();
    signal.throwIfAborted();
    if (!slice.outputsSent) {
      await this.#sendOutputs(slice.outputs);
      slice.outputsSent = true;
    }
    if (signal.aborted) return;
    await appendInChunks(log, 'race-states', partition, this.#changelogRecords(slice), signal);
    this.#unsent = null;
    hooks.onSlice(slice.outputs, slice.position);
    const nextOffset = slice.position.applied_offset + 1;
    if (signal.aborted || nextOffset === this.#committedUpTo) return;
    this.#committedUpTo = nextOffset;
    // Not awaited: a commit that is lost only makes the next owner read, and skip, what the changelog has already.
    this.#lastCommit = commit(nextOffset).catch((error: unknown) => {
      this.#committedUpTo = -1;
      if (!(error instanceof AppError && error.code === 'partition_lost')) {
        this.#options.logger.warn({ partition, error }, 'Commit failed; the next one makes up for it');
      }
    });
  }

  /** A process that slept must not speak for what others own: it is told in a moment. */
  async #untilHeld(): Promise<void> {
    const { signal } = this.#lost;
    while (this.#options.isHeld?.() === false && !signal.aborted) await pause(this.#options.timers, LOOK_AGAIN_MS, signal);
  }

  async #sendOutputs(outputs: GraphOutputs): Promise<void> {
    const { history, deadLetters, reroutes, giveUps } = outputs;
    const { log, codec, partition, historyPartitions } = this.#options;
    const { signal } = this.#lost;
    const sends: Promise<void>[] = [];
    sends.push(appendInChunks(log, 'eta-updates', partition, this.#etaRecords(outputs), signal));
    const historyByPartition = new Map<number, NewRecord[]>();
    for (const record of history) {
      const key = Buffer.from(sourceOf(record));
      pushTo(historyByPartition, partitionOfKey(key, historyPartitions), { key, value: codec.encode('race-history', record.value, record.kind) });
    }
    for (const [target, records] of historyByPartition) sends.push(appendInChunks(log, 'race-history', target, records, signal));
    const updatesByPartition = new Map<number, NewRecord[]>();
    for (const { record, partition: target } of reroutes) pushTo(updatesByPartition, target, { key: record.key, value: record.value, headers: record.headers });
    for (const giveUp of giveUps) pushTo(updatesByPartition, partition, giveUpRecord(codec, giveUp));
    for (const [target, records] of updatesByPartition) sends.push(appendInChunks(log, 'race-updates', target, records, signal));
    sends.push(appendInChunks(log, 'dead-letters', 0, deadLetters.map(({ record, rejection }) => deadLetterRecord(record, rejection)), signal));
    // All of them, whatever becomes of one: what is still under way then must not arrive behind the next slice.
    const failed = (await Promise.allSettled(sends)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Revisions, and tombstones for the races that were forgotten between them. */
  #etaRecords({ etas, withdrawals }: GraphOutputs): NewRecord[] {
    const { codec } = this.#options;
    const records: NewRecord[] = etas.map(({ eta }) => ({ key: Buffer.from(eta.race_id), value: codec.encode('eta-updates', eta) }));
    // From the last on: what is put in moves only what stands behind it.
    for (const { raceId, after } of withdrawals.toReversed()) records.splice(after, 0, { key: Buffer.from(raceId), value: null });
    return records;
  }

  #changelogRecords({ changes, position }: Slice): NewRecord[] {
    const { codec, partition, writerId } = this.#options;
    const headers = changelogHeaders(writerId, position);
    const records: NewRecord[] = changes.map(({ raceId, race }) => ({
      key: Buffer.from(raceId), value: race === null ? null : codec.encode('race-states', race, 'RaceState'), headers,
    }));
    records.push({ key: Buffer.from(positionKey(partition)), value: codec.encode('race-states', position, 'PartitionState'), headers });
    return records;
  }
}

function pushTo(map: Map<number, NewRecord[]>, key: number, record: NewRecord): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [record]);
  else list.push(record);
}
