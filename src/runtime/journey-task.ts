import { AppError, messageOf, reject } from '../errors.ts';
import { followRoute, settleJourney, type FollowRouteOptions, type PositionItem } from '../operators/follow-route.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, NewRecord, RecordBatch, RecordLog } from '../ports/record-log.ts';
import { isPositionKey } from '../race/position-key.ts';
import type { RaceUpdate } from '../race/update.ts';
import { appendInChunks } from './append-in-chunks.ts';
import { deadLetterRecord } from './dead-letters.ts';
import { EarlyPositions } from './early-positions.ts';
import { beginEpochIfRecreated, takeOffset } from './input-position.ts';
import type { PartitionJourneys } from './journey-store.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

/** Positions between two sends at most: bounds what a crash repeats. */
const SLICE_RECORDS = 1_000;
/** Journeys change with every position, a thousand vehicles a thousand times a second: they are logged together, so often. */
const CHANGELOG_EVERY_MS = 5_000;
/** The journey of a race that is over is let go with the vehicle's next position, or so long after: until then it is shown as arrived. */
const LET_GO_MS = 600_000;

export type JourneyTaskOptions = Omit<FollowRouteOptions, 'store'> & {
  readonly partition: number;
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers: Timers;
  readonly store: PartitionJourneys;
  /** Names this task in the changelog. */
  readonly writerId: string;
  readonly commit: (nextOffset: number) => Promise<void>;
  /** Races that something was said of since the last call. */
  readonly takeNews: () => readonly string[];
};

type Outputs = { readonly updates: RaceUpdate[]; readonly deadLetters: NewRecord[]; readonly reroutes: Map<number, NewRecord[]> };

/**
 * One partition of telemetry in service: positions through follow-route, what they came to to race-updates, every five seconds the
 * changelog, then the commit.
 *
 * **Delivery.** At least once in. After a crash at most five seconds of positions are followed again, from where the changelog stands: they
 * come to the same updates with the same event times, which change nothing the second time. What could not be sent is kept and
 * sent before anything else. After `stop` nothing more is sent.
 */
export class JourneyTask {
  readonly #options: JourneyTaskOptions;
  readonly #lost = new AbortController();
  #outputs: Outputs = emptyOutputs();
  #changelog: { readonly records: NewRecord[]; readonly nextOffset: number } | null = null;
  #loggedAtMs: number;
  #loggedOffset: number;
  /** What a former owner logged may not be committed. */
  #committedOffset = -1;
  /** When to let go of journeys whose race is over, by race, in the order of that. */
  readonly #letGoAtMs = new Map<string, number>();
  readonly #exclusively = oneAtATime();
  readonly #early: EarlyPositions;

  constructor(options: JourneyTaskOptions) {
    this.#options = options;
    this.#early = new EarlyPositions(options.timers, (raceId) => options.raceOf(raceId) !== undefined || options.partitionOf(Buffer.from(raceId)) !== options.partition);
    this.#loggedAtMs = options.timers.monotonicMs();
    this.#loggedOffset = options.store.position.applied_offset;
  }

  get store(): PartitionJourneys {
    return this.#options.store;
  }

  process(batch: RecordBatch): Promise<void> {
    return this.#exclusively(async () => {
      const { codec, timers, partition, logger, store } = this.#options;
      beginEpochIfRecreated(store.position, batch.endOffset, { topic: 'telemetry', partition, logger });
      await this.#send();
      await codec.prepare('telemetry', batch.records.map(({ value }) => value));
      const turn = beginTurn(timers);
      for (const [index, record] of batch.records.entries()) {
        const early = record.key === null ? null : this.#early.wait(record.key.toString('utf8'), this.#lost.signal);
        if (early !== null) await early;
        if (this.#lost.signal.aborted || batch.signal.aborted) return;
        this.#accept(record);
        if ((index + 1) % SLICE_RECORDS === 0) await this.#send();
        else if (turn.isOver()) await turn.next();
      }
      await this.#send();
      await this.#logIfDue();
    });
  }

  /** Does what is due when no position comes: what was said by hand, journeys to be let go, the changelog. */
  tick(): Promise<void> {
    return this.#exclusively(async () => {
      for (const raceId of this.#options.takeNews()) this.#settle(raceId);
      this.#letGo();
      await this.#send();
      await this.#logIfDue();
    });
  }

  /** Writes the given keys and the totals to the changelog again, as they stand here: the answer to a foreign writer. */
  assertOwnership(keys: Iterable<string>): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#changelog !== null) await this.#log();
      for (const key of keys) if (!isPositionKey(key)) this.store.touch(key);
      await this.#log(true);
    });
  }

  /** Sends and logs everything in hand. */
  drain(): Promise<void> {
    return this.#exclusively(() => this.#log());
  }

  /** The partition is lost: drops what is in hand. */
  stop(): void {
    this.#lost.abort(new AppError('partition_lost', `Partition ${this.#options.partition} of telemetry belongs to another instance now`));
  }

  #accept(record: LogRecord): void {
    const { store } = this.#options;
    if (takeOffset(store.position, record.offset)) this.#take(this.#follow(record));
  }

  /** A defect of ours ends as a dead letter: the positions after it go on. */
  #follow(record: LogRecord): PositionItem {
    try {
      return followRoute(record, this.#options);
    } catch (error) {
      this.store.position.rejected += 1;
      return { kind: 'rejected', record, rejection: reject('processing_failed', `Cannot process this record: ${messageOf(error)}`) };
    }
  }

  #take(item: PositionItem): void {
    const { updates, deadLetters, reroutes } = this.#outputs;
    if (item.kind === 'applied') updates.push(...item.updates);
    else if (item.kind === 'rejected') deadLetters.push(deadLetterRecord(item.record, item.rejection));
    else if (item.kind === 'rerouted') {
      const { key, value, headers } = item.record;
      reroutes.set(item.partition, [...(reroutes.get(item.partition) ?? []), { key, value, headers }]);
    }
  }

  #settle(raceId: string): void {
    const { raceOf, timers, store } = this.#options;
    this.#outputs.updates.push(...settleJourney(raceId, this.#options));
    if (raceOf(raceId)?.isOver === true && store.get(raceId) !== undefined && !this.#letGoAtMs.has(raceId)) this.#letGoAtMs.set(raceId, timers.monotonicMs() + LET_GO_MS);
  }

  #letGo(): void {
    const { raceOf, timers, store } = this.#options;
    for (const [raceId, atMs] of this.#letGoAtMs) {
      if (atMs > timers.monotonicMs()) return;
      this.#letGoAtMs.delete(raceId);
      // It may run again meanwhile.
      if (raceOf(raceId)?.isOver !== false) store.delete(raceId);
    }
  }

  /** What is not sent stays in hand. */
  async #send(): Promise<void> {
    const { log, codec, partition } = this.#options;
    const { signal } = this.#lost;
    signal.throwIfAborted();
    const { updates, deadLetters, reroutes } = this.#outputs;
    const records = updates.map((update) => ({ key: Buffer.from(update.race_id), value: codec.encode('race-updates', update) }));
    const sends = [appendInChunks(log, 'race-updates', partition, records, signal), appendInChunks(log, 'dead-letters', 0, deadLetters, signal)];
    for (const [target, positions] of reroutes) sends.push(appendInChunks(log, 'telemetry', target, positions, signal));
    // All of them, whatever becomes of one: what is still under way then must not arrive behind the next slice.
    const failed = (await Promise.allSettled(sends)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    this.#outputs = emptyOutputs();
  }

  async #logIfDue(): Promise<void> {
    if (this.#options.timers.monotonicMs() - this.#loggedAtMs >= CHANGELOG_EVERY_MS) await this.#log();
  }

  async #log(evenIfUnchanged = false): Promise<void> {
    const { log, codec, clock, partition, store, timers, writerId, commit } = this.#options;
    const { signal } = this.#lost;
    await this.#send();
    if (this.#changelog === null && (evenIfUnchanged || store.hasChanges || store.position.applied_offset !== this.#loggedOffset)) {
      this.#changelog = { records: store.takeChangelog(codec, writerId, clock.nowMs()), nextOffset: store.position.applied_offset + 1 };
    }
    if (this.#changelog !== null) {
      const { records, nextOffset } = this.#changelog;
      await appendInChunks(log, 'journey-states', partition, records, signal);
      this.#changelog = null;
      this.#loggedOffset = nextOffset - 1;
    }
    this.#loggedAtMs = timers.monotonicMs();
    if (this.#committedOffset === this.#loggedOffset) return;
    signal.throwIfAborted();
    await commit(this.#loggedOffset + 1);
    this.#committedOffset = this.#loggedOffset;
  }
}

function emptyOutputs(): Outputs {
  return { updates: [], deadLetters: [], reroutes: new Map() };
}
