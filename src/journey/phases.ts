import { KNOT_MPS } from './geodesy.ts';

export type Phase = 'pre_departure' | 'in_flight' | 'post_arrival';

/** In which phase a journey is and since when its next one has been in sight. All in event time: a replay gives the same. */
export type PhaseState = {
  readonly phase: Phase;
  readonly departedAtMs: number | null;
  readonly arrivedAtMs: number | null;
  /** Since when what would end this phase has held without a break; null = it does not hold. */
  readonly sinceMs: number | null;
};

/** What ends a phase: each must hold for so long. Departure by speed or by having left the start; arrival by what remains of the route. */
export type PhaseRules = { readonly departKn: number; readonly departHoldMs: number; readonly leftM: number; readonly arriveM: number; readonly arriveHoldMs: number };

/** Those of aircraft; other vehicles depart by leaving the start. */
const usualRules: PhaseRules = { departKn: 50, departHoldMs: 10_000, leftM: 500, arriveM: 100, arriveHoldMs: 60_000 };

export const beforeDeparture: PhaseState = { phase: 'pre_departure', departedAtMs: null, arrivedAtMs: null, sinceMs: null };

/** Where a journey is: metres along its route and off it, of a route of `totalM`; its speed, null = unknown. */
export type PhaseInput = { readonly atMs: number; readonly mps: number | null; readonly alongM: number; readonly offM: number; readonly totalM: number };

/**
 * The phase after a position. The instant of a departure or an arrival is when what shows it began, not when it had held long enough.
 * What remains is measured along the route and across to it, so no corner and no vertex near the end is an arrival.
 */
export function phaseAfter(state: PhaseState, { atMs, mps, alongM, offM, totalM }: PhaseInput, rules: PhaseRules = usualRules): PhaseState {
  if (state.phase === 'post_arrival') return state;
  const isLeaving = state.phase === 'pre_departure';
  const shows = isLeaving
    ? (mps !== null && mps > rules.departKn * KNOT_MPS) || (alongM > rules.leftM && offM <= rules.leftM)
    : totalM - alongM <= rules.arriveM && offM <= rules.arriveM;
  if (!shows) return state.sinceMs === null ? state : { ...state, sinceMs: null };
  const sinceMs = state.sinceMs ?? atMs;
  if (atMs - sinceMs < (isLeaving ? rules.departHoldMs : rules.arriveHoldMs)) return { ...state, sinceMs };
  return isLeaving ? { ...state, phase: 'in_flight', departedAtMs: sinceMs, sinceMs: null } : { ...state, phase: 'post_arrival', arrivedAtMs: sinceMs, sinceMs: null };
}

export type Refused = { readonly refused: string };

/** Departs by hand. Refused unless it has not left yet. */
export function depart(state: PhaseState, atMs: number): PhaseState | Refused {
  if (state.phase !== 'pre_departure') return { refused: `Cannot depart: the journey is ${state.phase}` };
  return { ...state, phase: 'in_flight', departedAtMs: atMs, sinceMs: null };
}

/** Arrives by hand. Refused unless it is under way, and before its departure. */
export function arrive(state: PhaseState, atMs: number): PhaseState | Refused {
  if (state.phase !== 'in_flight') return { refused: `Cannot arrive: the journey is ${state.phase}` };
  if (state.departedAtMs !== null && atMs < state.departedAtMs) return { refused: 'Cannot arrive before the departure' };
  return { ...state, phase: 'post_arrival', arrivedAtMs: atMs, sinceMs: null };
}

/** What a step that was refused leaves as it was. */
export function held(after: PhaseState | Refused, before: PhaseState): PhaseState {
  return 'refused' in after ? before : after;
}

/** What the ETAs of a journey rest on: its plan until it has left, then where it is. */
export function etaTypeOf({ phase }: Pick<PhaseState, 'phase'>): 'anticipated' | 'estimated' {
  return phase === 'pre_departure' ? 'anticipated' : 'estimated';
}

/** Seconds to the planned departure, below 0 once it is late; 0 once it has left; null without a plan. */
export function untilDepartureSec(state: Pick<PhaseState, 'phase'>, plannedAtMs: number | null, nowMs: number): number | null {
  if (state.phase !== 'pre_departure') return 0;
  return plannedAtMs === null ? null : (plannedAtMs - nowMs) / 1000;
}

/** Seconds since the departure; null before it. */
export function sinceDepartureSec({ departedAtMs }: Pick<PhaseState, 'departedAtMs'>, nowMs: number): number | null {
  return departedAtMs === null ? null : Math.max(0, (nowMs - departedAtMs) / 1000);
}

/** Beyond so many minutes a departure is on another day than planned: worth a warning. */
const USUAL_OFFSET_MIN = 480;

/** By how much a departure is after its plan, seconds; and whether that is more than eight hours either way. */
export function departureOffset(plannedAtMs: number, departedAtMs: number): { readonly sec: number; readonly isUnusual: boolean } {
  const sec = (departedAtMs - plannedAtMs) / 1000;
  return { sec, isUnusual: Math.abs(sec) > 60 * USUAL_OFFSET_MIN };
}

/**
 * Seconds to a waypoint of a journey that has not left: its planned time and the delay known of the departure (`delaySec`, at least what it is
 * late already); null = its time is over, or it has none.
 */
export function anticipatedSec(plannedAtMs: number | null, delaySec: number, nowMs: number): number | null {
  const sec = plannedAtMs === null ? -1 : (plannedAtMs - nowMs) / 1000 + Math.max(0, delaySec);
  return sec < 0 ? null : sec;
}
