import { Type } from 'typebox';
import type { App } from '../app.ts';
import type { DoctorReport } from '../../runtime/doctor.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { failures, textAnswer } from '../schemas.ts';
import { watchStorage } from '../storage-health.ts';

const tags = ['service'];
/** Of the API. */
const VERSION = '1.0.0';
const RolesBody = Type.Object({ ready: Type.Boolean(), roles: Type.Unsafe({ type: 'object', additionalProperties: { type: 'string' } }) });

/** What operators ask: is it alive, is it ready, what does it count. */
export function serviceRoutes(app: App, context: GatewayContext): void {
  app.get('/healthz', {
    config: { scope: 'none' },
    schema: { tags, summary: 'Alive: the process answers', response: { 200: Type.Object({ status: Type.String() }) } },
  }, async () => ({ status: 'ok' }));

  const readiness = (): { ready: boolean; roles: Record<string, string> } => {
    const { ready, roles } = context.ready();
    const restored = context.view.isRestored();
    return { ready: ready && restored, roles: restored ? { ...roles } : { ...roles, gateway: 'restoring' } };
  };

  app.get('/readyz', {
    config: { scope: 'none' },
    schema: { tags, summary: 'Ready: every role of this instance runs', response: { 200: RolesBody, 503: RolesBody } },
  }, async (_request, reply) => {
    const report = readiness();
    void reply.code(report.ready ? 200 : 503);
    return report;
  });

  const storage = watchStorage(context);
  app.addHook('onClose', async () => storage.close());

  let examining: Promise<DoctorReport> | null = null;
  app.get('/v1/doctor', {
    config: { scope: 'admin' },
    schema: { tags, summary: 'Looks at every engine: what is wrong and what to do', response: { 200: Type.Unsafe({ type: 'object', additionalProperties: true }), ...failures } },
  }, async () => {
    if (context.examine === undefined) throw failure('unavailable', 'This gateway cannot look at its engines');
    // Whoever asks meanwhile gets the same answer: it costs reads of the log.
    examining ??= context.examine().finally(() => { examining = null; });
    return await examining;
  });

  app.get('/health', {
    schema: { tags: ['compatible'], summary: 'The state of the service; always 200', response: { 200: Type.Unsafe({ type: 'object', additionalProperties: true }) } },
  }, async () => {
    const { ready, roles } = readiness();
    const health = storage.health();
    return {
      read_only_mode_active: context.readOnly, service: 'Raceline', status: ready && health.critical_errors.length === 0 ? 'healthy' : 'critical', storage: health, version: VERSION, roles,
    };
  });

  app.get('/metrics', {
    schema: { tags, summary: 'Prometheus metrics', response: { 200: textAnswer('Prometheus text', 'text/plain; version=0.0.4; charset=utf-8') } },
  }, async (_request, reply) => {
    const text = await context.metricsText();
    void reply.type('text/plain; version=0.0.4; charset=utf-8');
    return text;
  });
}
