import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import { topology, type ProcessorName, type SourceName } from '../../topology/topology.ts';
import { messageOf, reject, type Rejection } from '../errors.ts';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import { forecastRace } from '../forecast/forecast.ts';
import type { HistoryRecord } from '../forecast/history-record.ts';
import { decodeUpdates } from '../operators/decode-updates.ts';
import { foldRaces } from '../operators/fold-races.ts';
import type { GiveUp } from '../operators/give-up.ts';
import { issueForecasts } from '../operators/issue-forecasts.ts';
import type { DecodedItem, FoldedItem, HistoryItem, NormalizedItem, RevisedItem, WakeUp, WokenItem } from '../operators/items.ts';
import { normalizeUpdates } from '../operators/normalize-updates.ts';
import { recordHistory } from '../operators/record-history.ts';
import { reviseEtas } from '../operators/revise-etas.ts';
import { tallyInputs, type Tallied } from '../operators/tally-inputs.ts';
import type { Vehicles } from '../operators/vehicles.ts';
import { wakeRaces } from '../operators/wake-races.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { ModelStore } from '../ports/model-store.ts';
import type { LogRecord } from '../ports/record-log.ts';
import { partitionOfKey } from '../race/partition.ts';
import { takeOffset } from './input-position.ts';
import type { PartitionStore } from './race-store.ts';

export type GraphOptions = {
  readonly store: PartitionStore;
  readonly partitionCount: number;
  readonly codec: Codec;
  readonly models: ModelStore;
  /** Active routes (default: none, and vehicles are forecast as other races are). */
  readonly routeOf?: Vehicles['routeOf'] | undefined;
  readonly clock: Clock;
  /** An update appended more than this after its `at` is history. */
  readonly graceMs: number;
  /** How long a finished race stays in the store. */
  readonly finishedTtlMs: number;
  /** false = every forecast is published, and displayed as it is (default: true). */
  readonly hold?: boolean | undefined;
  /** How a race is forecast (default: `forecastRace`). */
  readonly forecast?: typeof forecastRace | undefined;
};

export type DeadLetter = { readonly record: LogRecord; readonly rejection: Rejection };

const globalSources: ReadonlySet<ProcessorName | SourceName> = new Set(topology.flatMap((node) => (node.kind === 'source' && node.role === 'pipeline' && node.reads === 'all' ? [node.name] : [])));

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
  readonly giveUps: GiveUp[];
};

/**
 * The processors of role `pipeline` for one partition, wired as topology/topology.ts declares them.
 * Synchronous: when `accept` or `wake` returns, everything they caused is in `outputs`.
 */
export class PartitionGraph {
  readonly #options: GraphOptions;
  readonly #vehicles: Vehicles;
  #inputs = new Outlet<LogRecord>();
  #wakeUps = new Outlet<WakeUp>();
  #failure: { error: unknown } | null = null;
  #outputs: GraphOutputs = emptyOutputs();

  constructor(options: GraphOptions) {
    this.#options = options;
    this.#vehicles = { routeOf: options.routeOf ?? (() => undefined), open: new Map() };
    this.#wire();
  }

  /** Takes one record; a record at or below the applied offset was taken before a crash and is only counted. */
  accept(record: LogRecord): void {
    const { store } = this.#options;
    const { position } = store;
    if (!takeOffset(position, record.offset)) return;
    position.history_index = 0;
    const failure = this.#run(this.#inputs, record);
    if (failure === null) return;
    position.rejected += 1;
    this.#outputs.deadLetters.push({ record, rejection: reject('processing_failed', `Cannot process this record: ${messageOf(failure.error)}`) });
  }

  /** Looks at the races whose wake-up is due, at most `limit`; returns how many there were. Throws on a bug. */
  wake(nowMs: number, limit: number): number {
    const due = this.#options.store.takeDue(nowMs, limit);
    for (const raceId of due) {
      const failure = this.#run(this.#wakeUps, { raceId, nowMs });
      if (failure !== null) throw failure.error;
    }
    return due.length;
  }

  get outputCount(): number {
    const { etas, withdrawals, history, deadLetters, reroutes, giveUps } = this.#outputs;
    return etas.length + withdrawals.length + history.length + deadLetters.length + reroutes.length + giveUps.length;
  }

  takeOutputs(): GraphOutputs {
    const outputs = this.#outputs;
    this.#outputs = emptyOutputs();
    return outputs;
  }

  /** One throw ends an RxJS graph: the record's changes and outputs are taken back and the graph is wired anew. */
  #run<T>(outlet: Outlet<T>, item: T): { readonly error: unknown } | null {
    const { store } = this.#options;
    const { etas, withdrawals, history, deadLetters, reroutes, giveUps } = this.#outputs;
    const before = [etas.length, withdrawals.length, history.length, deadLetters.length, reroutes.length, giveUps.length] as const;
    store.begin();
    outlet.next(item);
    const failure = this.#failure;
    if (failure === null) return null;
    this.#failure = null;
    store.rollback();
    [etas.length, withdrawals.length, history.length, deadLetters.length, reroutes.length, giveUps.length] = before;
    this.#wire();
    return failure;
  }

  #wire(): void {
    const { store, partitionCount, codec, models, clock, graceMs, finishedTtlMs, hold = true, forecast = forecastRace } = this.#options;
    const processors: Partial<Record<ProcessorName, OperatorFunction<never, unknown>>> = {
      'decode-updates': decodeUpdates({ codec, partitionOf: (key) => partitionOfKey(key, partitionCount) }),
      'normalize-updates': normalizeUpdates() satisfies OperatorFunction<DecodedItem, NormalizedItem>,
      'fold-races': foldRaces({ store, graceMs }) satisfies OperatorFunction<NormalizedItem, FoldedItem>,
      'tally-inputs': tallyInputs(store) satisfies OperatorFunction<Tallied, Tallied>,
      'wake-races': wakeRaces({ store, finishedTtlMs }),
      'issue-forecasts': issueForecasts(models, this.#vehicles, { hold, forecast }),
      'revise-etas': reviseEtas({ store, clock, finishedTtlMs, hold }),
      'record-history': recordHistory(store, this.#vehicles),
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
      'give-ups': (item: WokenItem) => {
        if (item.kind === 'give-up') this.#outputs.giveUps.push(item);
      },
      reroutes: (item: DecodedItem) => {
        if (item.kind === 'misplaced') this.#outputs.reroutes.push(item);
      },
    };
    this.#inputs = new Outlet();
    this.#wakeUps = new Outlet();
    const outlets = new Map<ProcessorName | SourceName, Outlet<never>>([['race-updates', this.#inputs as Outlet<never>], ['wake-ups', this.#wakeUps as Outlet<never>]]);
    const fail = (error: unknown): void => {
      this.#failure ??= { error };
    };
    for (const node of topology) {
      if (node.role !== 'pipeline' || node.kind === 'source') continue;
      // What every instance reads whole comes by its store; the learner's nodes belong to the instance, not to a partition.
      const fed = node.parents.filter((parent) => !globalSources.has(parent));
      const parents = fed.map((parent) => outlets.get(parent)).filter((outlet) => outlet !== undefined);
      if (fed.length === 0 || parents.length < fed.length) continue;
      const input = new Observable<never>((subscriber) => {
        for (const parent of parents) parent.feed(subscriber);
      });
      if (node.kind === 'processor') {
        const operator = processors[node.name];
        if (operator === undefined) throw new Error(`No operator is bound to ${node.name}`);
        const output = new Outlet<unknown>();
        outlets.set(node.name, output as Outlet<never>);
        input.pipe(operator).subscribe({ next: (item) => output.next(item), error: fail });
      } else {
        const sink = sinks[node.name];
        if (sink === undefined) throw new Error(`No sink is bound to ${node.name}`);
        input.subscribe({ next: sink, error: fail });
      }
    }
  }
}

/** What a node gives, to all that read it, in the order of the topology. A Subject does the same at several times the cost per item. */
class Outlet<T> {
  readonly #readers: Subscriber<T>[] = [];

  feed(reader: Subscriber<T>): void {
    this.#readers.push(reader);
  }

  next(item: T): void {
    for (const reader of this.#readers) reader.next(item);
  }
}

function emptyOutputs(): GraphOutputs {
  return { etas: [], withdrawals: [], history: [], deadLetters: [], reroutes: [], giveUps: [] };
}
