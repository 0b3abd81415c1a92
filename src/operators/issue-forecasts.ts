import { filter, map, pipe, type OperatorFunction } from 'rxjs';
import { repeatsPublished } from '../forecast/agreement.ts';
import { forecastRace, type Forecast } from '../forecast/forecast.ts';
import type { ModelStore } from '../ports/model-store.ts';
import { isFinished } from '../race/state.ts';
import type { ChangedRace, FoldedItem } from './items.ts';

export type ForecastItem = {
  readonly changed: ChangedRace;
  /** null = the race has ended, or nobody will see a forecast of it; `unneeded` = what was published stands. */
  readonly forecast: Forecast | 'unneeded' | null;
  readonly modelVersion: string;
};

/** A forecast for each changed race, as of the event time of what changed it and of the learner's position. */
export function issueForecasts(models: ModelStore): OperatorFunction<FoldedItem, ForecastItem> {
  return pipe(
    filter((item): item is ChangedRace => item.kind === 'changed'),
    map((changed): ForecastItem => {
      return { changed, forecast: forecastOf(changed, models), modelVersion: models.versionOf(changed.race.source) };
    }),
  );
}

function forecastOf({ race, change, asOfMs, isHistory }: ChangedRace, models: ModelStore): ForecastItem['forecast'] {
  if (isHistory || isFinished(race.state)) return null;
  const model = models.modelOf(race.source);
  // Most updates only confirm: a forecast each would be most of the pipeline's time.
  return repeatsPublished(model, race, change, asOfMs) ? 'unneeded' : forecastRace(model, race, asOfMs);
}
