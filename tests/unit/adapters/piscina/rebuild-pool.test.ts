import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { openRebuildPool, type RebuildPoolOptions } from '../../../../src/adapters/piscina/rebuild-pool.ts';
import type { RaceFacts } from '../../../../src/cluster/distance.ts';
import { defaultRebuildOptions, rebuildClusters, type RebuildInput } from '../../../../src/cluster/rebuild.ts';
import type { Stage } from '../../../../src/cluster/work.ts';
import type { RebuildPool } from '../../../../src/ports/rebuild-pool.ts';
import { packRaces } from '../../../support/cluster-sets.ts';
import { raceFleet } from '../../../support/race-fleet.ts';

let pool: RebuildPool | null = null;

function openPool(options: Partial<RebuildPoolOptions> = {}): RebuildPool {
  pool = openRebuildPool({ threads: 1, maxWaiting: 2, maxHeapMb: 512, ...options });
  return pool;
}

afterEach(async () => {
  await pool?.close();
  pool = null;
});

const inputOf = (races: readonly RaceFacts[], unseen: readonly RaceFacts[] | null = null): RebuildInput =>
  ({ races: packRaces(races), unseen: unseen === null ? null : packRaces(unseen), options: defaultRebuildOptions });
const small = raceFleet({ seed: 1, races: 400 });
/** Without metadata and unmasked every pair must be looked at: some seconds of work. */
const long = (): RebuildInput => ({ ...inputOf(raceFleet({ seed: 2, races: 8_000, metadata: 'none' })), options: { ...defaultRebuildOptions, mask: false } });

describe('openRebuildPool()', () => {
  it('gives what the core gives, and takes the columns over', async () => {
    const outcome = await openPool().rebuild('a', inputOf(small.slice(0, 300), small.slice(300)));
    const expected = rebuildClusters(inputOf(small.slice(0, 300), small.slice(300)), { report: () => true, nowMs: () => 0 });
    if (outcome.kind !== 'rebuilt' || expected.kind !== 'rebuilt') throw new Error(outcome.kind);
    expect({ ...outcome.rebuilt, stageMs: {} }).toEqual({ ...expected.rebuilt, stageMs: {} });
    const input = inputOf(small);
    await pool!.rebuild('a', input);
    expect(input.races.titleOf.length).toBe(0);
  });

  it('tells how far it is', async () => {
    const heard: Stage[] = [];
    await openPool().rebuild('a', inputOf(small), { onProgress: (stage, ratio) => { if (ratio === 0) heard.push(stage); } });
    expect(heard).toEqual(['collapse', 'index', 'knee', 'cores', 'connect', 'measure']);
  });

  it('runs one rebuild of a source at a time, refuses what would wait too long, and takes both again afterwards', async () => {
    const { rebuild } = openPool({ maxWaiting: 1 });
    const stop = new AbortController();
    const first = rebuild('a', long(), { signal: stop.signal });
    const second = rebuild('b', inputOf(small));
    expect(await rebuild('a', inputOf(small))).toEqual({ kind: 'busy', because: 'source' });
    expect(await rebuild('c', inputOf(small))).toEqual({ kind: 'busy', because: 'queue' });
    expect(pool!.pending).toBe(2);
    stop.abort();
    expect((await first).kind).toBe('cancelled');
    expect((await second).kind).toBe('rebuilt');
    expect(pool!.pending).toBe(0);
    expect((await rebuild('a', inputOf(small))).kind).toBe('rebuilt');
  });

  it('cancels what runs and what waits, on the same thread as before', async () => {
    const { rebuild } = openPool();
    const [stopFirst, stopSecond] = [new AbortController(), new AbortController()];
    const running = new Promise<void>((resolve) => {
      void rebuild('a', long(), { signal: stopFirst.signal, onProgress: () => resolve() }).then((outcome) => ends.push(`a ${outcome.kind}`));
    });
    const ends: string[] = [];
    const waiting = rebuild('b', long(), { signal: stopSecond.signal });
    await running;
    stopSecond.abort();
    stopFirst.abort();
    expect((await waiting).kind).toBe('cancelled');
    expect(ends).toEqual(['a cancelled']);
    const aborted = await rebuild('a', inputOf(small), { signal: AbortSignal.abort() });
    expect(aborted.kind).toBe('cancelled');
    expect((await rebuild('a', inputOf(small))).kind).toBe('rebuilt');
  });

  it('fails the one rebuild that runs out of memory, not the next, not the process', async () => {
    const { rebuild } = openPool({ maxHeapMb: 12 });
    const large = rebuild('large', inputOf(raceFleet({ seed: 3, races: 60_000 })));
    const next = rebuild('next', inputOf(small));
    expect(await large).toMatchObject({ kind: 'failed', because: 'out_of_memory' });
    expect((await next).kind).toBe('rebuilt');
  });

  it('leaves the event loop of its caller free', async () => {
    const { rebuild } = openPool();
    await rebuild('warm', inputOf(small));
    const input = inputOf(raceFleet({ seed: 4, races: 20_000 }));
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const outcome = await rebuild('a', input);
    delay.disable();
    expect(outcome.kind).toBe('rebuilt');
    expect(delay.count).toBeGreaterThan(20);
    // Above the timer's own 5 ms, on a machine that is not ours alone.
    expect(delay.percentile(50) / 1e6).toBeLessThan(55);
  });

  it('closes: cancels what runs, waits for it, takes no more', async () => {
    const { rebuild, close } = openPool();
    const running = rebuild('a', long());
    await close();
    expect((await running).kind).toBe('cancelled');
    expect(await rebuild('b', inputOf(small))).toEqual({ kind: 'busy', because: 'closing' });
    await close();
  });

  it('closes where nothing was ever asked of it', async () => {
    await openPool().close();
  });
});
