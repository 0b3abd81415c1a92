import { evolve, type EvolveResult } from '../../../src/race/evolve.ts';
import type { RaceState } from '../../../src/race/state.ts';
import { emptyUpdate, type JourneyPosition, type RaceUpdate, type StageUpdate } from '../../../src/race/update.ts';

/** 2026-01-01T00:00:00Z; the tests count seconds from here. */
export const START_MS = Date.UTC(2026, 0, 1);

export function sec(seconds: number): number {
  return START_MS + seconds * 1000;
}

export function updateAt(seconds: number, fields: Partial<RaceUpdate> = {}): RaceUpdate {
  return { ...emptyUpdate('race-1', 'github-actions/acme/api', sec(seconds)), ...fields };
}

export function stage(name: string, state: StageUpdate['state'], fields: Partial<StageUpdate> = {}): StageUpdate {
  return { name, state, seq: null, started_at: null, completed_at: null, planned_sec: null, ...fields };
}

/** Of a vehicle on its way to a waypoint. */
export function positionBefore(next: number): JourneyPosition {
  return {
    route_version: 4, along_m: 600 * next, off_m: 3, next, own_mps: 6, last_mps: 0, usual_mps: 8, moves: true, moved_at: sec(30),
    trail_at: sec(-300), trail_m: 0, passed: next === 0 ? null : next - 1, passed_at: next === 0 ? null : sec(10), delay_sec: -4.5,
  };
}

/** One update after the other, each at the next offset; null = nothing was applied yet. */
export function fold(updates: readonly RaceUpdate[], known?: RaceState): { race: RaceState | undefined; results: EvolveResult[] } {
  let race = known;
  const results = updates.map((update, i) => {
    const result = evolve(race, update, positionOf((known?.applied_offset ?? -1) + 1 + i, update));
    if (result.outcome === 'applied') race = result.race;
    return result;
  });
  return { race, results };
}

export function positionOf(offset: number, update: RaceUpdate): { epoch: number; offset: number; appendedAtMs: number } {
  return { epoch: 1, offset, appendedAtMs: update.at + 100 };
}

/** The race after updates that must leave one. */
export function raceAfter(...updates: RaceUpdate[]): RaceState {
  const { race, results } = fold(updates);
  if (race === undefined) throw new Error(`No update was applied: ${JSON.stringify(results)}`);
  return race;
}

/** What the last of the updates did to the race that the others made. */
export function lastResult(...updates: RaceUpdate[]): EvolveResult {
  return fold(updates).results.at(-1)!;
}

export function applied(result: EvolveResult): Extract<EvolveResult, { outcome: 'applied' }> {
  if (result.outcome !== 'applied') throw new Error(`Expected an applied update, got ${JSON.stringify(result)}`);
  return result;
}
