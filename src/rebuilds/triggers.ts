/** What races of a source show, by the model in force; null where there is nothing to measure. */
export type WatchFigures = {
  /** Mean error of served forecasts at submission over the median duration. */
  readonly errorRatio: number | null;
  /** Mean of 1 - the distance to the nearest exemplar, over races in a cluster. */
  readonly cohesion: number | null;
  /** Races in no cluster. */
  readonly noiseRatio: number | null;
};

export type Watched = {
  readonly nowMs: number;
  /** Finished races of the source. */
  readonly races: number;
  /** Of these, those that ended after the last attempt began; all, before the first. */
  readonly newRaces: number;
  /** The last attempt, whatever became of it; null = there was none. */
  readonly last: { readonly atMs: number; readonly failed: boolean; readonly figures: WatchFigures } | null;
  readonly figures: WatchFigures;
};

export type Trigger = 'error' | 'cohesion' | 'noise' | 'volume' | 'daily' | 'weekly';
export type Fired = { readonly trigger: Trigger; readonly detail: string };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Between two automatic rebuilds of a source; longer after one that failed. Chosen, not tuned. */
const COOL_DOWN_MS = HOUR_MS;
const COOL_DOWN_FAILED_MS = 6 * HOUR_MS;
/** Below it there is nothing to cluster: chosen, not tuned. */
export const LEAST_RACES = 100;
const VOLUME = 1_000;
/** New races that make a source active. Chosen, not tuned. */
const ACTIVE = 50;
/** Against what was seen at the last attempt. */
const ERROR_RISE = 0.2;
const COHESION_FALL = 0.1;
const NOISE_RISE = 0.05;
/** Specified, absolute: fire once, until a rebuild has seen them. */
const MOST_ERROR = 0.2;
const LEAST_COHESION = 0.7;
const MOST_NOISE = 0.15;

/**
 * Why a source wants a rebuild now; null = it does not, or it cools down. Measured against the last attempt, not only the
 * last accepted one: what a rebuild has seen and could not help asks for no other until it changes.
 */
export function triggerOf({ nowMs, races, newRaces, last, figures }: Watched): Fired | null {
  if (races < LEAST_RACES) return null;
  if (last === null) return { trigger: 'volume', detail: `${races} races and no model yet` };
  const ageMs = nowMs - last.atMs;
  if (ageMs < (last.failed ? COOL_DOWN_FAILED_MS : COOL_DOWN_MS)) return null;
  const before = last.figures;
  const found: (Fired | null)[] = [
    crossed('error', figures.errorRatio, before.errorRatio, (now) => now > MOST_ERROR, (now, then) => now > (1 + ERROR_RISE) * then, 'mean error over the median duration'),
    crossed('cohesion', figures.cohesion, before.cohesion, (now) => now < LEAST_COHESION, (now, then) => now < then - COHESION_FALL, 'cohesion'),
    crossed('noise', figures.noiseRatio, before.noiseRatio, (now) => now > MOST_NOISE, (now, then) => now > then + NOISE_RISE, 'share of races in no cluster'),
    newRaces > VOLUME ? { trigger: 'volume', detail: `${newRaces} new races` } : null,
    ageMs >= DAY_MS && newRaces >= ACTIVE ? { trigger: 'daily', detail: `${newRaces} new races in ${(ageMs / DAY_MS).toFixed(1)} days` } : null,
    ageMs >= 7 * DAY_MS && newRaces > 0 ? { trigger: 'weekly', detail: `${newRaces} new races in ${(ageMs / DAY_MS).toFixed(1)} days` } : null,
  ];
  return found.find((one) => one !== null) ?? null;
}

function crossed(trigger: Trigger, now: number | null, then: number | null, isBeyond: (now: number) => boolean, isWorse: (now: number, then: number) => boolean, what: string): Fired | null {
  if (now === null) return null;
  if (then !== null && isWorse(now, then)) return { trigger, detail: `${what} ${now.toFixed(3)}, ${then.toFixed(3)} at the last rebuild` };
  if (isBeyond(now) && (then === null || !isBeyond(then))) return { trigger, detail: `${what} ${now.toFixed(3)} is beyond its limit` };
  return null;
}
