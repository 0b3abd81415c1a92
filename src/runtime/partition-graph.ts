import { merge, Subject, type Observable, type OperatorFunction } from 'rxjs';
import { topology, type ProcessorName, type SourceName } from '../../topology/topology.ts';
import { messageOf, reject, type Rejection } from '../errors.ts';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import type { HistoryRecord } from '../forecast/history-record.ts';
import { silenceEndsAtMs } from '../forecast/wake.ts';
import { decodeUpdates } from '../operators/decode-updates.ts';
import { foldRaces } from '../operators/fold-races.ts';
import { issueForecasts } from '../operators/issue-forecasts.ts';
import type { DecodedItem, FoldedItem, HistoryItem, NormalizedItem, RevisedItem, WakeUp } from '../operators/items.ts';
import { normalizeUpdates } from '../operators/normalize-updates.ts';
import { recordHistory } from '../operators/record-history.ts';
import { reviseEtas } from '../operators/revise-etas.ts';
import { tallyInputs, type Tallied } from '../operators/tally-inputs.ts';
import { wakeRaces } from '../operators/wake-races.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { ModelStore } from '../ports/model-store.ts';
import type { LogRecord } from '../ports/record-log.ts';
import { partitionOfKey } from '../race/partition.ts';
import type { PartitionStore } from './race-store.ts';

export type GraphOptions = {
  readonly store: PartitionStore;
  readonly partitionCount: number;
  readonly codec: Codec;
  readonly models: ModelStore;
  readonly clock: Clock;
  /** An update appended more than this after its `at` is history. */
  readonly graceMs: number;
  /** How long a finished race stays in the store. */
  readonly finishedTtlMs: number;
};

export type DeadLetter = { readonly record: LogRecord; readonly rejection: Rejection };

/** A revision, and when the log took the update that caused it (null: a wake-up did). */
export type IssuedEta = { readonly eta: EtaUpdate; readonly appendedAtMs: number | null };

/** A race whose revisions are to be forgotten; `after` = how many etas of the slice come before that. */
export type Withdrawal = { readonly raceId: string; readonly after: number };

/** What a slice of inputs wants sent, in the order it came about. */
export type GraphOutputs = {
  readonly etas: IssuedEta[];
  readonly withdrawals: Withdrawal[];
  readonly history: HistoryRecord[];
  readonly deadLetters: DeadLetter[];
  readonly reroutes: { readonly record: LogRecord; readonly partition: number }[];
};

/**
 * The processors of role `pipeline` for one partition, wired as topology/topology.ts declares them.
 * Synchronous: when `accept` or `wake` returns, everything they caused is in `outputs`.
 */
export class PartitionGraph {
  readonly #options: GraphOptions;
  #inputs = new Subject<LogRecord>();
  #wakeUps = new Subject<WakeUp>();
  #failure: { error: unknown } | null = null;
  #outputs: GraphOutputs = emptyOutputs();

  constructor(options: GraphOptions) {
    this.#options = options;
    this.#wire();
  }

  /** Takes one record; a record at or below the applied offset was taken before a crash and is only counted. */
  accept(record: LogRecord): void {
    const { store } = this.#options;
    const { position } = store;
    if (record.offset <= position.applied_offset) {
      position.skipped += 1;
      return;
    }
    position.applied_offset = record.offset;
    position.history_index = 0;
    position.read += 1;
    this.#run(() => this.#inputs.next(record), (error) => {
      position.rejected += 1;
      const rejection = reject('processing_failed', `Cannot process this record: ${messageOf(error)}`);
      this.#outputs.deadLetters.push({ record, rejection });
    });
  }

  /** Looks at the races whose wake-up is due, at most `limit`; returns how many there were. Throws on a bug. */
  wake(nowMs: number, limit: number): number {
    const due = this.#options.store.takeDue(nowMs, limit);
    for (const raceId of this.#bySilence(due)) {
      this.#run(() => this.#wakeUps.next({ raceId, nowMs }), (error) => {
        throw error;
      });
    }
    return due.length;
  }

  /**
   * Races that are given up are numbered in the order in which they fell silent: a slice that is run again after a
   * crash, at another time, may give up more or fewer of them, but each under the number that it had.
   */
  #bySilence(raceIds: readonly string[]): string[] {
    const { store } = this.#options;
    const due = raceIds.flatMap((raceId) => {
      const race = store.get(raceId);
      return race === undefined ? [] : [{ raceId, endsAtMs: silenceEndsAtMs(race) }];
    });
    return due.sort((a, b) => a.endsAtMs - b.endsAtMs || (a.raceId < b.raceId ? -1 : 1)).map(({ raceId }) => raceId);
  }

  get outputCount(): number {
    const { etas, withdrawals, history, deadLetters, reroutes } = this.#outputs;
    return etas.length + withdrawals.length + history.length + deadLetters.length + reroutes.length;
  }

  takeOutputs(): GraphOutputs {
    const outputs = this.#outputs;
    this.#outputs = emptyOutputs();
    return outputs;
  }

  /** One throw ends an RxJS graph: the record's changes and outputs are taken back and the graph is wired anew. */
  #run(next: () => void, onFailure: (error: unknown) => void): void {
    const { store } = this.#options;
    const { etas, withdrawals, history, deadLetters, reroutes } = this.#outputs;
    const before = [etas.length, withdrawals.length, history.length, deadLetters.length, reroutes.length] as const;
    store.begin();
    next();
    if (this.#failure === null) return;
    const { error } = this.#failure;
    this.#failure = null;
    store.rollback();
    [etas.length, withdrawals.length, history.length, deadLetters.length, reroutes.length] = before;
    this.#wire();
    onFailure(error);
  }

  #wire(): void {
    const { store, partitionCount, codec, models, clock, graceMs, finishedTtlMs } = this.#options;
    const processors: Partial<Record<ProcessorName, OperatorFunction<never, unknown>>> = {
      'decode-updates': decodeUpdates({ codec, partitionOf: (key) => partitionOfKey(key, partitionCount) }),
      'normalize-updates': normalizeUpdates() satisfies OperatorFunction<DecodedItem, NormalizedItem>,
      'fold-races': foldRaces({ store, graceMs }) satisfies OperatorFunction<NormalizedItem, FoldedItem>,
      'tally-inputs': tallyInputs(store) satisfies OperatorFunction<Tallied, Tallied>,
      'wake-races': wakeRaces({ store, finishedTtlMs }),
      'issue-forecasts': issueForecasts(models),
      'revise-etas': reviseEtas({ store, clock, finishedTtlMs }),
      'record-history': recordHistory(store),
    };
    const sinks: Record<string, (item: never) => void> = {
      revisions: (item: RevisedItem | FoldedItem) => {
        const { etas, withdrawals } = this.#outputs;
        if (item.kind === 'forgotten') withdrawals.push({ raceId: item.raceId, after: etas.length });
        else if (item.kind === 'revised' && item.eta !== null) etas.push({ eta: item.eta, appendedAtMs: item.changed.record?.appendedAtMs ?? null });
      },
      history: (item: HistoryItem) => {
        this.#outputs.history.push(item.record);
      },
      refused: (item: DecodedItem | NormalizedItem | FoldedItem) => {
        if (item.kind === 'rejected') this.#outputs.deadLetters.push(item);
      },
      reroutes: (item: DecodedItem) => {
        if (item.kind === 'misplaced') this.#outputs.reroutes.push(item);
      },
    };
    this.#inputs = new Subject();
    this.#wakeUps = new Subject();
    const streams = new Map<ProcessorName | SourceName, Observable<unknown>>([['race-updates', this.#inputs], ['wake-ups', this.#wakeUps]]);
    const fail = (error: unknown): void => {
      this.#failure ??= { error };
    };
    for (const node of topology) {
      if (node.role !== 'pipeline' || node.kind === 'source') continue;
      const parents = node.parents.map((parent) => streams.get(parent)).filter((stream) => stream !== undefined);
      // The learner's nodes belong to the instance, not to a partition.
      if (parents.length < node.parents.length) continue;
      const input = parents.length === 1 && parents[0] !== undefined ? parents[0] : merge(...parents);
      if (node.kind === 'processor') {
        const operator = processors[node.name];
        if (operator === undefined) throw new Error(`No operator is bound to ${node.name}`);
        const output = new Subject<unknown>();
        streams.set(node.name, output);
        (input as Observable<never>).pipe(operator).subscribe({ next: (item) => output.next(item), error: fail });
      } else {
        const sink = sinks[node.name];
        if (sink === undefined) throw new Error(`No sink is bound to ${node.name}`);
        (input as Observable<never>).subscribe({ next: sink, error: fail });
      }
    }
  }
}

function emptyOutputs(): GraphOutputs {
  return { etas: [], withdrawals: [], history: [], deadLetters: [], reroutes: [] };
}
