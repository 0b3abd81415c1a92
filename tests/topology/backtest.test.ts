import { describe, expect, it } from 'vitest';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import type { RaceUpdate } from '../../src/race/update.ts';
import { runBacktest } from '../../src/runtime/backtest.ts';
import { createLearnedPartition } from '../../src/runtime/learned-partition.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { embeddedCodec } from '../support/graph-driver.ts';

const T0 = Date.UTC(2026, 0, 1);
const codec = await embeddedCodec();
const updates = fleetUpdates({ seed: 11, races: 75, startMs: T0, spacingMs: 30_000, durationMs: 300_000 });

/** Where the input is cut, share of its updates. */
const CUTS = [0.1, 0.37, 0.83];

type Backtest = (input: readonly RaceUpdate[]) => Promise<EtaUpdate[]>;

async function revisionsOf(input: readonly RaceUpdate[], more: Partial<Parameters<typeof runBacktest>[0]> = {}): Promise<EtaUpdate[]> {
  const revisions: EtaUpdate[] = [];
  await runBacktest({ updates: input, codec, finishedTtlMs: 86_400_000, onRevision: (eta) => revisions.push(eta), ...more });
  return revisions;
}

/** What a revision says, to the byte, with nothing of how it is held in memory. */
const said = (revisions: readonly EtaUpdate[]): string[] => revisions.map((eta) => JSON.stringify(eta));

/**
 * Cuts the input at instants all over it, and gives those (share of the updates) at which something said before was
 * said otherwise, or not, or something else was. Empty = causal, as far as these cuts show.
 */
async function leaksOf(backtest: Backtest, input: readonly RaceUpdate[]): Promise<number[]> {
  const leaks: number[] = [];
  const whole = await backtest(input);
  for (const share of CUTS) {
    // Between two updates: wake-ups before it are due, those after it are not.
    const cutMs = (input[Math.floor(input.length * share)]?.at ?? T0) + 1;
    const before = (revisions: readonly EtaUpdate[]): string => said(revisions.filter((eta) => eta.issued_at < cutMs)).join('\n');
    const cut = await backtest(input.filter((update) => update.at < cutMs));
    if (before(cut) !== before(whole)) leaks.push(share);
  }
  return leaks;
}

describe('runBacktest()', () => {
  it('says before t the same, to the byte, whatever comes after t', async () => {
    expect((await revisionsOf(updates)).length).toBeGreaterThan(300);
    expect(await leaksOf(revisionsOf, updates)).toEqual([]);
    expect(await leaksOf((input) => revisionsOf(input, { hold: false }), updates)).toEqual([]);
  });

  it('would be caught with a model that has seen the future', async () => {
    const clairvoyant: Backtest = async (input) => {
      const learned = createLearnedPartition();
      await revisionsOf(input, { learned });
      return await revisionsOf(input, { learned });
    };
    expect(await leaksOf(clairvoyant, updates)).toEqual(CUTS);
  });

  it('would be caught with a model that knows one race too many', async () => {
    // The race that ends first after the middle of the input has been learned from the start on.
    const early: Backtest = async (input) => {
      const next = updates.find((update) => update.completed_at !== null && update.at > updates[Math.floor(updates.length / 2)]!.at);
      const learned = createLearnedPartition();
      if (input.includes(next!)) await revisionsOf(input.filter((update) => update.race_id === next!.race_id), { learned });
      return await revisionsOf(input, { learned });
    };
    expect(await leaksOf(early, updates)).toContain(0.37);
  });

  it('would be caught with updates that tell the end of their race at its start', async () => {
    const ends = (input: readonly RaceUpdate[]) => new Map(input.filter((update) => update.completed_at !== null).map((update) => [update.race_id, update.completed_at]));
    const told: Backtest = (input) => {
      const endOf = ends(input);
      return revisionsOf(input.map((update) => (update.started_at === null || !endOf.has(update.race_id) ? update : { ...update, eta_sec: ((endOf.get(update.race_id) ?? 0) - update.started_at) / 1_000, eta_kind: 'total' as const })));
    };
    expect(await leaksOf(told, updates)).not.toEqual([]);
  });

  it('goes on from what was learned before', async () => {
    const learned = createLearnedPartition();
    const half = updates.findIndex((update) => update.started_at !== null && update.at > T0 + 40 * 30_000);
    await revisionsOf(updates.slice(0, half), { learned });
    const [first] = await revisionsOf(updates.slice(half), { learned });
    expect(first).toMatchObject({ basis: 'source', revision: 1 });
    expect((await revisionsOf(updates.slice(half)))[0]).toMatchObject({ basis: 'bootstrap' });
  });

  it('without holding publishes each forecast, displayed as it is', async () => {
    const running = (await revisionsOf(updates, { hold: false })).filter((eta) => eta.state === 'running' && eta.started_at !== null);
    expect(running.length).toBeGreaterThan((await revisionsOf(updates)).filter((eta) => eta.state === 'running').length * 1.5);
    expect(running.every((eta) => eta.display.finish_at === eta.finish_at)).toBe(true);
    expect(running.some((eta) => eta.previous_eta_sec !== null && eta.previous_eta_sec !== eta.eta_sec)).toBe(true);
  });

  it('forecasts a steady fleet: most finishes lie within 20 % of what was said at submission', async () => {
    const truth = new Map(updates.filter((update) => update.completed_at !== null).map((update) => [update.race_id, update]));
    const starts = new Map(updates.filter((update) => update.started_at !== null).map((update) => [update.race_id, update.started_at]));
    const first = new Map<string, number>();
    for (const eta of await revisionsOf(updates)) if (eta.eta_sec !== null && !first.has(eta.race_id)) first.set(eta.race_id, eta.eta_sec);
    const tail = [...first].slice(30);
    const within = tail.filter(([raceId, etaSec]) => {
      const sec = ((truth.get(raceId)?.completed_at ?? 0) - (starts.get(raceId) ?? 0)) / 1_000;
      return Math.abs(etaSec - sec) <= 0.2 * sec;
    });
    expect(within.length / tail.length).toBeGreaterThan(0.85);
  });
});
