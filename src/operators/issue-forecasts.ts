import type { OperatorFunction } from 'rxjs';
import { repeatsPublished } from '../forecast/agreement.ts';
import type { AlongRoute } from '../forecast/along-route.ts';
import type { Forecast, forecastRace } from '../forecast/forecast.ts';
import type { SourceModel } from '../forecast/model.ts';
import { waypointEtas } from '../journey/etas.ts';
import { createJourneyModel } from '../journey/model.ts';
import { forecastWaypoints, noForecasts } from '../journey/open-forecasts.ts';
import { notSeenYet } from '../journey/position.ts';
import type { ModelStore } from '../ports/model-store.ts';
import { isFinished, type RaceState } from '../race/state.ts';
import { emitEach } from './emit-each.ts';
import type { ChangedRace, FoldedItem, WokenItem } from './items.ts';
import { followedRoute, plannedRoute, type Vehicles } from './vehicles.ts';

export type ForecastItem = {
  readonly changed: ChangedRace;
  /** null = the race has ended, or nobody will see a forecast of it; `unneeded` = what was published stands. */
  readonly forecast: Forecast | 'unneeded' | null;
  readonly modelVersion: string;
};

export type ForecastOptions = {
  /** false = also where what was published would stand anyway. */
  readonly hold: boolean;
  readonly forecast: typeof forecastRace;
};

/** A forecast for each changed race, as of the event time of what changed it and of the learner's position. */
export function issueForecasts(models: ModelStore, vehicles: Vehicles, options: ForecastOptions): OperatorFunction<FoldedItem | WokenItem, ForecastItem> {
  return emitEach((item, emit) => {
    if (item.kind === 'changed') emit({ changed: item, forecast: forecastOf(item, models, vehicles, options), modelVersion: models.versionOf(item.race.source) });
  });
}

function forecastOf({ race, change, asOfMs, isHistory }: ChangedRace, models: ModelStore, vehicles: Vehicles, { hold, forecast }: ForecastOptions): ForecastItem['forecast'] {
  if (isHistory || isFinished(race.state)) return null;
  const model = models.modelOf(race.source);
  const along = alongRoute(vehicles, model, race, asOfMs);
  if (along !== null) return forecast(model, race, asOfMs, along);
  // Most updates only confirm: a forecast each would be most of the pipeline's time.
  return hold && repeatsPublished(model, race, change, asOfMs) ? 'unneeded' : forecast(model, race, asOfMs);
}

/** Before anything is learned. */
const nothingLearned = createJourneyModel();

/** ETAs of the waypoints ahead of a vehicle; some are kept to be held against the truth. Before its first position, by its plan. */
function alongRoute(vehicles: Vehicles, model: SourceModel | undefined, race: RaceState, asOfMs: number): AlongRoute | null {
  const learned = model?.journeys ?? nothingLearned;
  const { position, started_at: startedAtMs } = race;
  if (position === null) {
    const route = startedAtMs === null ? plannedRoute(vehicles, race) : null;
    return route === null ? null : { route, etas: waypointEtas(learned, route, notSeenYet, asOfMs).etas };
  }
  const route = followedRoute(vehicles, race);
  if (route === null) return null;
  const before = vehicles.open.get(race.race_id) ?? noForecasts;
  const { etas, open } = forecastWaypoints(learned, route, position, race.field_at.position, before);
  if (open !== before) vehicles.open.set(race.race_id, open);
  return { route, etas };
}
