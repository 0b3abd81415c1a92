import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import type { FinishedRace, HistoryRecord } from '../../../src/forecast/history-record.ts';
import { encodeModel } from '../../../src/forecast/model.ts';
import { forecastErrorRows, raceRow } from '../../../src/history/rows.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import type { ClusterModels } from '../../../src/runtime/cluster-models.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import type { Rebuilder } from '../../../src/runtime/rebuilder.ts';
import type { RebuildRequest } from '../../../src/runtime/rebuild-requests.ts';
import { loadRollout, rebuildOf, type RebuildRow } from '../../../src/runtime/rebuild-store.ts';
import { checkpoint, finishedRace } from '../../support/clickhouse/history-records.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { openServedHistory, type ServedHistory } from '../../support/clickhouse/served-history.ts';
import { raceFleet } from '../../support/race-fleet.ts';
import { openRebuildStack, STACK_PARTITIONS, type RebuildStack } from '../../support/rebuild-stack.ts';
import { seededRandom } from '../../support/random.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { raceOf } from '../../unit/forecast/race-builder.ts';

const SOURCE = 'ci/fleet';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
let nowMs = Date.UTC(2026, 10, 25);
const clock = { nowMs: () => nowMs };

let history: ServedHistory;
let stack: RebuildStack;
let store: HistoryStore;
let codec: Codec;
let log: RecordLog;
let clusterModels: ClusterModels;
let rebuilder: Rebuilder;
let learner: Learner;
let races: FinishedRace[];

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 25);
  history = await openServedHistory();
  ({ store } = history);
  stack = await openRebuildStack({ store, clock });
  ({ log, codec, clusterModels, learner } = stack);
  rebuilder = await stack.openRebuilder();
  races = fleetOf(700, 1);
  await insertRaces(races);
});

afterEach(async () => {
  await rebuilder.close();
  await stack.close();
  await history.close();
});

describe('the rebuilder', () => {
  it('rebuilds, judges on races it has not seen, publishes, and puts the model on trial; a learner that starts anew comes to the same', async () => {
    const row = await rebuild('first');
    expect(row.status, row.message).toBe('accepted');
    expect(row).toMatchObject({ races: 560, unseen: 140, judged: 140, agreement: null });
    expect(row.loss!).toBeLessThan(row.in_force_loss!);
    expect(JSON.parse(row.checks)).toHaveLength(6);
    expect(Object.keys(row.stage_ms)).toEqual(expect.arrayContaining(['read', 'cores', 'validate']));
    await teach(races);
    const model = await waitUntil('the learner has the model', () => { const known = learner.modelOf(SOURCE); return known?.clusterings.shadow && known.taught === races.length ? known : null; });
    expect(model.versions).toMatchObject({ shadow: row.version, canary: null, active: null });
    const again = await runLearner({ log, codec, clock, logger: silentLogger });
    await again.caughtUp;
    expect(Buffer.from(encodeModel(again.modelOf(SOURCE)!)).equals(Buffer.from(encodeModel(model)))).toBe(true);
    await again.close();
  }, 120_000);

  it('an active model carries an unseen title; promoted by hand, and rolled back to forecasts without clusters', async () => {
    await teach(races);
    const { version } = await rebuild('first');
    await ask({ action: 'promote' });
    await ask({ action: 'promote' });
    const model = await waitUntil('the version is active', () => { const known = learner.modelOf(SOURCE); return known?.versions.active === version && known.taught === races.length ? known : null; });
    const like = races.find(({ title }) => /#\d+$/.test(title));
    const unseen = raceOf({ race_id: 'x', source: SOURCE, title: like!.title.replace(/#\d+$/, '(again)'), metadata: entries(like!.metadata), started_at: nowMs });
    const forecast = forecastRace(model, unseen, nowMs);
    expect(forecast).toMatchObject({ basis: 'cluster', clusterVersion: version });
    expect(forecast.clusterId).not.toBeNull();
    await ask({ action: 'rollback' });
    await waitUntil('nothing is active', () => learner.modelOf(SOURCE)?.versions.active === null);
    expect(forecastRace(learner.modelOf(SOURCE), { ...unseen, race_id: 'y' }, nowMs)).toMatchObject({ clusterId: null, clusterVersion: null });
  }, 120_000);

  it('shadow, canary, active by the evidence of pairs alone; a canary that turns bad is rolled back by itself', async () => {
    const { version } = await rebuild('first');
    nowMs += DAY_MS + 1;
    await rebuilder.stepRollouts();
    expect(await candidate()).toMatchObject({ version, stage: 'shadow' });
    await insertPairs('good', 150, { served: '', servedLoss: 0.3, other: version, otherLoss: 0.2, role: 'shadow' });
    await rebuilder.stepRollouts();
    expect(await candidate()).toMatchObject({ version, stage: 'canary', share: 0.1 });
    await insertPairs('young', 150, { served: '', servedLoss: 0.3, other: version, otherLoss: 0.2, role: 'canary' });
    await rebuilder.stepRollouts();
    expect(await candidate(), 'the time of a canary is not over').toMatchObject({ stage: 'canary' });
    nowMs += 1_000;
    await insertPairs('bad', 60, { served: version, servedLoss: 1.5, other: '', otherLoss: 0.2, role: 'canary' });
    await rebuilder.stepRollouts();
    const state = await loadRollout(store);
    expect(state.sources.get(SOURCE)).toMatchObject({ active: null, candidate: null });
    expect(state.rollbacks).toBe(1);
    await waitUntil('the learner has taken it away', () => learner.modelOf(SOURCE)?.versions.canary === null);
    const [last] = await store.query<{ kind: string; reason: string }>('SELECT kind, reason FROM v_model_swaps ORDER BY decided_at DESC LIMIT 1');
    expect(last).toMatchObject({ kind: 'rollback', reason: expect.stringContaining('is worse than what is in force') });
  }, 120_000);

  it('a thread that runs out of memory fails one rebuild; the model in force serves on, and the next rebuild works', async () => {
    const { version } = await rebuild('first');
    await ask({ action: 'promote' });
    await ask({ action: 'promote' });
    await waitUntil('the version is active', () => learner.modelOf(SOURCE)?.versions.active === version);
    await rebuilder.close();
    rebuilder = await stack.openRebuilder(12);
    nowMs += HOUR_MS;
    await insertRaces(fleetOf(60_000, 2));
    const failed = await rebuild('starved');
    expect(failed).toMatchObject({ status: 'failed', message: expect.stringContaining('out_of_memory') });
    expect((await loadRollout(store)).sources.get(SOURCE)).toMatchObject({ active: version });
    expect(learner.modelOf(SOURCE)?.clusterings.active?.version).toBe(version);
    await rebuilder.close();
    rebuilder = await stack.openRebuilder();
    nowMs += HOUR_MS;
    expect(['accepted', 'refused']).toContain((await rebuild('fed')).status);
  }, 180_000);

  it('a rebuild that was killed half-way is done again by the next owner, from the start, once', async () => {
    await insertRaces(fleetOf(20_000, 2));
    await append('killed', {});
    await waitUntil('it runs', () => rebuilder.running().length > 0);
    await rebuilder.close();
    expect(clusterModels.sources()).toEqual([]);
    expect(await rebuildOf(store, 'killed')).toMatchObject({ status: 'running' });
    nowMs += 60_000;
    rebuilder = await stack.openRebuilder();
    const row = await waitUntil('it is done', async () => { const found = await rebuildOf(store, 'killed'); return found?.status === 'running' ? null : found; }, 60_000);
    expect(['accepted', 'refused']).toContain(row.status);
    const [count] = await store.query<{ n: number }>('SELECT count() AS n FROM v_rebuilds');
    expect(Number(count!.n)).toBe(1);
  }, 180_000);

  it('versions that nobody needs any more are taken back; the one that serves stays', async () => {
    const { version } = await rebuild('first');
    await ask({ action: 'promote' });
    await ask({ action: 'promote' });
    for (let n = 0; n < 8; n++) {
      nowMs += HOUR_MS;
      expect(await rebuild(`again-${n}`)).toMatchObject({ status: 'accepted' });
    }
    await clusterModels.refresh();
    expect(clusterModels.versionsOf(SOURCE)).toHaveLength(7);
    expect(clusterModels.has(SOURCE, version)).toBe(true);
    expect(learner.modelOf(SOURCE)?.clusterings.active?.version).toBe(version);
  }, 180_000);

  it('the watch asks for the pilot only, once, and for all after enable_all', async () => {
    await insertRaces(fleetOf(200, 3, 'ci/other'));
    await rebuilder.watch();
    await rebuilder.watch();
    await waitUntil('the pilot was rebuilt', async () => (await store.query(`SELECT 1 FROM v_rebuilds WHERE status != 'running'`)).length === 1);
    expect(await store.query('SELECT source, trigger FROM v_rebuilds')).toEqual([{ source: SOURCE, trigger: 'volume' }]);
    await ask({ action: 'enable_all', source: '*', detail: 'shadow' });
    await waitUntil('the phase is on', async () => (await loadRollout(store)).phase === 'AllSourcesConservative');
    await rebuilder.watch();
    await waitUntil('the other was rebuilt', async () => (await store.query(`SELECT 1 FROM v_rebuilds WHERE status != 'running' AND source = 'ci/other'`)).length === 1);
    await ask({ action: 'reset', source: '*' });
    await waitUntil('the phase is back', async () => (await loadRollout(store)).phase === 'SingleSource');
  }, 120_000);
});

/** Distinct titles with few metadata, so that only clusters tell them apart; a template has its own duration. */
function fleetOf(count: number, seed: number, source = SOURCE): FinishedRace[] {
  const random = seededRandom(seed);
  return raceFleet({ seed, races: count, metadata: 'weak' }).map(({ id, title, template, metadata }, n) => {
    const startedAt = nowMs - 30 * DAY_MS + n * 60_000;
    const durationSec = 20 * 1.7 ** (template % 9) * Math.exp(0.1 * (random() - 0.5));
    return finishedRace(n, { race_id: id, source, title, metadata: { ...metadata }, started_at: startedAt, completed_at: Math.round(startedAt + durationSec * 1_000), duration_sec: durationSec, stages: [], checkpoints: [], first_offset: n });
  });
}

async function insertRaces(all: readonly FinishedRace[]): Promise<void> {
  for (let at = 0; at < all.length; at += 5_000) {
    const page = all.slice(at, at + 5_000);
    await store.insert('races', page.map((race, i) => raceRow(race, { topic: 'race-history', partition: 0, offset: at + i, appendedAtMs: nowMs })), `races:${page[0]!.race_id}`);
  }
}

async function teach(all: readonly FinishedRace[]): Promise<void> {
  const records = all.map((value) => ({ key: Buffer.from(SOURCE), value: codec.encode('race-history', value, 'FinishedRace' satisfies HistoryRecord['kind']) }));
  await log.append('race-history', partitionOf(SOURCE, STACK_PARTITIONS), records);
}

type Pairs = { served: string; servedLoss: number; other: string; otherLoss: number; role: 'shadow' | 'canary' };

async function insertPairs(name: string, count: number, { served, servedLoss, other, otherLoss, role }: Pairs): Promise<void> {
  const at = (version: string): string => (version === '' ? '0@1' : `0@1/${version}`);
  const rows = Array.from({ length: count }, (_, n) => {
    const said = (loss: number, version: string, as: 'served' | 'shadow' | 'canary') => checkpoint({ issued_at: nowMs + n, eta_sec: 100 * Math.exp(loss + 0.01 * (n % 5)), model_version: at(version), role: as });
    const race = finishedRace(n, { race_id: `${name}-${n}`, source: SOURCE, checkpoints: [said(servedLoss, served, 'served'), said(otherLoss, other, role)] });
    return forecastErrorRows(race, { topic: 'race-history', partition: 0, offset: n, appendedAtMs: nowMs });
  });
  await store.insert('forecast_errors', rows.flat(), `pairs:${name}`);
}

async function candidate() {
  return (await loadRollout(store)).sources.get(SOURCE)?.candidate;
}

function entries(metadata: Readonly<Record<string, string>>) {
  return Object.keys(metadata).sort().map((key) => ({ key, value: metadata[key]!, at: 0 }));
}

async function rebuild(id: string): Promise<RebuildRow> {
  await append(id, {});
  return await waitUntil('the rebuild is done', async () => {
    const row = await rebuildOf(store, id);
    return row === null || row.status === 'running' ? null : row;
  }, 90_000);
}

let asked = 0;
/** Resolves when it was dealt with. */
async function ask(of: Partial<RebuildRequest>): Promise<void> {
  nowMs += 1;
  await append(`ask-${++asked}`, of);
  await waitUntil('the request is dealt with', async () => (await log.groupOffsets('rebuilder', 'rebuild-requests'))[0]?.offset === (await log.endOffsets('rebuild-requests'))[0]);
}

async function append(requestId: string, of: Partial<RebuildRequest>): Promise<void> {
  const request: RebuildRequest = { source: SOURCE, request_id: requestId, at: nowMs, trigger: 'manual', requested_by: 'test', detail: null, action: 'rebuild', share: null, ...of };
  await log.append('rebuild-requests', 0, [{ key: Buffer.from(request.source), value: codec.encode('rebuild-requests', request) }]);
}
