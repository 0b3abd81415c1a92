import { Type, type Static } from 'typebox';
import type { HistoryStore } from '../../ports/history-store.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { iso } from '../iso.ts';
import { failures } from '../schemas.ts';

const tags = ['compatible'];
const DAYS = 30;

const AccuracyBody = Type.Object({
  total_predictions: Type.Integer({ description: 'ETAs of the end of the route that were held against the arrival: those in force at each tenth of the way, of 30 days' }),
  completed_arrivals: Type.Integer({ description: 'Journeys that they are of' }),
  average_error_seconds: Type.Number({ description: 'Arrival less ETA: above 0 = later than told. 0 where there is no arrival, as are the next two' }),
  max_error_seconds: Type.Number(),
  min_error_seconds: Type.Number(),
  accuracy_percentage: Type.Optional(Type.Number({ minimum: 0, maximum: 100, description: 'ETAs within 20 % of the whole travel time; absent where there is no arrival' })),
});

/** What the API that dashboards of flights know tells of its ETAs and its cache: accuracy from ClickHouse, and that nothing is cached. */
export function originEtaMetricRoutes(app: App, context: GatewayContext): void {
  app.get('/api/routes/metrics/eta-accuracy', {
    schema: { tags, summary: 'How right the ETAs of vehicles were', response: { 200: AccuracyBody, ...failures } },
  }, async () => {
    if (context.history === null) throw failure('history_unavailable', 'This gateway runs without ClickHouse');
    return await readArrivalAccuracy(context.history);
  });

  app.get('/api/routes/metrics/eta-cache', {
    schema: { tags, summary: 'Nothing is cached: every answer is made when it is asked for', response: { 200: Type.Object({ cached_entries: Type.Integer(), ttl_seconds: Type.Number(), timestamp: Type.String({ format: 'date-time' }) }), ...failures } },
  }, async () => ({ cached_entries: 0, ttl_seconds: 0, timestamp: iso(context.clock.nowMs()) }));

  for (const [action, more] of [['cleanup', { entries_removed: 0 }], ['clear', {}]] as const) {
    app.post(`/api/routes/cache/${action}`, {
      config: { scope: 'read' },
      schema: { tags, summary: 'Nothing is cached: nothing is removed', response: { 200: Type.Object({ status: Type.String(), entries_removed: Type.Optional(Type.Integer()), message: Type.String() }), ...failures } },
    }, async () => ({ status: 'success', ...more, message: 'Nothing is cached' }));
  }
}

/** Only of vehicles do forecasts rest on telemetry. Cost: one pass over the forecasts of the period. */
async function readArrivalAccuracy(store: HistoryStore): Promise<Static<typeof AccuracyBody>> {
  const [row = {}] = await store.query<Readonly<Record<string, number | string | null>>>(
    `SELECT count() AS predictions, uniqExact(source, race_id, attempt) AS arrivals, avg(truth_sec - eta_sec) AS mean, max(truth_sec - eta_sec) AS most, min(truth_sec - eta_sec) AS least, 100 * avg(within20) AS within20_percent
      FROM v_forecasts_in_force WHERE basis = 'telemetry' AND completed_at >= now() - toIntervalDay({days:UInt32})`, { days: DAYS });
  const number = (name: string): number => Number(row[name] ?? 0);
  const none = number('predictions') === 0;
  const error = (name: string): number => (none ? 0 : number(name));
  return {
    total_predictions: number('predictions'), completed_arrivals: number('arrivals'), average_error_seconds: error('mean'), max_error_seconds: error('most'), min_error_seconds: error('least'),
    ...(none ? {} : { accuracy_percentage: number('within20_percent') }),
  };
}
