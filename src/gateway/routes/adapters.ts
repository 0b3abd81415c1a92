import { Type } from 'typebox';
import { adapterMetrics } from '../adapter-metrics.ts';
import { adapterRegistry, type AdapterState } from '../adapters.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { fieldFailure, HttpFailure } from '../failures.ts';
import { failures, textAnswer } from '../schemas.ts';
import { objectBody } from '../validation.ts';

const tags = ['compatible'];
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const Any = Type.Unsafe({ type: 'object', additionalProperties: true });
const MAX_INTERVAL_SEC = 86_400;
const Name = Type.String({ minLength: 1, maxLength: 200 });
const RegisterPost = Type.Object({
  id: Name, adapter_type: Name, instance_id: Name,
  display_name: Type.Optional(Type.Unsafe({ description: 'Text' })), version: Type.Optional(Type.Unsafe({ description: 'Text' })), pid: Type.Optional(Type.Unsafe({ description: 'A number' })),
  health_interval_seconds: Type.Optional(Type.Union([Type.Number({ minimum: 0, maximum: MAX_INTERVAL_SEC }), Type.Null()], { description: '0 = it does not report; default 60' })),
});
const HealthPost = Type.Object({ adapter_id: Name, metrics: Type.Optional(Type.Unsafe({ description: 'Figures by name' })), error: Type.Optional(Type.Unsafe({ description: 'Text' })) });
const DeregisterPost = Type.Object({ adapter_id: Name });

const colors: Readonly<Record<AdapterState, string>> = {
  REGISTERED: 'blue', HEALTHY: 'green', UNHEALTHY: 'red', UNKNOWN: 'yellow', STOPPED: 'gray', EXEMPT: 'blue',
};

/** The origin's registration of its client processes, without which they do not start. An unknown id is 404, not "ok". */
export function adapterRoutes(app: App, context: GatewayContext): void {
  const registry = adapterRegistry(context.clock);

  app.post('/adapter/register', {
    schema: { tags, summary: 'Register a client process', body: RegisterPost, response: { 200: Any, ...failures } },
  }, async (request) => {
    const body = objectBody(request.body);
    const id = text(body, 'id');
    const intervalSec = body['health_interval_seconds'] ?? 60;
    if (typeof intervalSec !== 'number' || !(intervalSec >= 0 && intervalSec <= MAX_INTERVAL_SEC)) throw fieldFailure('health_interval_seconds', intervalSec, `a number in 0..${MAX_INTERVAL_SEC}`);
    registry.register({
      id,
      type: text(body, 'adapter_type'),
      instance: text(body, 'instance_id'),
      displayName: typeof body['display_name'] === 'string' ? body['display_name'].slice(0, 200) : id,
      version: typeof body['version'] === 'string' ? body['version'].slice(0, 50) : '',
      pid: typeof body['pid'] === 'number' ? body['pid'] : null,
      intervalSec,
    });
    return { adapter_id: id, health_interval_seconds: intervalSec, message: 'Adapter successfully registered', status: 'registered' };
  });

  app.post('/adapter/health', {
    schema: { tags, summary: 'Report the health of a client process', body: HealthPost, response: { 200: Any, ...failures } },
  }, async (request) => {
    const body = objectBody(request.body);
    const id = text(body, 'adapter_id');
    const error = typeof body['error'] === 'string' ? body['error'].slice(0, 500) : null;
    if (!registry.report(id, figures(body['metrics']), error)) throw unknownAdapter(id);
    return { adapter_id: id, message: 'Health report received', status: 'ok' };
  });

  app.post('/adapter/deregister', {
    schema: { tags, summary: 'Take a client process off', body: DeregisterPost, response: { 200: Any, ...failures } },
  }, async (request) => {
    const id = text(objectBody(request.body), 'adapter_id');
    if (!registry.deregister(id)) throw unknownAdapter(id);
    return { adapter_id: id, message: 'Adapter successfully deregistered', status: 'deregistered' };
  });

  app.get('/adapter/metrics', {
    schema: { tags, summary: 'The registered client processes for Prometheus', response: { 200: textAnswer('Prometheus text', METRICS_TYPE) } },
  }, async (_request, reply) => {
    void reply.type(METRICS_TYPE);
    return adapterMetrics(registry.list(), context.clock.nowMs());
  });

  app.get('/adapter/status', {
    schema: { tags, summary: 'The registered client processes', response: { 200: Any } },
  }, async () => {
    const nowMs = context.clock.nowMs();
    const list = registry.list();
    const sum = (name: string): number => list.reduce((total, { adapter }) => total + (Number(adapter.metrics[name]) || 0), 0);
    const healthy = list.filter(({ state }) => state === 'HEALTHY' || state === 'EXEMPT').length;
    const unhealthy = list.filter(({ state }) => state === 'UNHEALTHY' || state === 'UNKNOWN').length;
    return {
      adapters: list.map(({ adapter, state }) => ({
        id: adapter.id,
        type: adapter.type.toLowerCase(),
        instance: adapter.instance,
        display_name: adapter.displayName,
        version: adapter.version,
        pid: adapter.pid,
        registered_at: new Date(adapter.registeredAtMs).toISOString(),
        last_report: adapter.lastReportAtMs === null ? null : new Date(adapter.lastReportAtMs).toISOString(),
        seconds_since_report: adapter.lastReportAtMs === null ? null : Math.floor((nowMs - adapter.lastReportAtMs) / 1_000),
        state,
        state_color: colors[state],
        metrics: adapter.metrics,
        error: adapter.error,
      })),
      summary: {
        total: list.length, healthy, unhealthy, operational: unhealthy === 0,
        races_created: sum('races_created'), races_updated: sum('races_updated'), last_update: new Date(nowMs).toISOString(),
      },
    };
  });
}

function text(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value.length >= 1 && value.length <= 200) return value;
  throw fieldFailure(name, value, 'text of 1..200 characters');
}

/** The numbers and instants of a report; anything else is dropped, and no more than 20. */
function figures(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).slice(0, 20).filter(([, item]) => typeof item === 'number' || (typeof item === 'string' && item.length <= 50)));
}

function unknownAdapter(id: string): HttpFailure {
  return new HttpFailure(404, { error: 'Adapter not found', adapter_id: id, code: 'not_found', message: 'Register the adapter first' });
}
