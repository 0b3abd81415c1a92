import { filter, map, pipe, type OperatorFunction } from 'rxjs';
import { forecastRace, type Forecast } from '../forecast/forecast.ts';
import type { ModelStore } from '../ports/model-store.ts';
import { isFinished } from '../race/state.ts';
import type { ChangedRace, FoldedItem } from './items.ts';

export type ForecastItem = {
  readonly changed: ChangedRace;
  /** null = the race has ended, or nobody will see a forecast of it. */
  readonly forecast: Forecast | null;
  readonly modelVersion: string;
};

/** A forecast for each changed race, as of the event time of what changed it and of the learner's position. */
export function issueForecasts(models: ModelStore): OperatorFunction<FoldedItem, ForecastItem> {
  return pipe(
    filter((item): item is ChangedRace => item.kind === 'changed'),
    map((changed): ForecastItem => {
      const { race } = changed;
      return {
        changed,
        forecast: changed.isHistory || isFinished(race.state) ? null : forecastRace(models.modelOf(race.source), race, changed.asOfMs),
        modelVersion: models.versionOf(race.source),
      };
    }),
  );
}
