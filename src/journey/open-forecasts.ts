import type { JourneyPosition } from '../race/update.ts';
import { waypointEtas, type WaypointEta } from './etas.ts';
import type { JourneyModel, OpenForecast } from './model.ts';
import type { Route } from './route.ts';

const KEEP_EVERY_MS = 100_000;
const MOST_OPEN = 128;

/**
 * Forecasts of one journey to be held against the truth: at most 128 (about 25 KB). They are evidence only: losing them
 * loses nothing but what they teach.
 */
export type OpenForecasts = { readonly forecasts: readonly OpenForecast[]; readonly keptAtMs: number; readonly turn: number };

export const noForecasts: OpenForecasts = { forecasts: [], keptAtMs: -Infinity, turn: 0 };

/** ETAs of the waypoints ahead, and the open forecasts with some of them, which are taken at most once in 100 s. O(waypoints). */
export function forecastWaypoints(
  model: JourneyModel, route: Route, position: JourneyPosition, atMs: number, open: OpenForecasts,
): { readonly etas: readonly WaypointEta[]; readonly open: OpenForecasts } {
  if (atMs - open.keptAtMs < KEEP_EVERY_MS) return { etas: waypointEtas(model, route, position, atMs).etas, open };
  const turn = open.turn + 1;
  // Ever wider apart: what is near is forecast often anyway.
  let [next, gap] = [turn % 2, 1];
  const { etas, forecasts } = waypointEtas(model, route, position, atMs, (place) => {
    if (place !== next) return false;
    next += gap;
    gap = Math.ceil(gap * 1.5);
    return true;
  });
  return { etas, open: { forecasts: [...open.forecasts, ...forecasts].slice(-MOST_OPEN), keptAtMs: atMs, turn } };
}

/** Without the forecasts of waypoints up to one that was passed; `ended` = those of it. */
export function withPassage(open: OpenForecasts, index: number): { readonly ended: readonly OpenForecast[]; readonly open: OpenForecasts } {
  return { ended: open.forecasts.filter((forecast) => forecast.index === index), open: { ...open, forecasts: open.forecasts.filter((forecast) => forecast.index > index) } };
}
