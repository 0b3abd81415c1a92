// What the corrections of a forecast are made of, all in seconds times a scale that makes 1 a usual value.

/** What is known of a vehicle when a forecast is made. */
export type Standing = {
  /** Behind its plan; below 0 = before it. */
  readonly lateSec: number;
  /** Share by which the last twelve minutes took longer than expected; below 0 = less. */
  readonly pace: number;
  /** Since it last moved. */
  readonly stoodSec: number;
  /** Its speed is that of a vehicle that stands. */
  readonly isStopped: boolean;
  /** Log of its speed to its usual one. */
  readonly speedRatio: number;
  /** More time than expected on the leg it is on. */
  readonly legExcessSec: number;
  readonly offM: number;
};

/** What is known of the way to a waypoint. */
export type Ahead = {
  readonly baseSec: number;
  /** Until the plan has it there. */
  readonly plannedSec: number;
  /** What the vehicles in front took longer; what this time of day takes longer. */
  readonly trafficSec: number;
  readonly hourSec: number;
  readonly legs: number;
};

function held(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** The pace so far counts half before anything is learned. */
export const UNDER_WAY_PRIOR: readonly number[] = [0, 0, 0, 0, 2.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** Writes the inputs of a vehicle under way into `out`: one buffer serves all waypoints, since most forecasts are not kept. */
export function inputsUnderWay(now: Standing, { baseSec, plannedSec, trafficSec, hourSec, legs }: Ahead, out: Float64Array): void {
  const horizon = Math.min(3600, baseSec);
  const late = held(now.lateSec, 0, 1200);
  const legExcess = 0.3 * held(now.legExcessSec, -120, 300);
  out[0] = 0.02 * horizon;
  out[1] = 10;
  out[2] = 0.1 * late;
  out[3] = 0.3 * held(-now.lateSec, 0, 300);
  out[4] = 0.2 * now.pace * horizon;
  out[5] = 0.3 * Math.min(600, now.stoodSec);
  out[6] = 0.3 * held(trafficSec, -300, 300);
  out[7] = 0.3 * held(hourSec, -300, 300);
  out[8] = 0.3 * held(plannedSec - baseSec, 0, 400);
  out[9] = (0.3 * late * horizon) / 3600;
  out[10] = now.isStopped ? 10 : 0;
  out[11] = 10 * held(now.speedRatio, -1.5, 1);
  out[12] = legExcess;
  out[13] = legExcess * Math.exp(-baseSec / 400);
  out[14] = 0.05 * Math.min(500, now.offM);
  out[15] = 0.5 * Math.min(30, legs);
}

export const BEFORE_PRIOR: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** Writes the inputs of a vehicle that has not left: `lateSec` counts from its planned departure. */
export function inputsBefore({ lateSec, isStopped }: Standing, { baseSec, plannedSec, trafficSec, hourSec }: Ahead, out: Float64Array): void {
  const horizon = Math.min(3600, baseSec);
  out[0] = 0.02 * horizon;
  out[1] = 10;
  out[2] = 0.2 * held(lateSec, 0, 600);
  out[3] = 0.1 * held(-lateSec, 0, 900);
  out[4] = 0.3 * held(trafficSec, -300, 300);
  out[5] = 0.3 * held(hourSec, -300, 300);
  out[6] = 0.3 * held(plannedSec - baseSec, 0, 400);
  out[7] = (0.3 * held(lateSec, 0, 1200) * horizon) / 3600;
  out[8] = isStopped ? 0 : 10;
  out[9] = isStopped ? 0 : 0.1 * held(-lateSec, 0, 900);
}
