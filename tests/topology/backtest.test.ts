import { describe, expect, it } from 'vitest';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import type { RaceUpdate } from '../../src/race/update.ts';
import { runBacktest } from '../../src/runtime/backtest.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { embeddedCodec } from '../support/graph-driver.ts';

const T0 = Date.UTC(2026, 0, 1);
const codec = await embeddedCodec();
const updates = fleetUpdates({ seed: 11, races: 120, startMs: T0, spacingMs: 30_000, durationMs: 300_000 });

function revisionsOf(input: readonly RaceUpdate[]): EtaUpdate[] {
  const revisions: EtaUpdate[] = [];
  runBacktest({ updates: input, codec, finishedTtlMs: 86_400_000, onRevision: (eta) => revisions.push(eta) });
  return revisions;
}

/** What a revision says, with nothing of how it is held in memory. */
const said = (revisions: readonly EtaUpdate[]): string[] => revisions.map((eta) => JSON.stringify(eta));

describe('runBacktest()', () => {
  it('says before t the same whatever comes after t', () => {
    const whole = revisionsOf(updates);
    for (const share of [0.1, 0.37, 0.5, 0.83]) {
      const cutMs = updates[Math.floor(updates.length * share)]?.at ?? T0;
      const cut = revisionsOf(updates.filter((update) => update.at < cutMs));
      const before = (revisions: readonly EtaUpdate[]): string[] => said(revisions.filter((eta) => eta.issued_at < cutMs));
      expect(before(cut).length).toBeGreaterThan(50);
      expect(before(cut)).toEqual(before(whole));
    }
  });

  it('would notice a leak: telling the ends first changes what is said before', () => {
    const cutMs = updates[Math.floor(updates.length / 2)]?.at ?? T0;
    const ends = new Map(updates.filter((update) => update.completed_at !== null).map((update) => [update.race_id, update.completed_at]));
    const leaky = updates.map((update) => (update.started_at === null ? update : { ...update, eta_sec: ((ends.get(update.race_id) ?? 0) - update.started_at) / 1_000, eta_kind: 'total' as const }));
    const before = (revisions: readonly EtaUpdate[]): string[] => said(revisions.filter((eta) => eta.issued_at < cutMs));
    expect(before(revisionsOf(leaky))).not.toEqual(before(revisionsOf(updates)));
  });

  it('forecasts a steady fleet: most finishes lie within 20 % of what was said at submission', () => {
    const truth = new Map(updates.filter((update) => update.completed_at !== null).map((update) => [update.race_id, update]));
    const starts = new Map(updates.filter((update) => update.started_at !== null).map((update) => [update.race_id, update.started_at]));
    const first = new Map<string, number>();
    for (const eta of revisionsOf(updates)) if (eta.eta_sec !== null && !first.has(eta.race_id)) first.set(eta.race_id, eta.eta_sec);
    const tail = [...first].slice(40);
    const within = tail.filter(([raceId, etaSec]) => {
      const sec = ((truth.get(raceId)?.completed_at ?? 0) - (starts.get(raceId) ?? 0)) / 1_000;
      return Math.abs(etaSec - sec) <= 0.2 * sec;
    });
    expect(within.length / tail.length).toBeGreaterThan(0.85);
  });
});
