import { Type, type Static } from 'typebox';
import { beforeDeparture, etaTypeOf, sinceDepartureSec, untilDepartureSec } from '../../journey/phases.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import { EtaMode, instantOrNull, PhaseName, textOrNull } from './flight-schemas.ts';
import { iso, isoOrNull } from '../iso.ts';
import { timingOf } from './routes.ts';
import { maybe, summaryOf } from '../journeys/route-views.ts';
import { phaseOf, type Vehicle } from '../journeys/vehicle.ts';

export const FlightStatusBody = Type.Object({
  phase: PhaseName,
  eta_mode: EtaMode,
  active_route_id: textOrNull('Of the vehicle; without one the active route that changed last'),
  active_route_name: textOrNull('Its name'),
  has_timing_data: Type.Boolean({ description: 'Something of the route is planned' }),
  scheduled_departure_time: instantOrNull('By the plan'),
  scheduled_arrival_time: instantOrNull('By the plan'),
  departure_time: instantOrNull('null = it has not left'),
  arrival_time: instantOrNull('null = it is not there'),
  time_until_departure_seconds: maybe('number', 'Below 0 once it is late, 0 once it has left; null = nobody planned it'),
  time_since_departure_seconds: maybe('number', 'null = it has not left'),
  timestamp: Type.String({ format: 'date-time' }),
  race_id: textOrNull('The vehicle; null = there is none'),
});

/** `stored` = its route, or the one that stands in for it where there is no vehicle. */
export function flightStatusOf(vehicle: Vehicle | null, stored: StoredRoute | undefined, nowMs: number): Static<typeof FlightStatusBody> {
  const state = vehicle === null ? beforeDeparture : phaseOf(vehicle);
  const timing = stored === undefined ? null : timingOf(stored);
  const departsAtMs = timing?.departsAtMs ?? null;
  return {
    phase: state.phase, eta_mode: etaTypeOf(state),
    active_route_id: stored?.routeId ?? vehicle?.facts.route_id ?? null, active_route_name: stored === undefined ? null : summaryOf(stored).name,
    has_timing_data: timing?.hasTiming ?? false, scheduled_departure_time: isoOrNull(departsAtMs), scheduled_arrival_time: isoOrNull(timing?.arrivesAtMs ?? null),
    departure_time: isoOrNull(state.departedAtMs), arrival_time: isoOrNull(state.arrivedAtMs),
    time_until_departure_seconds: untilDepartureSec(state, departsAtMs, nowMs), time_since_departure_seconds: sinceDepartureSec(state, nowMs), timestamp: iso(nowMs),
    race_id: vehicle?.facts.race_id ?? null,
  };
}
