import { forecastJourney, advanceJourney, startJourney, type Journey, type JourneyFix } from './journey.ts';
import type { WaypointEta } from './etas.ts';
import type { FollowOutcome, Passage } from './follow.ts';
import { createJourneyModel, learnJourneyFact, type JourneyModel } from './model.ts';
import type { Route } from './route.ts';

/** Journeys of one source and what they teach each other, position by position in the order in which these become known. */
export type Fleet = { readonly model: JourneyModel; readonly journeys: Map<string, Journey> };

export type FleetStep = { readonly outcome: FollowOutcome | 'started'; readonly passages: readonly Passage[]; readonly etas: readonly WaypointEta[] };

export function createFleet(): Fleet {
  return { model: createJourneyModel(), journeys: new Map() };
}

/** Takes one position: follows, learns what it shows, and forecasts as of it. A late or impossible one has no ETAs. */
export function takePosition(fleet: Fleet, raceId: string, route: Route, fix: JourneyFix): FleetStep {
  const before = fleet.journeys.get(raceId);
  const step = before === undefined ? null : advanceJourney(route, before, fix);
  for (const fact of step?.facts ?? []) learnJourneyFact(fleet.model, fact);
  if (step !== null && step.outcome !== 'followed') {
    fleet.journeys.set(raceId, step.journey);
    return { outcome: step.outcome, passages: [], etas: [] };
  }
  const { journey, etas } = forecastJourney(fleet.model, route, step?.journey ?? startJourney(route, fix));
  fleet.journeys.set(raceId, journey);
  return { outcome: step?.outcome ?? 'started', passages: step?.passages ?? [], etas };
}
