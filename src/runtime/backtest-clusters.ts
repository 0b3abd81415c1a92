import { createRacePacker } from '../cluster/packed-races.ts';
import { defaultRebuildOptions, rebuildClusters } from '../cluster/rebuild.ts';
import type { PublishedModel } from '../cluster/published-model.ts';
import { placeOfRace, type FindModel } from '../forecast/clusterings.ts';
import type { FinishedRace, HistoryRecord } from '../forecast/history-record.ts';
import type { SourceModel } from '../forecast/model.ts';
import { sortedEntries } from '../race/metadata.ts';
import { candidateOf } from '../rebuilds/candidate.ts';

/** Races of a source before its first rebuild, and the newest that one looks at. */
const LEAST_RACES = 50;
const MOST_RACES = 20_000;

export type BacktestClusters = {
  readonly find: FindModel;
  /** Remembers a race that ended; corrections and races without a duration are none. */
  add(record: HistoryRecord): void;
  /** The swaps that are due: a source is rebuilt from what has ended by now, once an interval and only if something has. */
  due(nowMs: number, modelOf: (source: string) => SourceModel | undefined): HistoryRecord[];
};

/**
 * Clusters for a backtest: each source is rebuilt at fixed intervals of event time, of races that had ended by then, and
 * the result is in force at once, unvalidated. What a service does with validation and a rollout cannot be worse by much.
 */
export function createBacktestClusters(intervalMs: number): BacktestClusters {
  const finished = new Map<string, FinishedRace[]>();
  const fresh = new Set<string>();
  const models = new Map<string, PublishedModel>();
  let dueMs = 0;
  let built = 0;
  return {
    find: (source, version) => {
      const model = models.get(source);
      return model?.version === version ? model : undefined;
    },
    add(record) {
      if (record.kind !== 'FinishedRace') return;
      const { source, correction, outcome, duration_sec } = record.value;
      if (correction || (outcome !== 'passed' && outcome !== 'failed') || !(duration_sec > 0)) return;
      const races = finished.get(source) ?? [];
      finished.set(source, races);
      races.push(record.value);
      if (races.length > 2 * MOST_RACES) races.splice(0, races.length - MOST_RACES);
      fresh.add(source);
    },
    due(nowMs, modelOf) {
      if (nowMs < dueMs) return [];
      dueMs = nowMs + intervalMs;
      const swaps: HistoryRecord[] = [];
      for (const source of fresh) {
        const races = finished.get(source)!.slice(-MOST_RACES);
        if (races.length < LEAST_RACES) continue;
        fresh.delete(source);
        const active = modelOf(source)?.clusterings.active ?? null;
        const model = rebuiltModel(source, races, `b${++built}`, nowMs, active === null ? null : { eps: active.published.eps, of: (race) => placeOfRace(active, race.title, sortedEntries(race.metadata))?.clusterId ?? null });
        if (model === null) continue;
        models.set(source, model);
        swaps.push({ kind: 'ModelSwap', value: { source, version: model.version, stage: 'active', share: 1, previous: null, at: nowMs } });
      }
      return swaps;
    },
  };
}

type Previous = { readonly eps: number; readonly of: (race: FinishedRace) => string | null };

function rebuiltModel(source: string, races: readonly FinishedRace[], version: string, nowMs: number, previous: Previous | null): PublishedModel | null {
  const packer = createRacePacker();
  for (const { title, metadata } of races) packer.add(title, metadata);
  const outcome = rebuildClusters({ races: packer.pack(), unseen: null, options: { ...defaultRebuildOptions, previousEps: previous?.eps ?? null } }, { report: () => true, nowMs: () => performance.now() });
  if (outcome.kind !== 'rebuilt') return null;
  return candidateOf({
    source, version, builtAtMs: nowMs, rebuilt: outcome.rebuilt, durationsSec: races.map(({ duration_sec }) => duration_sec), unseenDurationsSec: [],
    previous: previous === null ? null : races.map(previous.of),
  }).model;
}
