import { map, type OperatorFunction } from 'rxjs';
import { revise } from '../forecast/revise.ts';
import { reviseUnheld } from '../forecast/unheld.ts';
import { nextWakeAtMs } from '../forecast/wake.ts';
import type { Clock } from '../ports/clock.ts';
import type { RaceStore } from '../ports/state-store.ts';
import type { ForecastItem } from './issue-forecasts.ts';
import type { RevisedItem } from './items.ts';

export type ReviseOptions = {
  readonly store: RaceStore; readonly clock: Clock; readonly finishedTtlMs: number;
  /** false = every forecast is published, and displayed as it is. */
  readonly hold: boolean;
};

/** Forecasts to revisions: publishes when it is worth it, and sets when the race is next looked at. */
export function reviseEtas({ store, clock, finishedTtlMs, hold }: ReviseOptions): OperatorFunction<ForecastItem, RevisedItem> {
  const decide = hold ? revise : reviseUnheld;
  return map(({ changed, forecast, modelVersion }): RevisedItem => {
    const nowMs = clock.nowMs();
    const revision = changed.isHistory || forecast === 'unneeded' ? null : decide(
      changed.race, forecast,
      { reason: changed.change.reason, significant: changed.change.significant, eventAtMs: changed.asOfMs },
      { nowMs, modelVersion },
    );
    const lateAtSec = forecast === 'unneeded' || forecast === null ? null : forecast.lateAtSec;
    // One that a wake-up looked at is the store's, and may be in a slice on its way; others were made for this very input.
    const race = revision?.race ?? (changed.record === null ? { ...changed.race } : changed.race);
    race.wake_at = nextWakeAtMs(race, { finishedTtlMs, nowMs, lateAtSec });
    store.put(race);
    return { kind: 'revised', changed, race, eta: revision?.eta ?? null };
  });
}
