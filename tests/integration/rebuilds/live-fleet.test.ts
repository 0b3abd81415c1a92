import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Codec } from '../../../src/ports/codec.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { emptyUpdate, type RaceUpdate } from '../../../src/race/update.ts';
import { runHistorian, type Historian } from '../../../src/runtime/historian.ts';
import type { Learner } from '../../../src/runtime/learner.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import type { Rebuilder } from '../../../src/runtime/rebuilder.ts';
import { sendRebuildRequest } from '../../../src/runtime/rebuild-requests.ts';
import { loadRollout } from '../../../src/runtime/rebuild-store.ts';
import { openEmbeddedHistory, type EmbeddedHistory } from '../../support/clickhouse/embedded-history.ts';
import { raceFleet, type FleetRace } from '../../support/race-fleet.ts';
import { openRebuildStack, STACK_PARTITIONS, type RebuildStack } from '../../support/rebuild-stack.ts';
import { seededRandom } from '../../support/random.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { waitUntil } from '../../support/wait-until.ts';

const SOURCE = 'ci/fleet';
const HOUR_MS = 3_600_000;
/** Races that go to the topic before the clock moves on: they run at the same time. */
const TOGETHER = 25;
const KINDS = 9;
/** Races of one fleet, in turn: with what metadata say of them, and with titles alone, of which no two are the same. */
const weak = raceFleet({ seed: 1, races: 1_100, metadata: 'weak' });
const titled = raceFleet({ seed: 1, races: 1_300, metadata: 'none' });

let nowMs: number;
const clock = { nowMs: () => nowMs };
let history: EmbeddedHistory;
let store: HistoryStore;
let log: RecordLog;
let codec: Codec;
let stack: RebuildStack;
let learner: Learner;
let pipeline: Pipeline;
let historian: Historian;
let rebuilders: Rebuilder[];
let fleet: readonly FleetRace[];
let fed: number;
let random: () => number;
/** By kind of race: how long it takes, in steps of 1.7 from 20 s. */
let steps: number[];

/** Everything that decides about versions, as a service runs it, on a clock of its own: nothing is put into ClickHouse by the test. */
describe('a fleet that runs', () => {
  beforeEach(async () => {
    nowMs = Date.now() - 20 * 24 * HOUR_MS;
    fleet = weak;
    fed = 0;
    random = seededRandom(1);
    steps = Array.from({ length: KINDS }, (_, kind) => kind);
    history = await openEmbeddedHistory();
    ({ store } = history);
    stack = await openRebuildStack({ store, clock, logClock: clock });
    ({ log, codec, learner } = stack);
    pipeline = await runPipeline({ log, codec, learner, clock, logger: silentLogger, hooks: createMetrics(50).pipelineHooks, finishedTtlMs: HOUR_MS, writerId: 'live-fleet' });
    historian = await runHistorian({ log, codec, store, clock, logger: silentLogger });
    rebuilders = [await stack.openRebuilder(), await stack.openRebuilder()];
  });

  afterEach(async () => {
    await Promise.all(rebuilders.map((one) => one.close()));
    await historian.close();
    await pipeline.close();
    await stack.close();
    await history.close();
  });

  it('takes new clusters from shadow to canary to active by what it stored itself; each decision is taken once by two rebuilders', async () => {
    const version = await shadowed();
    await run(200, 25);
    await stepRollouts();
    expect(await stateOfSource()).toMatchObject({ active: null, candidate: { version, stage: 'canary', share: 0.1 } });
    await waitUntil('forecasts know of the canary', () => learner.modelOf(SOURCE)?.versions.canary === version);
    await run(200, 49);
    await stepRollouts();
    expect(await stateOfSource()).toMatchObject({ active: version, previous: '', candidate: null });
    await waitUntil('forecasts rest on it', () => learner.modelOf(SOURCE)?.versions.active === version);
    const decisions = await store.query<{ stage: string; kind: string }>('SELECT stage, kind FROM model_swaps ORDER BY decided_at');
    expect(decisions.map(({ stage, kind }) => `${kind} ${stage}`)).toEqual(['start shadow', 'promote canary', 'promote active']);
  }, 180_000);

  it('takes a canary away by what it stored itself, once the races are not what its clusters say any more; until then it stays', async () => {
    fleet = titled;
    const version = await shadowed();
    await run(200, 25);
    await stepRollouts();
    await waitUntil('forecasts know of the canary', () => learner.modelOf(SOURCE)?.versions.canary === version);
    await run(50, 5);
    await stepRollouts();
    expect(await stateOfSource(), 'its clusters tell the kinds apart').toMatchObject({ active: null, candidate: { version, stage: 'canary' } });
    // All kinds take equally long from now on, and no longer what they took: the newest races tell more than those of a cluster.
    for (let batch = 0; batch < 14 && (await stateOfSource())?.candidate !== null; batch++) {
      if (batch % 4 === 0) steps.fill(batch % 8 === 0 ? KINDS - 1 : 0);
      await run(TOGETHER, 2);
      await stepRollouts();
    }
    expect(await stateOfSource()).toMatchObject({ active: null, candidate: null });
    await waitUntil('no forecast rests on it any more', () => learner.modelOf(SOURCE)?.versions.canary === null);
    const decisions = await store.query<{ stage: string; kind: string; version: string; reason: string }>('SELECT stage, kind, version, reason FROM model_swaps ORDER BY decided_at');
    expect(decisions.map(({ stage, kind }) => `${kind} ${stage}`)).toEqual(['start shadow', 'promote canary', 'rollback canary']);
    expect(decisions.at(-1)).toMatchObject({ version: '', reason: expect.stringContaining('is worse than what is in force: mean |ln forecast / truth| +') });
  }, 180_000);
});

/** A history, and clusters of it on trial. */
async function shadowed(): Promise<string> {
  await run(700, 24);
  await sendRebuildRequest({ log, codec, clock }, { source: SOURCE, action: 'rebuild', trigger: 'manual', requested_by: 'test', detail: null, share: null });
  const version = await waitUntil('the clusters are on trial', async () => (await stateOfSource())?.candidate?.version ?? null, 60_000);
  await waitUntil('forecasts know of the shadow', () => learner.modelOf(SOURCE)?.versions.shadow === version);
  return version;
}

/** So many races over so many hours: distinct titles, few metadata, a duration by template. Resolves when all are in history. */
async function run(count: number, hours: number): Promise<void> {
  for (const end = fed + count; fed < end;) {
    const startedAt = nowMs;
    const together = fleet.slice(fed, fed + TOGETHER).map((race) => ({ ...race, endedAt: startedAt + Math.round(20_000 * 1.7 ** steps[race.template % KINDS]! * Math.exp(0.1 * (random() - 0.5))) }));
    await append(together.map(({ id, title, metadata }) => ({ ...emptyUpdate(id, SOURCE, startedAt), title, metadata, state: 'running', started_at: startedAt })));
    nowMs += Math.round((hours * HOUR_MS * TOGETHER) / count);
    await append(together.map(({ id, endedAt }) => ({ ...emptyUpdate(id, SOURCE, endedAt), state: 'passed', completed_at: endedAt })));
    fed += together.length;
    await waitUntil('they are learned', () => learner.modelOf(SOURCE)?.taught === fed);
  }
  await waitUntil('they are in history', async () => Number((await store.query<{ n: number }>('SELECT count() AS n FROM races'))[0]?.n) === fed);
}

async function append(updates: readonly RaceUpdate[]): Promise<void> {
  for (const [partition, some] of Map.groupBy(updates, ({ race_id: id }) => partitionOf(id, STACK_PARTITIONS))) {
    await log.append('race-updates', partition, some.map((update) => ({ key: Buffer.from(update.race_id), value: codec.encode('race-updates', update) })));
  }
}

/** Both look, as their timers would have them do. */
async function stepRollouts(): Promise<void> {
  await Promise.all(rebuilders.map((one) => one.stepRollouts()));
}

async function stateOfSource() {
  return (await loadRollout(store)).sources.get(SOURCE);
}
