import { Type } from 'typebox';
import { settingsOf } from '../../rebuilds/rollout.ts';
import { LEAST_RACES } from '../../rebuilds/triggers.ts';
import { sendRebuildRequest, type RebuildRequest } from '../../runtime/rebuild-requests.ts';
import { rebuildOf, type RebuildRow } from '../../runtime/rebuild-store.ts';
import type { App } from '../app.ts';
import { clusterBody, clusterDetail, modelOf, rolloutOf } from '../clusters.ts';
import type { GatewayContext } from '../context.ts';
import { failure, fieldFailure, HttpFailure } from '../failures.ts';
import { failures } from '../schemas.ts';
import { objectBody } from '../validation.ts';

const Any = Type.Unsafe({ type: 'object', additionalProperties: true });
const Source = Type.String({ minLength: 1, maxLength: 200 });
const SourceQuery = Type.Object({ source: Type.Optional(Source) });
const MOST_CLUSTERS = 10_000;
const ClustersQuery = Type.Object({ source: Type.Optional(Source), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_CLUSTERS, default: MOST_CLUSTERS })) });
const ClusterParam = Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) });
const TriggerPost = Type.Object({ source: Type.Optional(Type.Union([Source, Type.Null()], { description: `Absent = every source with at least ${LEAST_RACES} finished races` })) });
const SourcePost = Type.Object({ source: Source });
const PromotePost = Type.Object({ source: Source, share: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'Of the races that a canary serves' })) });
const EnablePost = Type.Object({
  mode: Type.Optional(Type.Enum(['shadow', 'canary', 'production'], { description: 'What candidates become: shadow (default) leaves them as they are' })),
  percentage: Type.Optional(Type.Number({ minimum: 0, maximum: 100, description: 'Of the races that canaries serve' })),
});
const Accepted = Type.Object({ id: Type.String(), status: Type.Enum(['accepted', 'running']), source: Type.Union([Type.String(), Type.Null()]) });

/** Clusters, rebuilds and rollouts: the origin's routes, and under /v1 those that answer before the work is done. */
export function rebuildRoutes(app: App, context: GatewayContext): void {
  const compatible = ['compatible'];

  async function ask(of: Pick<RebuildRequest, 'action'> & Partial<RebuildRequest>): Promise<string> {
    return await sendRebuildRequest(context, { trigger: 'manual', requested_by: 'api', detail: null, share: null, source: '*', ...of });
  }
  /** A rebuild of the source that runs already: another one would show nothing else. */
  async function runningOf(source: string): Promise<string | null> {
    const here = context.runningRebuilds?.().find((one) => one.source === source);
    if (here !== undefined) return here.requestId;
    if (context.history === null) return null;
    const [row] = await context.history.query<{ request_id: string }>(
      `SELECT request_id FROM v_rebuilds WHERE source = {source:String} AND status = 'running' AND started_at > now() - INTERVAL 10 MINUTE ORDER BY started_at DESC LIMIT 1`, { source },
    ).catch(() => []);
    return row?.request_id ?? null;
  }
  function requireHistory() {
    if (context.history === null) throw failure('history_unavailable', 'This gateway runs without ClickHouse');
    return context.history;
  }

  app.get('/clusters', {
    schema: { tags: compatible, summary: 'Clusters in force, of every source or of one', querystring: ClustersQuery, response: { 200: Type.Array(Any), ...failures } },
  }, async (request) => {
    const rollout = await rolloutOf(context);
    const sources = request.query.source === undefined ? context.clusterModels.sources() : [request.query.source];
    const { limit = MOST_CLUSTERS } = request.query;
    const clusters: object[] = [];
    for (const source of sources) {
      const model = modelOf(context, rollout, source);
      for (const cluster of model?.clusters.slice(0, limit - clusters.length) ?? []) clusters.push(clusterBody(model!, cluster));
    }
    return clusters;
  });

  const findCluster = async (id: string, of: (source: string) => readonly string[] | null): Promise<object> => {
    const rollout = await rolloutOf(context);
    for (const source of context.clusterModels.sources()) {
      const versions = of(source);
      const models = versions === null ? [modelOf(context, rollout, source)] : versions.map((version) => context.clusterModels.find(source, version));
      for (const model of models) {
        const cluster = model?.clusters.find(({ cluster_id }) => cluster_id === id);
        if (model !== undefined && cluster !== undefined) return clusterDetail(model, cluster);
      }
    }
    throw new HttpFailure(404, { error: 'Cluster not found', cluster_id: id, code: 'not_found', message: `No cluster has the id ${JSON.stringify(id)}` });
  };
  app.get('/cluster/:id', {
    schema: { tags: compatible, summary: 'A cluster in force', params: ClusterParam, response: { 200: Any, ...failures } },
  }, async (request) => await findCluster(request.params.id, () => null));
  app.get('/debug/cluster/:id', {
    schema: { tags: compatible, summary: 'A cluster of any version that was published, the newest first', params: ClusterParam, response: { 200: Any, ...failures } },
  }, async (request) => await findCluster(request.params.id, (source) => context.clusterModels.versionsOf(source).toReversed()));

  app.post('/rebuild/trigger', {
    config: { scope: 'admin' },
    schema: { tags: compatible, summary: 'Ask for a rebuild of the clusters', body: Type.Union([TriggerPost, Type.Null()]), response: { 200: Any, ...failures } },
  }, async (request) => {
    requireHistory();
    const source = sourceIn(request.body);
    const running = source === null ? null : await runningOf(source);
    const id = running ?? await ask({ action: 'rebuild', ...(source === null ? {} : { source }) });
    return { message: 'Rebuild triggered successfully', id, status: running === null ? 'accepted' : 'running' };
  });
  app.post('/v1/rebuilds', {
    config: { scope: 'admin' },
    schema: { tags: ['v1'], summary: 'Ask for a rebuild of the clusters of a source, or of all', body: TriggerPost, response: { 202: Accepted, ...failures } },
  }, async (request, reply) => {
    requireHistory();
    const source = sourceIn(objectBody(request.body));
    const running = source === null ? null : await runningOf(source);
    if (running !== null) throw failure('conflict', `A rebuild of ${source} runs already`, { id: running, status: 'running' });
    void reply.code(202);
    return { id: await ask({ action: 'rebuild', ...(source === null ? {} : { source }) }), status: 'accepted' as const, source };
  });
  app.get('/v1/rebuilds', {
    schema: { tags: ['v1'], summary: 'Rebuilds, the newest first, with every reason', querystring: SourceQuery, response: { 200: Type.Array(Any), ...failures } },
  }, async (request) => {
    const { source } = request.query;
    const rows = await requireHistory().query<RebuildRow>(
      `SELECT * FROM v_rebuilds ${source === undefined ? '' : 'WHERE source = {source:String}'} ORDER BY started_at DESC LIMIT 100`, source === undefined ? {} : { source },
    );
    return rows.map(rebuildBody);
  });
  app.get('/v1/rebuilds/:id', {
    schema: { tags: ['v1'], summary: 'A rebuild: how far it is, or its report', params: ClusterParam, response: { 200: Any, ...failures } },
  }, async (request) => {
    const { id } = request.params;
    const here = context.runningRebuilds?.().find(({ requestId }) => requestId === id);
    const row = await rebuildOf(requireHistory(), id);
    if (row === null) throw failure('not_found', `No rebuild has the id ${JSON.stringify(id)}; one that was asked for waits for those before it`);
    return { ...rebuildBody(row), progress: here === undefined ? null : { stage: here.stage, ratio: here.ratio } };
  });

  app.get('/metrics/rebuild', {
    schema: { tags: compatible, summary: 'Clusters and rebuilds in figures', response: { 200: Any, ...failures } },
  }, async () => {
    const history = requireHistory();
    const rollout = await rolloutOf(context);
    const models = context.clusterModels.sources().map((source) => modelOf(context, rollout, source)).filter((model) => model !== undefined);
    const sizes = models.flatMap(({ clusters }) => clusters.map(({ size }) => size));
    const [totals] = await history.query<Record<string, number | string | null>>(
      `SELECT countIf(status NOT IN ('running', 'skipped')) AS total, countIf(status = 'accepted') AS accepted, countIf(status IN ('refused', 'failed', 'cancelled')) AS failed,
        avg(agreement) AS ari, avgIf(mae_sec, status = 'accepted') AS mae, avg(noise_ratio) AS noise FROM v_rebuilds`,
    );
    const number = (name: string): number => Number(totals?.[name] ?? 0) || 0;
    return {
      buffer_status: { active_clusters: sizes.length, inactive_clusters: 0 },
      cluster_stats: {
        total_clusters: sizes.length, inactive_clusters: 0, singleton_clusters: sizes.filter((size) => size === 1).length,
        average_cluster_size: sizes.length === 0 ? 0 : sizes.reduce((a, b) => a + b, 0) / sizes.length, sources: models.map(({ source }) => source),
      },
      rollout_metrics: {
        current_phase: rollout.phase, total_rebuilds: number('total'), successful_rebuilds: number('accepted'), failed_rebuilds: number('failed'),
        success_rate: number('total') === 0 ? 0 : number('accepted') / number('total'), rollback_count: rollout.rollbacks,
        average_ari: number('ari'), average_mae: number('mae'), average_noise_ratio: number('noise'),
      },
      running: context.runningRebuilds?.().map(({ source, requestId, stage, ratio }) => ({ source, id: requestId, stage, ratio })) ?? [],
    };
  });
  app.get('/metrics/rollout', {
    schema: { tags: compatible, summary: 'Where the rollout of each source stands, and why', response: { 200: Any, ...failures } },
  }, async () => {
    requireHistory();
    const rollout = await rolloutOf(context);
    const settings = settingsOf(rollout.phase);
    return {
      current_phase: rollout.phase,
      config: {
        auto_rollback: true, pilot_source: context.pilotSource ?? null, canary_percentage: 100 * settings.canaryShare, shadow_duration_hours: settings.leastShadowMs / 3_600_000,
        canary_duration_hours: settings.leastCanaryMs / 3_600_000, min_races_for_promotion: settings.leastPairs,
      },
      phase_history: rollout.phases.map(({ phase, atMs, reason }) => ({ phase, at: new Date(atMs).toISOString(), reason })),
      sources: [...rollout.sources.values()].map(({ source, active, previous, candidate, history }) => ({
        source, active, previous: previous === '' ? null : previous, on_probation: previous !== null,
        candidate: candidate === null ? null : { version: candidate.version, stage: candidate.stage, since: new Date(candidate.sinceMs).toISOString(), share: candidate.share }, versions: history,
      })),
    };
  });

  app.post('/rollout/enable_all', {
    config: { scope: 'admin' },
    schema: { tags: compatible, summary: 'Rebuild every source from now on', body: Type.Union([EnablePost, Type.Null()]), response: { 200: Any, ...failures } },
  }, async (request) => {
    requireHistory();
    const mode = modeIn(request.body);
    const percentage = numberIn(request.body, 'percentage', 100);
    await ask({ action: 'enable_all', detail: mode, share: percentage === null ? null : percentage / 100 });
    return { mode, status: 'ok' };
  });
  app.post('/rollout/reset', {
    config: { scope: 'admin' }, schema: { tags: compatible, summary: 'Back to the first phase', response: { 200: Any, ...failures } },
  }, async () => {
    requireHistory();
    await ask({ action: 'reset' });
    return { message: 'Rollout reset to Phase 1 (single source)', phase: 'SingleSource', pilot_source: context.pilotSource ?? null, status: 'success' };
  });
  app.post('/v1/rollout/promote', {
    config: { scope: 'admin' }, schema: { tags: ['v1'], summary: 'Take the candidate of a source one stage on, whatever its evidence', body: PromotePost, response: { 202: Any, ...failures } },
  }, async (request, reply) => {
    requireHistory();
    void reply.code(202);
    return { id: await ask({ action: 'promote', source: requiredSource(request.body), share: numberIn(request.body, 'share', 1) }), status: 'accepted' };
  });
  app.post('/v1/rollout/rollback', {
    config: { scope: 'admin' }, schema: { tags: ['v1'], summary: 'Withdraw the candidate of a source, or bring back the version before', body: SourcePost, response: { 202: Any, ...failures } },
  }, async (request, reply) => {
    requireHistory();
    void reply.code(202);
    return { id: await ask({ action: 'rollback', source: requiredSource(request.body) }), status: 'accepted' };
  });
}

const MOST_SOURCE_LENGTH = 200;
const SOURCE_RANGE = `text of 1..${MOST_SOURCE_LENGTH} characters, not *`;

function fieldsOf(body: unknown): Record<string, unknown> {
  return body === undefined || body === null ? {} : objectBody(body);
}

/** null = all sources. */
function sourceIn(body: unknown): string | null {
  const { source } = fieldsOf(body);
  if (source === undefined || source === null) return null;
  if (typeof source !== 'string' || source === '' || source === '*' || source.length > MOST_SOURCE_LENGTH) throw fieldFailure('source', source, SOURCE_RANGE);
  return source;
}

function requiredSource(body: unknown): string {
  const source = sourceIn(body);
  if (source === null) throw fieldFailure('source', undefined, SOURCE_RANGE);
  return source;
}

/** null = it is not there. */
function numberIn(body: unknown, name: string, most: number): number | null {
  const value = fieldsOf(body)[name];
  if (value === undefined) return null;
  if (typeof value !== 'number' || !(value >= 0 && value <= most)) throw fieldFailure(name, value, `a number in 0..${most}`);
  return value;
}

const modes = ['shadow', 'canary', 'production'] as const;

function modeIn(body: unknown): (typeof modes)[number] {
  const { mode = 'shadow' } = fieldsOf(body);
  const found = modes.find((one) => one === mode);
  if (found === undefined) throw fieldFailure('mode', mode, `one of ${modes.join(', ')}`);
  return found;
}

function rebuildBody({ row_version: _, checks, ...row }: RebuildRow): Record<string, unknown> {
  return { id: row.request_id, ...row, checks: JSON.parse(checks) as unknown };
}
