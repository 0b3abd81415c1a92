import type { OperatorFunction } from 'rxjs';
import { repeatsPublished } from '../forecast/agreement.ts';
import { forecastRace, type Forecast } from '../forecast/forecast.ts';
import type { ModelStore } from '../ports/model-store.ts';
import { isFinished } from '../race/state.ts';
import { emitEach } from './emit-each.ts';
import type { ChangedRace, FoldedItem, WokenItem } from './items.ts';

export type ForecastItem = {
  readonly changed: ChangedRace;
  /** null = the race has ended, or nobody will see a forecast of it; `unneeded` = what was published stands. */
  readonly forecast: Forecast | 'unneeded' | null;
  readonly modelVersion: string;
};

/**
 * A forecast for each changed race, as of the event time of what changed it and of the learner's position.
 * @param hold false = also where what was published would stand anyway.
 */
export function issueForecasts(models: ModelStore, hold: boolean): OperatorFunction<FoldedItem | WokenItem, ForecastItem> {
  return emitEach((item, emit) => {
    if (item.kind === 'changed') emit({ changed: item, forecast: forecastOf(item, models, hold), modelVersion: models.versionOf(item.race.source) });
  });
}

function forecastOf({ race, change, asOfMs, isHistory }: ChangedRace, models: ModelStore, hold: boolean): ForecastItem['forecast'] {
  if (isHistory || isFinished(race.state)) return null;
  const model = models.modelOf(race.source);
  // Most updates only confirm: a forecast each would be most of the pipeline's time.
  return hold && repeatsPublished(model, race, change, asOfMs) ? 'unneeded' : forecastRace(model, race, asOfMs);
}
