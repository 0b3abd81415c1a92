import { Type } from 'typebox';
import { readAccuracy } from '../accuracy.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { failures } from '../schemas.ts';

const AccuracyQuery = Type.Object({
  source: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'One source, or all that fit: * stands for any text. Default: all' })),
  days: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_650, description: 'Races that ended within so many days. Default: 30' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'Sources in the answer, those with most races first. Default: 50' })),
});

const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });
const maybe = (description: string) => Type.Unsafe<number | null>({ type: ['number', 'null'], description });

const figures = {
  looks: Type.Integer({ description: 'How often was looked: once a race at each share of its life' }),
  answered: share('Where there was a forecast'),
  within20: share('Forecasts within 20 % of the true total; none is a miss'),
  within20_of_remaining: share('The same, within 20 % of what was left then'),
  mean_confidence: maybe('What the forecasts promised for within20'),
  mean_abs_error_sec: maybe('Seconds'),
  median_abs_error_sec: maybe('Seconds'),
  nmae: maybe('Mean error over mean duration'),
  bias_sec: maybe('Mean of forecast less truth, seconds'),
  bias_log_ratio: maybe('Median of ln(forecast / truth): above 0 = too long'),
  p90_coverage: maybe('Truths at or below p90: 0.9 is right'),
  p10_p90_coverage: maybe('Truths within p10..p90: 0.8 is right'),
  pinball: maybe('Mean loss of p10, p50 and p90 over the duration'),
};
const Figures = Type.Object(figures);
const SourceBody = Type.Object({
  source: Type.String({ description: '* = all that fit, together' }),
  races: Type.Integer({ description: 'Races that passed or failed and were forecast' }),
  at_submission: Figures,
  over_life: Type.Object(figures, { description: 'Over the shares 0, 0.1 ... 0.9 of each life' }),
  ceiling: Type.Union([Type.Object({
    races: Type.Integer({ description: 'Of kinds with at least 10 of them' }), kinds: Type.Integer(),
    within20: share('By the best constant per kind, chosen with hindsight: what the spread of like runs allows'),
    within20_learned: share('By constants that half of the runs chose for the other half'),
    log_sd: Type.Number({ description: 'Standard deviation of ln(duration) within a kind' }),
  }), Type.Null()], { description: 'null = no kind of run had 10 of them' }),
  calm: Type.Union([Type.Object({
    races: Type.Integer(), revisions_per_race: Type.Number(), median_jitter: Type.Number({ description: 'Sum of moves of the ETA over the duration' }),
    median_display_jitter: Type.Number({ description: 'The same of the displayed finish' }), later_moves_per_race: Type.Number(),
  }), Type.Null()]),
  by_share: Type.Array(Type.Object({ share: share('Of the life'), ...figures })),
  by_basis: Type.Array(Type.Object({ basis: Type.String(), ...figures }), { description: 'Over life, by what the forecast rested on; none = there was no forecast' }),
  confidence: Type.Array(Type.Object({ from: share('The bin is [from, from + 0.1)'), forecasts: Type.Integer(), mean_confidence: share('Promised'), came_true: share('Kept') })),
});
const AccuracyBody = Type.Object({
  days: Type.Integer(),
  total: Type.Union([SourceBody, Type.Null()], { description: 'null = no race was forecast and ended' }),
  sources: Type.Array(SourceBody),
});

/** GET /v1/accuracy: how right forecasts were, from ClickHouse, beside what the spread of like runs allows. */
export function accuracyRoutes(app: App, context: GatewayContext): void {
  app.get('/v1/accuracy', {
    schema: { tags: ['v1'], summary: 'How right forecasts were, beside what the spread of like runs allows', querystring: AccuracyQuery, response: { 200: AccuracyBody, ...failures } },
  }, async (request) => {
    const { source, days = 30, limit = 50 } = request.query;
    if (context.history === null) throw failure('history_unavailable', 'This gateway runs without ClickHouse');
    return await readAccuracy(context.history, { source, days, limit });
  });
}
