import { AppError, messageOf, type Rejection } from '../errors.ts';
import type { OriginGate } from '../forecast/origin-gate.ts';
import { addRecord, emptyBatch, rowCount, type RowBatch } from '../history/batch.ts';
import { formatRange, type OffsetRange } from '../history/pending-range.ts';
import type { Codec } from '../ports/codec.ts';
import type { HistoryStore, HistoryTable } from '../ports/history-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, NewRecord, PartitionId, RecordBatch, RecordLog } from '../ports/record-log.ts';
import { isPositionKey } from '../race/position-key.ts';
import { deadLetterRecord } from './dead-letters.ts';
import { deleteForgotten, deleteLate } from './forgotten-races.ts';
import { pause, type Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

/** When a batch is full. Chosen: large enough for ClickHouse, small enough to hold two per partition. */
export type BatchLimits = {
  /** Rows over all tables. */
  readonly maxRows: number;
  /** Bytes of the records' values. */
  readonly maxBytes: number;
  /** Age of the oldest record in it, milliseconds. */
  readonly maxWaitMs: number;
};

export type HistorianHooks = {
  /** An insert, delete or commit failed and will be tried again. */
  readonly onInsertFailure?: (partition: PartitionId, error: unknown) => void;
  /** A batch with anything in it is in ClickHouse and committed; `elapsedMs` with all retries. */
  readonly onStored?: (partition: PartitionId, elapsedMs: number) => void;
  /** A finish that had been sent and stored before. */
  readonly onRepeated?: (partition: PartitionId) => void;
  readonly onUndecodable?: (partition: PartitionId) => void;
};

export type HistorianContext = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly store: HistoryStore;
  readonly logger: Logger;
  readonly hooks: HistorianHooks;
  readonly limits: BatchLimits;
  readonly timers: Timers;
  readonly commit: (partition: PartitionId, nextOffset: number, metadata: string) => Promise<void>;
};

/** Where a partition stood when it was assigned. */
export type HistorianStart = {
  /** Next offset to read as committed; null = never. */
  readonly committed: number | null;
  /** Cut by the owner before, who may or may not have inserted it. */
  readonly pending: OffsetRange | null;
  readonly gate: OriginGate;
};

/** How far a partition is: for lag figures. */
export type HistorianLag = PartitionId & {
  /** Records at the end of the partition that are not in ClickHouse yet, as of the last fetch. */
  readonly records: number;
  readonly bufferedRows: number;
  /** Append time of the oldest record in hand that is not in ClickHouse yet, epoch ms; null = none. */
  readonly oldestAtMs: number | null;
  /** Failures in a row of the batch in hand; 0 = all is well. */
  readonly failures: number;
};

type OpenBatch = { first: number; last: number; bytes: number; readonly firstAtMs: number; readonly month: number; readonly rows: RowBatch; readonly deadLetters: NewRecord[] };

const GROUP = 'historian';
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 30_000;

/**
 * One partition's way into ClickHouse: records are gathered to a batch, the batch's range is committed as metadata, its
 * rows are inserted under a token of that range, the offset is committed.
 *
 * **Delivery.** At least once in, once out: a batch that is cut again after a crash has the same range, rows and token.
 * At most one batch is being stored while the next is gathered; when that one is full too, `take` waits.
 */
export class HistorianPartition {
  readonly id: PartitionId;
  readonly #context: HistorianContext;
  readonly #gate: OriginGate;
  readonly #lost = new AbortController();
  #committed: number | null;
  #pending: OffsetRange | null;
  #next = 0;
  #end = 0;
  #open: OpenBatch | null = null;
  #storing: Promise<void> | null = null;
  #storedRows = 0;
  #storingFromMs: number | null = null;
  #failures = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(id: PartitionId, start: HistorianStart, context: HistorianContext) {
    this.id = id;
    this.#context = context;
    this.#gate = start.gate;
    this.#committed = start.committed;
    this.#pending = start.pending;
    this.#end = start.committed ?? 0;
  }

  /** Resolves when the records are buffered, which may be before they are stored. Rejects before any is taken. */
  async take(batch: RecordBatch): Promise<void> {
    const records = batch.records.filter((record) => record.offset >= this.#next && this.#concerns(record));
    await this.#context.codec.prepare(this.id.topic, records.map((record) => record.value));
    this.#end = batch.endOffset;
    const turn = beginTurn(this.#context.timers);
    for (const record of batch.records) {
      // Delivered again after a rejection.
      if (record.offset < this.#next) continue;
      if (turn.isOver()) await turn.next();
      if (this.#lost.signal.aborted) return;
      if (this.#ends(record)) await this.#cut();
      if (this.#lost.signal.aborted) return;
      this.#add(record);
      if (this.#pending === null ? this.#isFull() : record.offset === this.#pending.last) await this.#cut();
      if (this.#lost.signal.aborted) return;
    }
  }

  /** Whether the open batch ends before this record. */
  #ends(record: LogRecord): boolean {
    if (this.#pending === null) return this.#open !== null && this.#open.month !== monthOf(record);
    if (record.offset <= this.#pending.last) return false;
    // Its last record was compacted away, or all of them were.
    if (this.#open === null) this.#pending = null;
    return this.#open !== null;
  }

  lag(): HistorianLag {
    return {
      ...this.id, records: Math.max(0, this.#end - (this.#committed ?? 0)),
      bufferedRows: this.#storedRows + (this.#open === null ? 0 : rowCount(this.#open.rows)),
      oldestAtMs: this.#storingFromMs ?? this.#open?.firstAtMs ?? null, failures: this.#failures,
    };
  }

  /** Stores what is buffered, then stops; what is not stored after `drainMs` is read again by the next owner. */
  async close(drainMs: number): Promise<void> {
    const timeout = new AbortController();
    await Promise.race([this.#drain(), pause(this.#context.timers, drainMs, timeout.signal)]).catch(() => {});
    timeout.abort();
    this.lose();
    await this.#storing;
  }

  /** The partition is somebody else's: drops what is buffered and begins nothing more. */
  lose(): void {
    this.#lost.abort();
    this.#open = null;
    this.#stopTimer();
  }

  async #drain(): Promise<void> {
    // A range that is not complete may only be stored whole.
    if (this.#pending === null && this.#open !== null) await this.#cut();
    await this.#storing;
  }

  #concerns({ topic, key, value }: LogRecord): boolean {
    return value !== null && (topic !== 'race-states' || (key !== null && isPositionKey(key.toString())));
  }

  #add(record: LogRecord): void {
    const { topic, partition, offset, value, appendedAtMs } = record;
    if (this.#open === null) {
      this.#open = { first: this.#pending?.first ?? offset, last: offset, bytes: 0, firstAtMs: appendedAtMs, month: monthOf(record), rows: emptyBatch(), deadLetters: [] };
      if (this.#pending === null) this.#startTimer();
    }
    const open = this.#open;
    open.last = offset;
    this.#next = offset + 1;
    if (value === null || !this.#concerns(record)) return;
    open.bytes += value.length;
    const result = this.#context.codec.decode(topic, value);
    // Whoever follows the journey sends it to dead-letters.
    if ('error' in result && topic === 'telemetry') return;
    if ('error' in result) return this.#bury(open, record, result.error);
    const added = addRecord(open.rows, result.decoded, { topic, partition, offset, appendedAtMs }, this.#gate);
    if (added === 'repeated') this.#context.hooks.onRepeated?.(this.id);
    else if (typeof added === 'object') this.#bury(open, record, { code: 'undecodable', message: added.misfit });
  }

  #bury(open: OpenBatch, record: LogRecord, rejection: Rejection): void {
    this.#context.logger.error({ ...this.id, offset: record.offset, ...rejection }, 'Cannot store a record in ClickHouse: it goes to dead-letters');
    this.#context.hooks.onUndecodable?.(this.id);
    open.deadLetters.push(deadLetterRecord(record, rejection));
  }

  #isFull(): boolean {
    const { maxRows, maxBytes } = this.#context.limits;
    return this.#open !== null && (this.#open.bytes >= maxBytes || rowCount(this.#open.rows) + this.#open.deadLetters.length >= maxRows);
  }

  #startTimer(): void {
    this.#cancelTimer = this.#context.timers.after(this.#context.limits.maxWaitMs, () => void this.#cut());
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Hands the open batch over, once the one before is stored. Never rejects. */
  async #cut(): Promise<void> {
    while (this.#storing !== null) await this.#storing;
    const open = this.#open;
    if (open === null || this.#lost.signal.aborted) return;
    this.#stopTimer();
    this.#open = null;
    const range = this.#pending ?? { first: open.first, last: open.last };
    this.#pending = null;
    this.#storedRows = rowCount(open.rows);
    this.#storingFromMs = open.firstAtMs;
    this.#storing = this.#storeForEver(open, range).finally(() => {
      this.#storing = null;
      this.#storedRows = 0;
      this.#storingFromMs = null;
    });
  }

  async #storeForEver(batch: OpenBatch, range: OffsetRange): Promise<void> {
    const { signal } = this.#lost;
    const startedAt = performance.now();
    const isEmpty = isNothing(batch);
    while (!signal.aborted) {
      try {
        await this.#store(batch, range);
        this.#failures = 0;
        if (!isEmpty && !signal.aborted) this.#context.hooks.onStored?.(this.id, performance.now() - startedAt);
        return;
      } catch (error) {
        if (error instanceof AppError && error.code === 'partition_lost') return this.lose();
        const waitMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++) * (0.75 + Math.random() / 2);
        this.#context.hooks.onInsertFailure?.(this.id, error);
        this.#context.logger.warn(
          { ...this.id, ...range, rows: this.#storedRows, failures: this.#failures, waitMs: Math.round(waitMs), error: messageOf(error) },
          'Could not store a batch in ClickHouse, trying again',
        );
        await pause(this.#context.timers, waitMs, signal);
      }
    }
  }

  /** Each step may be done again. */
  async #store(batch: OpenBatch, range: OffsetRange): Promise<void> {
    const { rows, deadLetters } = batch;
    const { log, store, commit } = this.#context;
    const { signal } = this.#lost;
    const next = range.last + 1;
    if (!isNothing(batch)) {
      await commit(this.id, this.#committed ?? range.first, formatRange(range));
      while (deadLetters[0] !== undefined) {
        await log.append('dead-letters', 0, [deadLetters[0]]);
        deadLetters.shift();
      }
      const token = `${GROUP}:${this.id.topic}:${this.id.partition}:${formatRange(range)}`;
      for (const [table, tableRows] of Object.entries(rows.tables) as [HistoryTable, object[]][]) {
        if (signal.aborted) return;
        await store.insert(table, tableRows, token);
      }
      await deleteForgotten(store, this.id, rows.forgotten);
      await deleteLate(store, rows.tables);
    }
    if (signal.aborted) return;
    await commit(this.id, next, '');
    this.#committed = next;
  }
}

function isNothing({ rows, deadLetters }: OpenBatch): boolean {
  return rowCount(rows) === 0 && rows.forgotten.length === 0 && deadLetters.length === 0;
}

/** Months since 1970: tables are partitioned by it, and only within a partition an insert is all or nothing. */
function monthOf({ appendedAtMs }: LogRecord): number {
  const date = new Date(appendedAtMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
