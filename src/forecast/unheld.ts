import { isFinished, type RaceState } from '../race/state.ts';
import type { Forecast } from './forecast.ts';
import { revise, type Cause, type ReviseOptions, type Revision } from './revise.ts';

/**
 * As `revise`, with nothing held back: every forecast that differs from the published one is published, and displayed as
 * it is. What that costs readers in calm, and gains them, is what `backtest --no-hold` is for.
 */
export function reviseUnheld(race: RaceState, forecast: Forecast | null, cause: Cause, options: ReviseOptions): Revision | null {
  const { published } = race;
  if (isFinished(race.state) || forecast === null || published === null) return revise(race, forecast, cause, options);
  const isSame = forecast.etaSec === published.eta_sec && forecast.p10Sec === published.p10_sec && forecast.p50Sec === published.p50_sec && forecast.p90Sec === published.p90_sec;
  if (isSame && !cause.significant) return null;
  // Who has published nothing and shows nothing holds nothing.
  const unheld = { ...race, published: null, previous_eta_sec: published.eta_sec, display: { ...race.display, finish_at: null } };
  return revise(unheld, forecast, cause, options);
}
