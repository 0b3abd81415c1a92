import type { forecastRace, Forecast } from '../../src/forecast/forecast.ts';
import { milestonesOf } from '../../src/forecast/milestones.ts';
import { DURATION, type SourceModel } from '../../src/forecast/model.ts';
import { cell } from '../../src/forecast/ring.ts';

const RUNS = 20;
const GUESS_SEC = 600;
const durations = new Float64Array(RUNS);

/**
 * The least that a service could say: the median of the title's last twenty runs, their spread as its range, and from an age
 * beyond it on the age. What the pipeline costs around its forecasts is measured with it.
 */
export const simpleForecast: typeof forecastRace = (model, race, asOfMs): Forecast => {
  const count = readDurations(model, race.title);
  const elapsedSec = race.started_at === null ? 0 : Math.max(0, (asOfMs - race.started_at) / 1000);
  const at = (q: number): number => Math.max(elapsedSec, count === 0 ? GUESS_SEC : durations[Math.min(count - 1, Math.floor(q * count))]!);
  const etaSec = at(0.5);
  return {
    etaSec, p10Sec: at(0.1), p25Sec: at(0.25), p50Sec: etaSec, p75Sec: at(0.75), p90Sec: at(0.9), confidence: 0.5, basis: count === 0 ? 'bootstrap' : 'key',
    clusterId: null, clusterVersion: null, deadlineProbability: null, overdue: etaSec === elapsedSec, beside: () => [],
    lossOfPublished: race.published === null || race.published.eta_sec <= elapsedSec ? 1 : 0, shown: { sec: etaSec, gain: 0 }, lateAtSec: null, nextAtMs: null,
    milestones: () => milestonesOf(undefined, race, null, asOfMs),
  };
};

/** Sorted, at most twenty; returns how many. */
function readDurations(model: SourceModel | undefined, title: string): number {
  const ring = model?.titles.get(title)?.durations;
  if (ring === undefined) return 0;
  const count = Math.min(RUNS, ring.size);
  for (let i = 0; i < count; i++) durations[i] = cell(ring, ring.size - 1 - i, DURATION.sec);
  durations.subarray(0, count).sort();
  return count;
}
