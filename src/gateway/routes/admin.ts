import { Type, type TSchema } from 'typebox';
import { topics, type TopicName } from '../../../topology/topics.ts';
import { readMetrics, sumOf } from '../../bridge/metrics-text.ts';
import type { App } from '../app.ts';
import { createCompactor, type CompactionJob } from '../compaction.ts';
import type { GatewayContext } from '../context.ts';
import { fieldFailure, type HttpFailure } from '../failures.ts';
import { iso, isoOrNull } from '../iso.ts';
import { interpolatedQuantile } from '../metric-quantile.ts';
import { purgeRaces } from '../purge.ts';
import { failures } from '../schemas.ts';
import { objectBody } from '../validation.ts';
import { requireView } from './require-view.ts';

const tags = ['compatible'];
const MAX_PURGED = 1_000;
const WRITE_P95_MS = 25;
const FLUSH_P99_MS = 200;

const maybe = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Instant = Type.String({ format: 'date-time' });
const Quantiles = Type.Object({ p50: maybe(Type.Number()), p95: maybe(Type.Number()), p99: maybe(Type.Number()) }, { description: 'ms; null = nothing was written by this instance' });
const Counts = Type.Unsafe<Record<string, number>>({ type: 'object', additionalProperties: { type: 'integer' } });
const PurgePost = Type.Object({
  race_ids: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: MAX_PURGED }),
  reason: Type.Optional(Type.Unsafe({ description: 'Goes into the log of this instance' })),
  requested_by: Type.Optional(Type.Unsafe({ description: 'Goes into the log of this instance' })),
});
const PurgeBody = Type.Object({
  not_found: Type.Array(Type.String()),
  purged: Type.Array(Type.String()),
  expires_at: Type.String({ format: 'date-time', description: 'When the last copy in the log has expired' }),
  remains: Type.Array(Type.Object({ topic: Type.String(), until: Instant }), { description: 'Topics without compaction, and until when they may hold records of the races' }),
});
const CompactBody = Type.Object({ status: Type.String(), job_id: Type.String() });
const JobBody = Type.Object({
  job_id: Type.String(), status: Type.Enum(['running', 'done', 'failed']), started_at: Instant, finished_at: maybe(Instant), cleaned: Type.Array(Type.String()), error: maybe(Type.String()),
});
const ReportBody = Type.Object({
  schema_version: Type.String({ description: 'The newest migration of ClickHouse; 0 = there is none' }),
  races_count: Type.Integer({ description: 'Races in history' }),
  index_entries: Type.Integer({ description: 'Their attempts' }),
  live_races: Type.Integer(),
  log: Type.Object({ records: Counts, bytes: maybe(Type.Integer()) }),
  history: Type.Object({ rows: Counts, bytes: maybe(Type.Integer()) }),
  compaction: maybe(JobBody),
});
const MetricsBody = Type.Object({
  metrics: Type.Object({
    compaction_last_success: maybe(Instant),
    deserialize_failures_total: Type.Integer(), flush_failures_total: Type.Integer(), flush_latency_ms: Quantiles,
    json_snapshot_success_total: Type.Integer({ description: 'Records of model snapshots written so far, by all instances' }),
    purge_failures_total: Type.Integer(), purge_requests_total: Type.Integer(), read_only_mode_active: Type.Boolean(), serialize_failures_total: Type.Integer(),
    sled_db_size_bytes: Type.Integer({ description: 'Of the embedded log and ClickHouse\'s tables' }), snapshot_last_success: maybe(Instant), tree_counts: Counts, write_latency_ms: Quantiles,
  }),
  slo_violations: Type.Array(Type.String()),
  timestamp: Instant,
});

/** The origin's administration, as real operations. */
export function adminRoutes(app: App, context: GatewayContext): void {
  const { clock, history, log } = context;
  const compactor = createCompactor(context);
  const purges = { requests: 0, failures: 0 };
  const topicNames = topics.map(({ name }) => name);

  app.post('/admin/purge', {
    preHandler: requireView(context),
    config: { scope: 'admin' },
    schema: { tags, summary: 'Forget races for good: live, learned and stored', body: PurgePost, response: { 200: PurgeBody, ...failures } },
  }, async (request) => {
    const body = objectBody(request.body);
    const ids = raceIds(body['race_ids']);
    purges.requests += 1;
    const result = await purgeRaces(context, ids).catch((error: unknown) => {
      purges.failures += 1;
      throw error;
    });
    context.logger.info({ purged: result.purged, notFound: result.notFound, reason: noted(body['reason']), requestedBy: noted(body['requested_by']) }, 'Races were purged');
    return {
      not_found: result.notFound,
      purged: result.purged,
      expires_at: iso(result.expiresAtMs),
      remains: result.remains.map(({ topic, untilMs }) => ({ topic, until: iso(untilMs) })),
    };
  });

  app.post('/admin/compact', {
    config: { scope: 'admin' },
    schema: { tags, summary: 'Clean up log and tables now; the storage report tells how it goes', response: { 202: CompactBody, ...failures } },
  }, async (_request, reply) => {
    void reply.code(202);
    return { status: 'accepted', job_id: compactor.start().id };
  });

  app.get('/admin/storage-report', {
    schema: { tags, summary: 'What is stored', response: { 200: ReportBody, ...failures } },
  }, async () => {
    const [usage, tables, counted] = await Promise.all([log.usage(topicNames), tablesOf(), racesOf()]);
    const job = compactor.last();
    return {
      ...counted,
      live_races: context.view.size(),
      log: { records: Object.fromEntries(usage.topics.map(({ topic, records }) => [topic, records])), bytes: usage.bytes },
      history: tables,
      compaction: job === null ? null : jobBody(job),
    };
  });

  app.get('/admin/metrics', {
    schema: { tags, summary: 'Figures of the storage; all of them and more are at /metrics', response: { 200: MetricsBody, ...failures } },
  }, async () => {
    const [samples, usage, tables, snapshots] = await Promise.all([
      context.metricsText().then(readMetrics), log.usage(topicNames), tablesOf(), newestRecord(context, 'model-snapshots'),
    ]);
    const latency = (name: string) => {
      const ms = (q: number): number | null => {
        const sec = interpolatedQuantile(samples, name, q);
        return sec === null ? null : Math.round(sec * 1e5) / 100;
      };
      return { p50: ms(0.5), p95: ms(0.95), p99: ms(0.99) };
    };
    const rejected = (code: string): number => sumOf(samples, 'raceline_rejections_total', { code });
    const write = latency('raceline_clickhouse_insert_duration_seconds');
    const flush = latency('raceline_history_flush_duration_seconds');
    return {
      metrics: {
        compaction_last_success: isoOrNull(compactor.lastSuccessAtMs()),
        deserialize_failures_total: rejected('undecodable') + rejected('unknown_schema') + sumOf(samples, 'raceline_history_undecodable_total'),
        flush_failures_total: sumOf(samples, 'raceline_clickhouse_insert_failures_total'),
        flush_latency_ms: flush,
        json_snapshot_success_total: snapshots.written,
        purge_failures_total: purges.failures,
        purge_requests_total: purges.requests,
        read_only_mode_active: context.readOnly,
        serialize_failures_total: rejected('processing_failed'),
        sled_db_size_bytes: (usage.bytes ?? 0) + (tables.bytes ?? 0),
        snapshot_last_success: isoOrNull(snapshots.newestAtMs),
        tree_counts: { ...Object.fromEntries(usage.topics.map(({ topic, records }) => [topic, records])), ...tables.rows },
        write_latency_ms: write,
      },
      slo_violations: [
        ...(write.p95 !== null && write.p95 > WRITE_P95_MS ? [`write latency p95 is ${write.p95} ms, the objective is ${WRITE_P95_MS}`] : []),
        ...(flush.p99 !== null && flush.p99 > FLUSH_P99_MS ? [`flush latency p99 is ${flush.p99} ms, the objective is ${FLUSH_P99_MS}`] : []),
      ],
      timestamp: iso(clock.nowMs()),
    };
  });

  async function racesOf(): Promise<{ schema_version: string; races_count: number; index_entries: number }> {
    if (history === null) return { schema_version: '0', races_count: 0, index_entries: 0 };
    const [row] = await history.query<{ races: number | string; attempts: number | string; migration: number | string }>(
      'SELECT uniqExact(race_id) AS races, uniqExact(race_id, attempt) AS attempts, (SELECT max(id) FROM migrations) AS migration FROM races',
    );
    return { schema_version: String(row?.migration ?? 0), races_count: Number(row?.races ?? 0), index_entries: Number(row?.attempts ?? 0) };
  }

  async function tablesOf(): Promise<{ rows: Record<string, number>; bytes: number | null }> {
    if (history === null) return { rows: {}, bytes: null };
    const rows = await history.query<{ table: string; rows: number | string; bytes: number | string }>(
      'SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table',
    );
    return { rows: Object.fromEntries(rows.map((row) => [row.table, Number(row.rows)])), bytes: rows.reduce((sum, row) => sum + Number(row.bytes), 0) };
  }
}

/** How many records a topic has had, and when its newest came. */
async function newestRecord({ log }: GatewayContext, topic: TopicName): Promise<{ written: number; newestAtMs: number | null }> {
  const ends = await log.endOffsets(topic);
  let newestAtMs: number | null = null;
  const partitions = ends.flatMap((end, partition) => (end > 0 ? [partition] : []));
  if (partitions.length > 0) {
    const reader = log.readPartitions({
      topic, partitions, from: (partition) => ends[partition]! - 1,
      onRecords: (records) => { for (const { appendedAtMs } of records) newestAtMs = Math.max(newestAtMs ?? 0, appendedAtMs); },
    });
    reader.done.catch(() => {});
    try {
      await reader.caughtUp;
    } finally {
      await reader.close();
    }
  }
  return { written: ends.reduce((sum, end) => sum + end, 0), newestAtMs };
}

function raceIds(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_PURGED) throw invalid('race_ids', value, `a list of 1..${MAX_PURGED} ids`);
  for (const id of value) {
    if (typeof id !== 'string' || id === '' || id.length > 200) throw invalid('race_ids', id, 'a list of texts of 1..200 characters');
  }
  return value as string[];
}

/** The origin's own `error` in front. */
function invalid(name: string, value: unknown, range: string): HttpFailure {
  const refused = fieldFailure(name, value, range);
  refused.body.error = 'invalid_request';
  return refused;
}

function noted(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, 500) : null;
}

function jobBody(job: CompactionJob) {
  return { job_id: job.id, status: job.state, started_at: iso(job.startedAtMs), finished_at: isoOrNull(job.finishedAtMs), cleaned: [...job.cleaned], error: job.error };
}
