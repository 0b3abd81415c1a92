import { instant } from '../history/rows.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import { applyDecision, emptyRollout, NEWEST_PAIRS, NO_PAIRS, type Decision, type Evidence, type PairedLoss, type Rollout } from '../rebuilds/rollout.ts';
import type { WatchFigures } from '../rebuilds/triggers.ts';

// What the rebuilder reads from and writes to ClickHouse.

/** A row of the table rebuilds; instants as text in UTC. */
export type RebuildRow = {
  source: string; request_id: string; row_version: number; trigger: string; requested_by: string; detail: string;
  status: 'running' | 'accepted' | 'refused' | 'failed' | 'cancelled' | 'skipped'; message: string; started_at: string; finished_at: string | null; version: string;
  races: number; unseen: number; distinct: number; clusters: number; eps: number | null; eps_rule: string; exact: boolean; distance_calls: number;
  noise_ratio: number | null; cohesion: number | null; silhouette: number | null; agreement: number | null;
  judged: number; loss: number | null; in_force_loss: number | null; loss_difference: number | null; loss_difference_error: number | null;
  mae_sec: number | null; in_force_mae_sec: number | null; within20: number | null; in_force_within20: number | null; coverage: number | null; in_force_coverage: number | null;
  checks: string; stage_ms: Record<string, number>; watch_error_ratio: number | null; watch_cohesion: number | null; watch_noise_ratio: number | null;
};

/** A finished race as a rebuild needs it. `metadata` as JSON: a fleet sends the same text again and again. */
export type PastRace = {
  race_id: string; attempt: number; title: string; metadata: string; duration_sec: number; passed: boolean | number; started_at_ms: number; completed_at_ms: number;
};

const PAGE = 5_000;

/** The newest races of a source that passed or failed, newest first, in pages: the event loop must not wait for the reading of all of them. */
export async function* readPastRaces(store: HistoryStore, source: string, most: number): AsyncGenerator<PastRace[]> {
  let after: PastRace | null = null;
  for (let read = 0; read < most;) {
    const limit = Math.min(PAGE, most - read);
    const page: PastRace[] = await store.query<PastRace>(
      `SELECT race_id, attempt, title, toJSONString(metadata) AS metadata, duration_sec, outcome = 'passed' AS passed,
        toUnixTimestamp64Milli(started_at) AS started_at_ms, toUnixTimestamp64Milli(completed_at) AS completed_at_ms
      FROM races FINAL
      WHERE source = {source:String} AND outcome IN ('passed', 'failed') AND duration_sec > 0
      ${after === null ? '' : 'AND (completed_at, race_id, attempt) < (fromUnixTimestamp64Milli({atMs:Int64}), {raceId:String}, {attempt:UInt32})'}
      ORDER BY completed_at DESC, race_id DESC, attempt DESC LIMIT {limit:UInt32}`,
      { source, limit, ...(after === null ? {} : { atMs: Number(after.completed_at_ms), raceId: after.race_id, attempt: Number(after.attempt) }) },
    );
    if (page.length > 0) yield page;
    if (page.length < limit) return;
    read += page.length;
    after = page.at(-1)!;
  }
}

/** By source: finished races, those with most first. */
export async function countSources(store: HistoryStore): Promise<{ source: string; races: number }[]> {
  const rows = await store.query<{ source: string; races: number | string }>(
    `SELECT source, countIf(NOT is_correction) AS races FROM races WHERE outcome IN ('passed', 'failed') GROUP BY source ORDER BY races DESC, source LIMIT 10000`,
  );
  return rows.map(({ source, races }) => ({ source, races: Number(races) }));
}

export async function countNewRaces(store: HistoryStore, source: string, sinceMs: number): Promise<number> {
  const [row] = await store.query<{ n: number | string }>(
    `SELECT count() AS n FROM races WHERE source = {source:String} AND outcome IN ('passed', 'failed') AND NOT is_correction AND ingested_at > fromUnixTimestamp64Milli({sinceMs:Int64})`, { source, sinceMs },
  );
  return Number(row?.n ?? 0);
}

/** Mean error at submission over the median duration, of the newest 1,000 races that were forecast; null below 20. */
export async function errorRatioOf(store: HistoryStore, source: string): Promise<number | null> {
  const [row] = await store.query<{ n: number | string; ratio: number | null }>(
    `SELECT count() AS n, avg(abs(error_sec)) / nullIf(quantileExact(0.5)(truth_sec), 0) AS ratio FROM
      (SELECT error_sec, truth_sec FROM forecast_errors FINAL WHERE source = {source:String} AND role = 'served' AND checkpoint = 0 ORDER BY completed_at DESC LIMIT 1000)`, { source },
  );
  return row === undefined || Number(row.n) < 20 ? null : row.ratio;
}

export type LastRebuild = { readonly atMs: number; readonly failed: boolean; readonly figures: WatchFigures };

/** By source: its last rebuild that was not skipped. */
export async function lastRebuilds(store: HistoryStore): Promise<Map<string, LastRebuild>> {
  const rows = await store.query<{ source: string; at_ms: number | string; last_status: string; error_ratio: number | null; last_cohesion: number | null; last_noise: number | null }>(
    `SELECT source, toUnixTimestamp64Milli(max(started_at)) AS at_ms, argMax(status, started_at) AS last_status,
      argMax(tuple(watch_error_ratio), started_at).1 AS error_ratio, argMax(tuple(watch_cohesion), started_at).1 AS last_cohesion, argMax(tuple(watch_noise_ratio), started_at).1 AS last_noise
    FROM v_rebuilds WHERE status NOT IN ('skipped') GROUP BY source`,
  );
  return new Map(rows.map(({ source, at_ms, last_status, error_ratio, last_cohesion, last_noise }) => [source, {
    atMs: Number(at_ms), failed: last_status === 'failed', figures: { errorRatio: error_ratio, cohesion: last_cohesion, noiseRatio: last_noise },
  }]));
}

export async function rebuildOf(store: HistoryStore, requestId: string): Promise<RebuildRow | null> {
  const [row] = await store.query<RebuildRow>('SELECT * FROM v_rebuilds WHERE request_id = {requestId:String} LIMIT 1', { requestId });
  return row ?? null;
}

/** Accepted rebuilds by source, of those that began since. */
export async function countAccepted(store: HistoryStore, sinceMs: number): Promise<Map<string, number>> {
  const rows = await store.query<{ source: string; n: number | string }>(
    `SELECT source, count() AS n FROM v_rebuilds WHERE status = 'accepted' AND started_at >= fromUnixTimestamp64Milli({sinceMs:Int64}) GROUP BY source`, { sinceMs },
  );
  return new Map(rows.map(({ source, n }) => [source, Number(n)]));
}

type SwapRow = { decided_at_ms: number | string; source: string; stage: Decision['stage']; version: string; share: number; previous: string | null; kind: Decision['kind']; reason: string };

/** Where all rollouts stand, from the decisions so far. */
export async function loadRollout(store: HistoryStore): Promise<Rollout> {
  const rows = await store.query<SwapRow>(
    'SELECT toUnixTimestamp64Milli(decided_at) AS decided_at_ms, source, stage, version, share, previous, kind, reason FROM v_model_swaps ORDER BY decided_at, source, stage',
  );
  return rows.reduce((rollout, { decided_at_ms, ...decision }) => applyDecision(rollout, { ...decision, atMs: Number(decided_at_ms) }), emptyRollout());
}

export async function storeDecision(store: HistoryStore, { atMs, source, stage, version, share, previous, kind, reason }: Decision): Promise<void> {
  await store.insert('model_swaps', [{ decided_at: instant(atMs), source, stage, version, share, previous, kind, reason }], `swap:${atMs}:${source}:${stage}:${version}`);
}

export async function storeRebuild(store: HistoryStore, row: RebuildRow): Promise<void> {
  await store.insert('rebuilds', [row], `rebuild:${row.request_id}:${row.row_version}`);
}

type Pair = { readonly source: string; readonly version: string; readonly other: string; readonly sinceMs: number };

/** The paired losses at submission of a version against another, on races forecast since. */
export async function pairedLosses(store: HistoryStore, pair: Pair): Promise<Evidence> {
  return { all: await pairedLoss(store, pair, MOST_PAIRS), newest: await pairedLoss(store, pair, NEWEST_PAIRS) };
}

/** Beyond so many nothing is to be learned. */
const MOST_PAIRS = 100_000;

async function pairedLoss(store: HistoryStore, pair: Pair, newest: number): Promise<PairedLoss> {
  const [row] = await store.query<{ pairs: number | string; difference: number | null; error: number | null; other_loss: number | null }>(
    `SELECT count() AS pairs, avg(less) AS difference, stddevSamp(less) / sqrt(count()) AS error, avg(loss) AS other_loss FROM
      (SELECT if(served_version = {version:String}, served_loss - other_loss, other_loss - served_loss) AS less, if(served_version = {version:String}, other_loss, served_loss) AS loss
      FROM v_paired_losses
      WHERE source = {source:String} AND issued_at >= fromUnixTimestamp64Milli({sinceMs:Int64})
        AND ((served_version = {version:String} AND other_version = {other:String}) OR (served_version = {other:String} AND other_version = {version:String}))
      ORDER BY issued_at DESC LIMIT {newest:UInt32})`, { ...pair, newest },
  );
  const pairs = Number(row?.pairs ?? 0);
  if (row === undefined || pairs === 0) return NO_PAIRS;
  return { pairs, difference: row.difference ?? 0, error: pairs < 2 || row.error === null ? Infinity : row.error, otherLoss: row.other_loss ?? 0 };
}
