import { etaTypeOf, untilDepartureSec } from '../../journey/phases.ts';
import type { MeasuredJourney } from '../../runtime/journey-gauges.ts';
import type { GatewayContext } from '../context.ts';
import { endEtaSec } from './outlook.ts';
import { waypointsOf } from './route-views.ts';
import { phaseOf, vehicleById } from './vehicle.ts';

/** Vehicles under way or about to leave, as the API shows them. O(vehicles x milestones). */
export function measuredJourneys(context: Pick<GatewayContext, 'view' | 'pending' | 'journeys' | 'routes'>, nowMs: number): MeasuredJourney[] {
  const measured: MeasuredJourney[] = [];
  for (const { race_id: raceId } of context.journeys.all()) {
    const vehicle = vehicleById(context, raceId);
    if (vehicle?.seen === undefined) continue;
    const { seen, stored } = vehicle;
    const state = phaseOf(vehicle);
    const waypoints = stored === undefined || stored.version !== seen.route_version ? [] : waypointsOf(stored);
    const totalM = waypoints.at(-1)?.along_m ?? null;
    const isOver = state.phase === 'post_arrival';
    measured.push({
      raceId, routeId: seen.route_id, phase: state.phase, etaType: etaTypeOf(state), etaSec: isOver ? null : endEtaSec(vehicle, waypoints, nowMs),
      distanceM: totalM === null || isOver ? null : Math.max(0, totalM - seen.along_m), progressPercent: totalM === null ? null : isOver ? 100 : Math.min(100, (100 * seen.along_m) / totalM),
      untilDepartureSec: untilDepartureSec(state, waypoints[0]?.planned_at ?? null, nowMs),
    });
  }
  return measured;
}
