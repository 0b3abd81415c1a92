import { Gauge, type Registry } from 'prom-client';
import type { Phase } from '../journey/phases.ts';

/** A vehicle that is followed, as it is measured; null = not known. */
export type MeasuredJourney = {
  readonly raceId: string;
  readonly routeId: string;
  readonly phase: Phase;
  readonly etaType: 'anticipated' | 'estimated';
  /** To the end of its route, from now. */
  readonly etaSec: number | null;
  readonly distanceM: number | null;
  /** 0..100. */
  readonly progressPercent: number | null;
  readonly untilDepartureSec: number | null;
};

const phaseNumbers: Readonly<Record<Phase, number>> = { pre_departure: 0, in_flight: 1, post_arrival: 2 };
/** Stands for all that have no series of their own. */
const OTHERS = 'other';

/**
 * Registers gauges of vehicles, read at scrape time: at most `most` have series of their own, first come, until they are gone; those of the
 * others are added up under the race_id `other`, so that sums over the fleet stay right. What is not known has no series.
 */
export function createJourneyGauges(registry: Registry, most: number, read: () => readonly MeasuredJourney[]): void {
  const registers = [registry];
  let shown = new Set<string>();
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) => new Gauge<Label>({ name, help, labelNames: [...labelNames], registers });
  // The first one: its collect fills the others, which are read after it.
  const journeys = new Gauge({ name: 'raceline_journeys', help: 'Vehicles that are followed, by phase', labelNames: ['phase'], registers, collect: () => collect() });
  const etas = gauge('raceline_journey_eta_seconds', 'Time to the end of its route; none while the vehicle stands', ['race_id', 'route_id', 'eta_type']);
  const distances = gauge('raceline_journey_distance_meters', 'Metres to the end of its route, along it', ['race_id', 'route_id']);
  const progress = gauge('raceline_journey_progress_percent', 'How much of its route lies behind the vehicle', ['race_id', 'route_id']);
  const phases = gauge('raceline_journey_phase', '0 = pre_departure, 1 = in_flight, 2 = post_arrival; of vehicles with series of their own', ['race_id', 'route_id']);
  const departures = gauge('raceline_journey_until_departure_seconds', 'To the planned departure, below 0 once it is late, 0 once it has left; of vehicles with series of their own', ['race_id', 'route_id']);

  function collect(): void {
    for (const one of [journeys, etas, distances, progress, phases, departures]) one.reset();
    const all = read();
    shown = shownOf(all);
    for (const { raceId, routeId, phase, etaType, etaSec, distanceM, progressPercent, untilDepartureSec } of all) {
      journeys.inc({ phase });
      const isShown = shown.has(raceId);
      const labels = isShown ? { race_id: raceId, route_id: routeId } : { race_id: OTHERS, route_id: OTHERS };
      if (etaSec !== null) etas.inc({ ...labels, eta_type: etaType }, etaSec);
      if (distanceM !== null) distances.inc(labels, distanceM);
      if (progressPercent !== null) progress.inc(labels, progressPercent);
      if (isShown) phases.set(labels, phaseNumbers[phase]);
      if (isShown && untilDepartureSec !== null) departures.set(labels, untilDepartureSec);
    }
  }

  /** Those that had series keep them: a fleet whose series change from scrape to scrape would fill a store. */
  function shownOf(all: readonly MeasuredJourney[]): Set<string> {
    const kept = new Set(all.filter(({ raceId }) => shown.has(raceId)).map(({ raceId }) => raceId));
    for (const { raceId } of all) {
      if (kept.size >= most) break;
      kept.add(raceId);
    }
    return kept;
  }
}
