import { Gauge, type Registry } from 'prom-client';
import type { FinishedRace } from '../forecast/history-record.ts';
import { inForce, LOOKS } from '../forecast/in-force.ts';
import { isWithin20 } from '../forecast/within20.ts';

/** A race weighs this share against all before it: about the last hundred races count. Chosen, not tuned. */
const WEIGHT = 0.02;

const names = ['within20_submission', 'within20_life', 'p90', 'p10_p90', 'promised_submission', 'bias_log'] as const;
type Means = { races: number } & Record<(typeof names)[number], number>;

/**
 * Gauges of how right the forecasts of each source have been lately, as this instance saw its races end; the newest count
 * most. For long spans and for the ceiling there is ClickHouse. Memory: seven numbers a source label.
 */
export function createAccuracyGauges(registry: Registry, labelOf: (source: string) => string): (race: FinishedRace) => void {
  const means = new Map<string, Means>();
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[], set: (to: Gauge<Label | 'source'>, source: string, now: Means) => void): void => {
    new Gauge<Label | 'source'>({ name, help, labelNames: ['source', ...labelNames], registers, collect() {
      for (const [source, now] of means) set(this, source, now);
    } });
  };
  gauge('raceline_forecast_within20_ratio', 'Forecasts within 20 % of the truth, of about the last hundred races: at submission, and of what was left over life', ['at'], (to, source, now) => {
    to.set({ source, at: 'submission' }, now.within20_submission);
    to.set({ source, at: 'life' }, now.within20_life);
  });
  gauge('raceline_forecast_promised_ratio', 'What the confidence of forecasts at submission promised for within20, of the same races', [], (to, source, now) => to.set({ source }, now.promised_submission));
  gauge('raceline_forecast_coverage_ratio', 'Truths at or below p90 (0.9 is right), and within p10..p90 (0.8), over the life of the same races', ['band'], (to, source, now) => {
    to.set({ source, band: 'p90' }, now.p90);
    to.set({ source, band: 'p10_p90' }, now.p10_p90);
  });
  gauge('raceline_forecast_bias_log_ratio', 'Mean of ln(forecast / truth) at submission of the same races: above 0 = too long', [], (to, source, now) => to.set({ source }, now.bias_log));
  return (race) => {
    const found = judged(race);
    if (found === null) return;
    const source = labelOf(race.source);
    const now = means.get(source) ?? { races: 0, within20_submission: 0, within20_life: 0, p90: 0, p10_p90: 0, promised_submission: 0, bias_log: 0 };
    means.set(source, now);
    now.races++;
    // The plain mean of the first races, so that none of them weighs more than the others.
    const weight = Math.max(WEIGHT, 1 / now.races);
    for (const name of names) now[name] += weight * (found[name] - now[name]);
  };
}

/** null = there is no truth, or there was no forecast. */
function judged({ checkpoints, duration_sec: sec, outcome }: FinishedRace): Omit<Means, 'races'> | null {
  const looks = inForce(checkpoints, sec);
  const first = looks.find((look) => look !== null);
  if (first === undefined || sec <= 0 || (outcome !== 'passed' && outcome !== 'failed')) return null;
  const share = (holds: (eta: NonNullable<typeof first>, tenth: number) => boolean): number => looks.filter((look, tenth) => look !== null && holds(look, tenth)).length;
  const answered = share(() => true);
  return {
    within20_submission: looks[0] != null && isWithin20(looks[0].eta_sec, sec) ? 1 : 0,
    within20_life: share(({ eta_sec }, tenth) => isWithin20(eta_sec, sec, 1 - tenth / LOOKS)) / LOOKS,
    p90: share(({ p90_sec }) => sec <= p90_sec) / answered,
    p10_p90: share(({ p10_sec, p90_sec }) => p10_sec <= sec && sec <= p90_sec) / answered,
    promised_submission: first.confidence,
    bias_log: Math.log(Math.max(first.eta_sec, 0.5) / Math.max(sec, 0.5)),
  };
}
