import { openModel } from '../cluster/model.ts';
import { clusterModelOf, publishedKey, type PublishedModel } from '../cluster/published-model.ts';
import { messageOf } from '../errors.ts';
import { instant } from '../history/rows.ts';
import { NO_VERSION } from '../forecast/model.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { RebuildPool } from '../ports/rebuild-pool.ts';
import type { LogRecord, RecordBatch, RecordLog, Subscription } from '../ports/record-log.ts';
import { partitionOf } from '../race/partition.ts';
import { fitModel } from '../rebuilds/fit-model.ts';
import type { JobStage } from '../rebuilds/job-stages.ts';
import { decidePhase, decideSwap, isAutomatic, needlessVersions, NO_EVIDENCE, settingsOf, type Decision, type Rollout, type SourceRollout } from '../rebuilds/rollout.ts';
import { LEAST_RACES, triggerOf, type WatchFigures } from '../rebuilds/triggers.ts';
import type { ClusterModels } from './cluster-models.ts';
import { measureFit, runRebuildJob, type JobOutcome } from './rebuild-job.ts';
import { sendRebuildRequest, type RebuildRequest } from './rebuild-requests.ts';
import { countAccepted, countNewRaces, countSources, errorRatioOf, lastRebuilds, loadRollout, pairedLosses, rebuildOf, storeDecision, storeRebuild, type RebuildRow } from './rebuild-store.ts';
import { every, pause, systemTimers, type Timers } from './timers.ts';

const GROUP = 'rebuilder';
const WATCH_INTERVAL_MS = 300_000;
const ROLLOUT_INTERVAL_MS = 60_000;
const RETRY_MS = 5_000;
const ASK_AGAIN_MS = 3_600_000;
/** A request older than this is answered by a later one. */
const STALE_REQUEST_MS = 86_400_000;

export type RunningRebuild = { readonly source: string; readonly requestId: string; readonly stage: JobStage; readonly ratio: number; readonly startedAtMs: number };

export type RebuilderHooks = {
  onStage(stage: string, elapsedMs: number): void;
  onRebuilt(status: RebuildRow['status'], trigger: string, elapsedMs: number): void;
  onSwap(stage: string, kind: string): void;
};

export type RebuilderOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly store: HistoryStore;
  readonly pool: RebuildPool;
  readonly clusterModels: ClusterModels;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks: RebuilderHooks;
  /** The source that is rebuilt first of all by itself; null = the one with most races. */
  readonly pilot: string | null;
  readonly timers?: Timers;
};

export type Rebuilder = {
  /** Rebuilds that run here; one at a time. */
  running(): RunningRebuild[];
  /** Looks for sources that want a rebuild, and asks for it. Called by a timer where this instance holds the requests. */
  watch(): Promise<void>;
  /** Promotes, withdraws and rolls back by what ClickHouse shows. Called by a timer. */
  stepRollouts(): Promise<void>;
  /** Cancels what runs: its request is taken up again by the next owner. Idempotent. */
  close(): Promise<void>;
};

/**
 * The role `rebuilder`: rebuilds clusters, judges them, and decides rollouts.
 *
 * **Delivery.** A request is committed once its report is in ClickHouse; one that is delivered again and has a report is
 * passed over. A model is published before the swap to it, the swap before its row: after a crash the decision is taken
 * again from the same evidence, and the same swap changes nothing. rebuild-requests has one partition, so one instance
 * decides at a time.
 */
export async function runRebuilder(options: RebuilderOptions): Promise<Rebuilder> {
  const { log, codec, store, pool, clusterModels, clock, logger, hooks, timers = systemTimers } = options;
  const historyPartitions = await log.partitionCount('race-history');
  const modelPartitions = await log.partitionCount('cluster-models');
  await clusterModels.caughtUp;
  const stopping = new AbortController();
  let running: RunningRebuild | null = null;
  /** By source: when the watch last asked, for the request may wait behind others. */
  const asked = new Map<string, number>();
  let subscription: Subscription | null = null;

  async function handle(request: RebuildRequest): Promise<void> {
    if (clock.nowMs() - request.at > STALE_REQUEST_MS) return;
    switch (request.action) {
      case 'rebuild': return request.source === '*' ? await requestAll(request) : await rebuild(request);
      case 'enable_all': return await enableAll(request);
      case 'reset': return await decide(phaseDecision('SingleSource', `Reset by ${request.requested_by ?? 'hand'}`));
      case 'promote': return await promote(request);
      case 'rollback': return await rollBack(request);
      case 'other': logger.warn({ request }, 'A request asks for something that this version does not know');
    }
  }

  async function requestAll({ trigger, requested_by }: RebuildRequest): Promise<void> {
    for (const { source, races } of await countSources(store)) {
      if (races >= LEAST_RACES) await ask({ source, trigger, requested_by, detail: 'All sources were asked for' });
    }
  }

  async function ask(of: Pick<RebuildRequest, 'source' | 'trigger' | 'requested_by' | 'detail'>): Promise<void> {
    await sendRebuildRequest(options, { ...of, action: 'rebuild', share: null });
  }

  async function rebuild(request: RebuildRequest): Promise<void> {
    const { source, request_id: requestId } = request;
    const known = await rebuildOf(store, requestId);
    if (known !== null && known.status !== 'running') return;
    const startedAtMs = clock.nowMs();
    const since = timers.monotonicMs();
    const version = startedAtMs.toString(36);
    let row = emptyRow(request, startedAtMs, version);
    await storeRebuild(store, row);
    const rollout = await loadRollout(store);
    const state = rollout.sources.get(source);
    const inForceVersion = state?.active ?? state?.candidate?.version ?? null;
    await clusterModels.refresh();
    const inForce = inForceVersion === null ? null : clusterModels.find(source, inForceVersion) ?? null;
    const publishedBefore = clusterModels.versionsOf(source);
    let outcome: JobOutcome;
    try {
      outcome = await runRebuildJob({
        source, version, builtAtMs: startedAtMs, store, pool, inForce, timers, signal: stopping.signal,
        onProgress: (stage, ratio) => {
          running = { source, requestId, stage, ratio, startedAtMs };
        },
      });
      if (outcome.kind !== 'done' && stopping.signal.aborted) throw stopping.signal.reason;
      row = { ...row, ...reportOf(outcome) };
      if (outcome.kind === 'done') {
        for (const [stage, ms] of Object.entries(outcome.stageMs)) hooks.onStage(stage, ms);
        const open = openModel(clusterModelOf(outcome.verdict.accepted || inForce === null ? outcome.model : inForce));
        const fit = await measureFit(store, source, open, timers);
        row = { ...row, watch_error_ratio: await errorRatioOf(store, source), watch_cohesion: fit?.cohesion ?? null, watch_noise_ratio: fit?.noiseRatio ?? null };
        if (outcome.verdict.accepted) {
          const model = await publish({ ...outcome.model, verdict: 'accepted', report: row.checks });
          if (model === null) row = { ...row, status: 'failed', message: 'The model does not fit into one record' };
          else {
            await decide(startOf(source, version, state));
            if (state !== undefined) await takeBack(source, needlessVersions(state, publishedBefore));
          }
        }
      }
    } finally {
      running = null;
    }
    await storeRebuild(store, { ...row, row_version: row.row_version + 1, finished_at: instant(clock.nowMs()) });
    hooks.onRebuilt(row.status, request.trigger, timers.monotonicMs() - since);
    logger.info({ source, requestId, version, status: row.status, message: row.message }, 'Rebuilt clusters');
  }

  async function publish(model: PublishedModel): Promise<PublishedModel | null> {
    const fitted = fitModel(model, (one) => codec.encode('cluster-models', one).length);
    if (fitted === null) return null;
    await log.append('cluster-models', partitionOf(model.source, modelPartitions), [{ key: Buffer.from(publishedKey(model.source, model.version)), value: codec.encode('cluster-models', fitted) }]);
    return fitted;
  }

  async function takeBack(source: string, versions: readonly string[]): Promise<void> {
    const records = versions.map((version) => ({ key: Buffer.from(publishedKey(source, version)), value: null }));
    if (records.length > 0) await log.append('cluster-models', partitionOf(source, modelPartitions), records);
  }

  function startOf(source: string, version: string, state: SourceRollout | undefined): Decision {
    const replaced = state?.candidate?.stage === 'shadow' ? ` It takes the place of ${state.candidate.version}.` : '';
    return { atMs: clock.nowMs(), source, stage: 'shadow', version, share: 1, previous: null, kind: 'start', reason: `Accepted.${replaced}` };
  }

  /** The one place where anything is decided: the log first, which all pipelines follow, then the row that says why. */
  async function decide(decision: Decision): Promise<void> {
    const { source, stage, version, share, previous, atMs, kind, reason } = decision;
    if (stage !== 'phase') {
      const swap = { source, version, stage, share, previous, at: atMs };
      await log.append('race-history', partitionOf(source, historyPartitions), [{ key: Buffer.from(source), value: codec.encode('race-history', swap, 'ModelSwap') }]);
    }
    await storeDecision(store, decision);
    hooks.onSwap(stage, kind);
    logger.info({ source, stage, version, share, kind, reason }, 'Decided on a rollout');
  }

  function phaseDecision(phase: Rollout['phase'], reason: string): Decision {
    return { atMs: clock.nowMs(), source: '*', stage: 'phase', version: phase, share: 1, previous: null, kind: 'phase', reason };
  }

  /** As in the origin: all sources at once, in the mode that the detail names. */
  async function enableAll({ detail, share, requested_by }: RebuildRequest): Promise<void> {
    const rollout = await loadRollout(store);
    const reason = `Enabled for all by ${requested_by ?? 'hand'}`;
    if (rollout.phase === 'SingleSource') await decide(phaseDecision('AllSourcesConservative', reason));
    if (detail !== 'canary' && detail !== 'production') return;
    for (const state of rollout.sources.values()) {
      const decision = promotionOf(rollout, state, detail === 'production' ? 'active' : 'canary', share, reason);
      if (decision !== null) await decide(decision);
    }
  }

  async function promote({ source, requested_by, share }: RebuildRequest): Promise<void> {
    const rollout = await loadRollout(store);
    const state = rollout.sources.get(source);
    const decision = state === undefined ? null : promotionOf(rollout, state, state.candidate?.stage === 'shadow' ? 'canary' : 'active', share, `Promoted by ${requested_by ?? 'hand'}`);
    if (decision === null) return logger.warn({ source }, 'Nothing to promote');
    await decide(decision);
  }

  /** null = the source has no candidate. */
  function promotionOf({ phase }: Rollout, { source, candidate, active }: SourceRollout, stage: 'canary' | 'active', share: number | null, reason: string): Decision | null {
    if (candidate === null) return null;
    const swap = { atMs: clock.nowMs(), source, version: candidate.version, kind: 'promote', reason } as const;
    return stage === 'active' ? { ...swap, stage, share: 1, previous: active ?? NO_VERSION } : { ...swap, stage, share: share ?? settingsOf(phase).canaryShare, previous: null };
  }

  /** A candidate is withdrawn; without one the version before comes back, and where there was none forecasts go on without clusters. */
  async function rollBack({ source, requested_by }: RebuildRequest): Promise<void> {
    const state = (await loadRollout(store)).sources.get(source);
    if (state === undefined) return logger.warn({ source }, 'Nothing to roll back');
    const swap = { atMs: clock.nowMs(), source, kind: 'rollback', previous: null, reason: `Rolled back by ${requested_by ?? 'hand'}` } as const;
    if (state.candidate !== null) return await decide({ ...swap, stage: state.candidate.stage, version: NO_VERSION, share: 0 });
    if (state.active === null) return logger.warn({ source }, 'Nothing to roll back');
    await decide({ ...swap, stage: 'active', version: state.previous ?? state.history.at(-2) ?? NO_VERSION, share: 1 });
  }

  async function watch(): Promise<void> {
    const rollout = await loadRollout(store);
    const counts = await countSources(store);
    const pilot = options.pilot ?? counts[0]?.source ?? null;
    const last = await lastRebuilds(store);
    for (const { source, races } of counts) {
      if (stopping.signal.aborted) return;
      if (races < LEAST_RACES || !isAutomatic(rollout, source, pilot) || clock.nowMs() - (asked.get(source) ?? -Infinity) < ASK_AGAIN_MS) continue;
      const before = last.get(source) ?? null;
      const fired = triggerOf({
        nowMs: clock.nowMs(), races, last: before, newRaces: before === null ? races : await countNewRaces(store, source, before.atMs),
        figures: await figuresOf(source, rollout.sources.get(source)),
      });
      if (fired === null) continue;
      asked.set(source, clock.nowMs());
      await ask({ source, trigger: fired.trigger, requested_by: 'watch', detail: fired.detail });
    }
  }

  async function figuresOf(source: string, state: SourceRollout | undefined): Promise<WatchFigures> {
    const errorRatio = await errorRatioOf(store, source);
    const version = state?.active ?? state?.candidate?.version ?? null;
    const model = version === null ? undefined : clusterModels.find(source, version);
    const fit = model === undefined ? null : await measureFit(store, source, openModel(clusterModelOf(model)), timers);
    return { errorRatio, cohesion: fit?.cohesion ?? null, noiseRatio: fit?.noiseRatio ?? null };
  }

  async function stepRollouts(): Promise<void> {
    const rollout = await loadRollout(store);
    for (const state of rollout.sources.values()) {
      const { source, active, previous, activeSinceMs, candidate } = state;
      if (candidate === null && previous === null) continue;
      const evidence = {
        candidate: candidate === null ? NO_EVIDENCE : await pairedLosses(store, { source, version: candidate.version, other: active ?? NO_VERSION, sinceMs: candidate.sinceMs }),
        active: active === null || previous === null ? NO_EVIDENCE : await pairedLosses(store, { source, version: active, other: previous, sinceMs: activeSinceMs }),
      };
      const decision = decideSwap(state, evidence, settingsOf(rollout.phase), clock.nowMs());
      if (decision !== null) await decide(decision);
    }
    const pilot = options.pilot ?? (await countSources(store))[0]?.source ?? null;
    const step = decidePhase(rollout, pilot, await countAccepted(store, rollout.phaseSinceMs), clock.nowMs());
    if (step !== null) await decide(step);
  }

  /** Tries again without end; gives up only when the service stops. */
  async function untilDone(request: RebuildRequest): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        return await handle(request);
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.warn({ source: request.source, requestId: request.request_id, error: messageOf(error) }, 'A request could not be dealt with; trying again');
        await pause(timers, RETRY_MS, stopping.signal);
      }
    }
  }

  async function onBatch({ topic, partition, records }: RecordBatch): Promise<void> {
    await codec.prepare(topic, records.map(({ value }) => value));
    for (const record of records) {
      const request = decodeRequest(record);
      if (request !== null) await untilDone(request);
      if (stopping.signal.aborted) return;
      await subscription?.commit({ topic, partition }, record.offset + 1);
    }
  }

  function decodeRequest({ value, offset }: LogRecord): RebuildRequest | null {
    const result = value === null ? null : codec.decode('rebuild-requests', value);
    if (result === null) return null;
    if (!('error' in result)) return result.decoded.value as RebuildRequest;
    logger.error({ offset, ...result.error }, 'Cannot read a rebuild request');
    return null;
  }

  subscription = await log.subscribe({ group: GROUP, topics: ['rebuild-requests'], maxBatchRecords: 10, handler: { onAssigned: async () => undefined, onRevoked: async () => undefined, onBatch } });

  /** Never twice at once, and only where the requests come: others would decide the same. */
  function regularly(intervalMs: number, what: string, work: () => Promise<void>): () => void {
    let current: Promise<void> | null = null;
    return every(timers, intervalMs, () => {
      if (current !== null || subscription?.assigned().length === 0) return;
      const one = work().catch((error: unknown) => logger.warn({ error: messageOf(error) }, `${what} failed; trying again`)).finally(() => {
        current = null;
        pending.delete(one);
      });
      current = one;
      pending.add(one);
    });
  }
  const pending = new Set<Promise<void>>();
  const stopTimers = [regularly(WATCH_INTERVAL_MS, 'Looking for sources to rebuild', watch), regularly(ROLLOUT_INTERVAL_MS, 'Deciding on rollouts', stepRollouts)];

  let closing: Promise<void> | null = null;
  async function shutDown(): Promise<void> {
    for (const stop of stopTimers) stop();
    stopping.abort(new Error('The service stops'));
    await pool.close();
    await subscription?.close();
    await Promise.allSettled(pending);
  }
  return { running: () => (running === null ? [] : [running]), watch, stepRollouts, close: () => (closing ??= shutDown()) };
}

function emptyRow({ source, request_id, trigger, requested_by, detail }: RebuildRequest, startedAtMs: number, version: string): RebuildRow {
  return {
    source, request_id, row_version: startedAtMs * 2, trigger, requested_by: requested_by ?? '', detail: detail ?? '', status: 'running', message: '', started_at: instant(startedAtMs), finished_at: null, version,
    races: 0, unseen: 0, distinct: 0, clusters: 0, eps: null, eps_rule: '', exact: false, distance_calls: 0, noise_ratio: null, cohesion: null, silhouette: null, agreement: null,
    judged: 0, loss: null, in_force_loss: null, loss_difference: null, loss_difference_error: null, mae_sec: null, in_force_mae_sec: null, within20: null, in_force_within20: null, coverage: null, in_force_coverage: null,
    checks: '[]', stage_ms: {}, watch_error_ratio: null, watch_cohesion: null, watch_noise_ratio: null,
  };
}

function reportOf(outcome: JobOutcome): Partial<RebuildRow> {
  if (outcome.kind !== 'done') return { status: outcome.kind, message: outcome.message };
  const { rebuilt, trial, verdict, model, unseen, stageMs } = outcome;
  const reasons = verdict.checks.filter(({ passed }) => !passed).map(({ reason }) => reason);
  return {
    status: verdict.accepted ? 'accepted' : 'refused', message: verdict.accepted ? 'Every check passed' : reasons.join('; '),
    races: rebuilt.races, unseen, distinct: rebuilt.distinct, clusters: rebuilt.clusters.length, eps: rebuilt.eps, eps_rule: rebuilt.rule, exact: rebuilt.exact, distance_calls: rebuilt.distanceCalls,
    noise_ratio: rebuilt.noiseRatio, cohesion: rebuilt.cohesion, silhouette: rebuilt.silhouette, agreement: model.agreement,
    judged: trial.races, loss: trial.candidate.loss, in_force_loss: trial.inForce.loss, loss_difference: trial.lossDifference, loss_difference_error: Number.isFinite(trial.lossDifferenceError) ? trial.lossDifferenceError : null,
    mae_sec: trial.candidate.maeSec, in_force_mae_sec: trial.inForce.maeSec, within20: trial.candidate.within20, in_force_within20: trial.inForce.within20, coverage: trial.candidate.coverage, in_force_coverage: trial.inForce.coverage,
    checks: JSON.stringify(verdict.checks), stage_ms: { ...stageMs },
  };
}
