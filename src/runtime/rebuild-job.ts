import { assignRace, type AssignableModel } from '../cluster/model.ts';
import { createRacePacker, type PackedRaces } from '../cluster/packed-races.ts';
import type { PublishedModel } from '../cluster/published-model.ts';
import { defaultRebuildOptions, type Rebuilt } from '../cluster/rebuild.ts';
import type { Stage } from '../cluster/work.ts';
import { openClustering, placeOfRace, type Clustering } from '../forecast/clusterings.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import type { RebuildPool } from '../ports/rebuild-pool.ts';
import { sortedEntries } from '../race/metadata.ts';
import { candidateOf } from '../rebuilds/candidate.ts';
import type { JobStage } from '../rebuilds/job-stages.ts';
import { MOST_SEEN, MOST_UNSEEN, runTrial, type TrialRace, type TrialResult } from '../rebuilds/trial.ts';
import { LEAST_RACES } from '../rebuilds/triggers.ts';
import { judgeCandidate, type Verdict } from '../rebuilds/verdict.ts';
import { readPastRaces } from './rebuild-store.ts';
import type { Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

/** Specified. */
const MOST_RACES = 100_000;
/** Of the races, the newest, which the candidate does not see. Specified. */
const UNSEEN_SHARE = 0.2;
/** Seen races whose cluster in the model in force is looked up, the newest: for stable ids and agreement. A second's work. Chosen. */
const MOST_COMPARED = 20_000;
/** Races that a watch looks at. Chosen. */
const MOST_WATCHED = 1_000;

export type JobOptions = {
  readonly source: string;
  readonly version: string;
  readonly builtAtMs: number;
  readonly store: HistoryStore;
  readonly pool: RebuildPool;
  /** The model that serves, or would if the source has one only on trial; null = none. */
  readonly inForce: PublishedModel | null;
  readonly timers: Timers;
  readonly signal: AbortSignal;
  readonly onProgress: (stage: JobStage, ratio: number) => void;
};

export type JobOutcome =
  | { readonly kind: 'done'; readonly model: PublishedModel; readonly rebuilt: Rebuilt; readonly trial: TrialResult; readonly verdict: Verdict; readonly unseen: number; readonly stageMs: Readonly<Record<string, number>> }
  | { readonly kind: 'skipped' | 'cancelled' | 'failed'; readonly message: string };

/**
 * One rebuild of one source, without any effect: reads its races, has the pool cluster the older four fifths, and holds
 * the result against the model in force on the others. The event loop is given away all along.
 */
export async function runRebuildJob(options: JobOptions): Promise<JobOutcome> {
  const { source, version, builtAtMs, store, pool, inForce, timers, signal, onProgress } = options;
  const startedAtMs = timers.monotonicMs();
  onProgress('read', 0);
  const races = await readRaces(store, source, (ratio) => onProgress('read', ratio));
  if (races.length < LEAST_RACES) return { kind: 'skipped', message: `${source} has ${races.length} finished races, ${LEAST_RACES} are needed` };
  const readAtMs = timers.monotonicMs();
  const seen = races.slice(0, races.length - Math.floor(UNSEEN_SHARE * races.length));
  const unseen = races.slice(seen.length);
  const turn = beginTurn(timers);
  const pauseIfOver = async (): Promise<void> => {
    signal.throwIfAborted();
    if (turn.isOver()) await turn.next();
  };
  const outcome = await pool.rebuild(source, {
    races: await pack(seen, pauseIfOver), unseen: await pack(unseen, pauseIfOver), options: { ...defaultRebuildOptions, previousEps: inForce?.eps ?? null },
  }, { signal, onProgress: (stage: Stage, ratio) => onProgress(stage, ratio) });
  if (outcome.kind === 'cancelled') return { kind: 'cancelled', message: 'It was cancelled' };
  if (outcome.kind === 'busy') return { kind: 'skipped', message: `No thread takes it: ${outcome.because}` };
  if (outcome.kind === 'refused') return { kind: 'failed', message: outcome.message };
  if (outcome.kind === 'failed') return { kind: 'failed', message: `${outcome.because}: ${outcome.message}` };
  const { rebuilt } = outcome;
  const rebuiltAtMs = timers.monotonicMs();
  onProgress('validate', 0);
  const clustering = inForce === null ? null : openClustering(inForce);
  const previous = clustering === null ? null : await placeAll(clustering, seen, MOST_COMPARED, pauseIfOver);
  const unseenInForce = clustering === null ? null : await placeAll(clustering, unseen.slice(0, MOST_UNSEEN), MOST_UNSEEN, pauseIfOver);
  const naming = { source, version, builtAtMs, rebuilt, previous, durationsSec: seen.map(({ durationSec }) => durationSec) };
  // On trial it may not know how the unseen races ended; once accepted, it begins with them.
  const { model, ids, unseenIds } = candidateOf({ ...naming, unseenDurationsSec: [] });
  const steps = runTrial({
    candidate: model,
    seen: seen.slice(-MOST_SEEN).map((race, i, { length }) => ({ ...race, candidateId: ids[seen.length - length + i]!, inForceId: previous?.[seen.length - length + i] ?? null })),
    unseen: unseen.slice(0, MOST_UNSEEN).map((race, i) => ({ ...race, candidateId: unseenIds[i] ?? null, inForceId: unseenInForce?.[i] ?? null })),
  });
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) await pauseIfOver();
  const trial = step.value;
  const verdict = judgeCandidate({ noiseRatio: rebuilt.noiseRatio, clusterSizes: rebuilt.clusters.map(({ size }) => size), agreement: model.agreement, trial });
  const stageMs = { read: Math.round(readAtMs - startedAtMs), ...rebuilt.stageMs, validate: Math.round(timers.monotonicMs() - rebuiltAtMs) };
  return { kind: 'done', model: candidateOf({ ...naming, unseenDurationsSec: unseen.map(({ durationSec }) => durationSec) }).model, rebuilt, trial, verdict, unseen: unseen.length, stageMs };
}

type PastTrialRace = Omit<TrialRace, 'candidateId' | 'inForceId'>;

/** In the order of their ends. */
async function readRaces(store: HistoryStore, source: string, onProgress: (ratio: number) => void): Promise<PastTrialRace[]> {
  // A fleet sends the same text again and again: it is parsed, and kept, once.
  const sets = new Map<string, PastTrialRace['metadata']>();
  const races: PastTrialRace[] = [];
  for await (const page of readPastRaces(store, source, MOST_RACES)) {
    for (const { title, metadata: text, duration_sec, passed, started_at_ms, completed_at_ms } of page) {
      let metadata = sets.get(text);
      if (metadata === undefined) {
        metadata = sortedEntries(JSON.parse(text) as Record<string, string>);
        sets.set(text, metadata);
      }
      races.push({ title, metadata, startedAtMs: Number(started_at_ms), completedAtMs: Number(completed_at_ms), durationSec: duration_sec, hasPassed: Boolean(Number(passed)) });
    }
    onProgress(races.length / MOST_RACES);
  }
  return races.reverse();
}

async function pack(races: readonly PastTrialRace[], pauseIfOver: () => Promise<void>): Promise<PackedRaces> {
  const packer = createRacePacker();
  const known = new Map<PastTrialRace['metadata'], number>();
  for (const { title, metadata } of races) {
    let set = known.get(metadata);
    if (set === undefined) known.set(metadata, set = packer.internSet(recordOf(metadata)));
    packer.addWithSet(title, set);
    await pauseIfOver();
  }
  return packer.pack();
}

function recordOf(metadata: PastTrialRace['metadata']): Record<string, string> {
  return Object.fromEntries(metadata.map(({ key, value }) => [key, value!]));
}

/** The clusters of the newest `most`; null for the others. */
async function placeAll(clustering: Clustering, races: readonly PastTrialRace[], most: number, pauseIfOver: () => Promise<void>): Promise<(string | null)[]> {
  const placed: (string | null)[] = Array.from(races, () => null);
  for (let i = Math.max(0, races.length - most); i < races.length; i++) {
    placed[i] = placeOfRace(clustering, races[i]!.title, races[i]!.metadata)?.clusterId ?? null;
    await pauseIfOver();
  }
  return placed;
}

/** How the newest races fit into a model: what a watch goes by. null = no races. */
export async function measureFit(store: HistoryStore, source: string, model: AssignableModel, timers: Timers): Promise<{ readonly noiseRatio: number; readonly cohesion: number | null } | null> {
  let [races, placed, nearness] = [0, 0, 0];
  const turn = beginTurn(timers);
  for await (const page of readPastRaces(store, source, MOST_WATCHED)) {
    for (const { title, metadata } of page) {
      const found = assignRace(model, { title, metadata: JSON.parse(metadata) as Record<string, string> });
      races += 1;
      if (found !== null) {
        placed += 1;
        nearness += 1 - found.distance;
      }
      if (turn.isOver()) await turn.next();
    }
  }
  return races === 0 ? null : { noiseRatio: 1 - placed / races, cohesion: placed === 0 ? null : nearness / placed };
}
