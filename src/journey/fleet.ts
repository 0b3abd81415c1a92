import type { WaypointEta } from './etas.ts';
import { passedAtMs, type FollowOutcome, type Passage } from './follow.ts';
import { advanceJourney, startJourney, type Journey, type JourneyFix, type JourneyStep } from './journey.ts';
import { createJourneyModel, learnPassage, passageFact, type JourneyModel } from './model.ts';
import { forecastWaypoints, noForecasts, withPassage, type OpenForecasts } from './open-forecasts.ts';
import { journeyPosition } from './position.ts';
import type { Route } from './route.ts';

type Member = { readonly journey: Journey; readonly open: OpenForecasts };

/** Journeys of one source and what they teach each other, position by position in the order in which these become known. */
export type Fleet = { readonly model: JourneyModel; readonly journeys: Map<string, Member> };

export type FleetStep = { readonly outcome: FollowOutcome | 'started'; readonly passages: readonly Passage[]; readonly etas: readonly WaypointEta[] };

export function createFleet(): Fleet {
  return { model: createJourneyModel(), journeys: new Map() };
}

/** Takes one position: follows, learns what it shows, and forecasts as of it. A late or impossible one has no ETAs. */
export function takePosition({ model, journeys }: Fleet, raceId: string, route: Route, fix: JourneyFix): FleetStep {
  const before = journeys.get(raceId);
  const step: Omit<JourneyStep, 'outcome'> & { readonly outcome: FleetStep['outcome'] } = before === undefined ? { journey: startJourney(route, fix), outcome: 'started', passages: [] } : advanceJourney(route, before.journey, fix);
  const { journey, outcome, passages } = step;
  let open = before?.open ?? noForecasts;
  if (outcome === 'late' || outcome === 'outlier') {
    journeys.set(raceId, { journey, open });
    return { outcome, passages, etas: [] };
  }
  for (const passage of passages) open = learn(model, route, journey, passage, open);
  const forecast = forecastWaypoints(model, route, journeyPosition(route, 0, journey), fix.atMs, open);
  journeys.set(raceId, { journey, open: forecast.open });
  return { outcome, passages, etas: forecast.etas };
}

function learn(model: JourneyModel, route: Route, { following }: Journey, { index, atMs }: Passage, before: OpenForecasts): OpenForecasts {
  const { ended, open } = withPassage(before, index);
  learnPassage(model, passageFact(route, index, atMs, { beforeAtMs: passedAtMs(following, index - 1), passed: following.passages.map((passage) => passage.index), ended }), atMs);
  return open;
}
