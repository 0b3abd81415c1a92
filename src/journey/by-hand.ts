import { isFinished, type RaceEvent, type RaceState } from '../race/state.ts';
import { emptyUpdate, type RaceUpdate } from '../race/update.ts';
import { arrive, depart, held, type PhaseState } from './phases.ts';

/** The events by which somebody says that a vehicle has left, and that it is there. */
export const DEPART = 'depart';
export const ARRIVE = 'arrive';

/** When somebody said that a vehicle departed and arrived, epoch ms; null = nobody did. The last one said of each counts. */
export type ByHand = { readonly departedAtMs: number | null; readonly arrivedAtMs: number | null };

export function byHandOf(events: readonly RaceEvent[]): ByHand {
  const last = (wanted: string): number | null => events.findLast(({ type }) => type === wanted)?.at ?? null;
  return { departedAtMs: last(DEPART), arrivedAtMs: last(ARRIVE) };
}

/** The phase with what was said by hand; what cannot be, like an arrival before any departure, changes nothing. */
export function phaseByHand(state: PhaseState, { departedAtMs, arrivedAtMs }: ByHand): PhaseState {
  const left = departedAtMs === null ? state : held(depart(state, departedAtMs), state);
  return arrivedAtMs === null ? left : held(arrive(left, arrivedAtMs), left);
}

/**
 * What a race is to be told since its events say it and its state does not show it yet: that it runs since the departure, that it has
 * passed with the arrival. Nothing once it does: told twice it changes nothing.
 */
export function toldByHand(race: Pick<RaceState, 'race_id' | 'source' | 'state' | 'started_at' | 'field_at' | 'events'>): RaceUpdate[] {
  const { departedAtMs, arrivedAtMs } = byHandOf(race.events);
  // Not older than the state that is to change: that would stand.
  const say = (atMs: number, news: Partial<RaceUpdate>): RaceUpdate => ({ ...emptyUpdate(race.race_id, race.source, Math.max(atMs, race.field_at.state)), ...news });
  const updates: RaceUpdate[] = [];
  const leaves = race.state === 'queued' && departedAtMs !== null;
  if (leaves) updates.push(say(departedAtMs, { state: 'running', started_at: departedAtMs }));
  const startedAtMs = leaves ? departedAtMs : race.started_at;
  if (arrivedAtMs !== null && startedAtMs !== null && arrivedAtMs >= startedAtMs && !isFinished(race.state)) {
    updates.push(say(arrivedAtMs, { state: 'passed', completed_at: arrivedAtMs }));
  }
  return updates;
}
