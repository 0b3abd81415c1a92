import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { AppError, messageOf } from '../../errors.ts';
import type { App } from '../app.ts';
import { bindParameters, splitFormat, withoutSettings } from '../clickhouse-query.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { failures, textAnswer } from '../schemas.ts';

const MAX_QUERY_BYTES = 256 * 1024;

const contentTypes = new Map(Object.entries({
  JSON: 'application/json; charset=utf-8',
  JSONCompact: 'application/json; charset=utf-8',
  JSONEachRow: 'application/x-ndjson; charset=utf-8',
  CSV: 'text/csv; charset=utf-8',
  CSVWithNames: 'text/csv; charset=utf-8',
  TabSeparated: 'text/tab-separated-values; charset=utf-8',
  TSV: 'text/tab-separated-values; charset=utf-8',
  TabSeparatedWithNames: 'text/tab-separated-values; charset=utf-8',
  Pretty: 'text/plain; charset=utf-8',
  PrettyCompact: 'text/plain; charset=utf-8',
  Parquet: 'application/octet-stream',
  RowBinary: 'application/octet-stream',
  Native: 'application/octet-stream',
}));

const OTHER_CONTENT_TYPE = 'text/plain; charset=utf-8';

type Values = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Read-only SQL for analysts: /v1/sql with our errors, and /clickhouse/ with those of ClickHouse's HTTP interface, so
 * that its ordinary clients work (url http://host:7777, path /clickhouse). What may be read and how long is HistoryStore's.
 */
export function sqlRoutes(app: App, context: GatewayContext): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MAX_QUERY_BYTES }, (_request, body, done) => done(null, body));

  const SqlQuery = Type.Object({
    query: Type.Optional(Type.String({ minLength: 1, description: 'One reading statement' })),
    format: Type.Optional(Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z][A-Za-z0-9]*$', description: 'A ClickHouse format; default JSON' })),
  });
  const schema = {
    tags: ['v1'],
    querystring: SqlQuery,
    response: { 200: textAnswer('The result in the format asked for', ...new Set([...contentTypes.values(), OTHER_CONTENT_TYPE])), ...failures },
  };

  const runSql = async (sql: string, format: string | undefined, reply: FastifyReply): Promise<Buffer> => {
    if (sql.trim() === '') throw failure('invalid_request', 'query must hold one statement, got nothing');
    const split = splitFormat(sql);
    // As ClickHouse itself does: what stands in the statement wins.
    const name = split.format ?? format ?? 'JSON';
    const result = await historyOf(context).userQuery(split.sql, name);
    void reply.type(contentTypes.get(name) ?? OTHER_CONTENT_TYPE);
    return result;
  };

  app.get('/v1/sql', { schema: { ...schema, summary: 'Run a read-only SQL statement' } }, async (request, reply) =>
    await runSql(request.query.query ?? '', request.query.format, reply));

  app.post('/v1/sql', {
    config: { scope: 'read' },
    schema: { ...schema, summary: 'Run a read-only SQL statement, sent as the body', consumes: ['text/plain'], body: Type.String() },
  }, async (request, reply) => await runSql([request.query.query, request.body].filter((part) => typeof part === 'string').join('\n'), request.query.format, reply));

  /** By which clients read instants that name none; asked for once. */
  let timezone: string | null = null;
  const clickhouse = async (values: Values, body: unknown, reply: FastifyReply): Promise<Buffer | string> => {
    const queryId = single(values['query_id']) ?? randomUUID();
    void reply.headers({ 'x-clickhouse-query-id': queryId, 'x-clickhouse-server-display-name': 'raceline' });
    try {
      timezone ??= (await historyOf(context).query<{ name: string }>('SELECT timezone() AS name'))[0]?.name ?? null;
      void reply.header('x-clickhouse-timezone', timezone ?? 'UTC');
      // As there: query= and the body are one statement.
      const text = [single(values['query']), body].filter((part) => typeof part === 'string').join('\n');
      if (text.trim() === '') return exception(reply, 400, 62, 'Syntax error: Empty query. (SYNTAX_ERROR)');
      const bound = bindParameters(withoutSettings(text), parametersOf(values));
      if ('missing' in bound) return exception(reply, 400, 456, `Substitution \`${bound.missing}\` is not set. (UNKNOWN_QUERY_PARAMETER)`);
      const split = splitFormat(bound.sql);
      const format = split.format ?? single(values['default_format']) ?? 'TabSeparated';
      const result = await historyOf(context).userQuery(split.sql, format);
      void reply.header('x-clickhouse-format', format).type(contentTypes.get(format) ?? OTHER_CONTENT_TYPE);
      return result;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const code = Number(/Code: (\d+)/.exec(error.message)?.[1] ?? (error.code === 'query_refused' ? 164 : 1_002));
      const status = error.code === 'query_failed' ? 400 : error.code === 'query_refused' ? 403 : 503;
      const text = error.code === 'query_refused' ? `${messageOf(error)}. (READONLY)` : messageOf(error);
      return exception(reply, status, code, text);
    }
  };
  const hidden = { config: { scope: 'read' as const }, schema: { hide: true } };
  app.get('/clickhouse/ping', hidden, async (_request, reply) => {
    await historyOf(context).ping();
    void reply.type('text/plain; charset=utf-8');
    return 'Ok.\n';
  });
  for (const url of ['/clickhouse', '/clickhouse/']) {
    app.get(url, hidden, async (request, reply) => {
      const values = request.query as Values;
      if (values['query'] === undefined) {
        void reply.type('text/plain; charset=utf-8');
        return 'Ok.\n';
      }
      return await clickhouse(values, undefined, reply);
    });
    app.post(url, hidden, async (request, reply) => await clickhouse(request.query as Values, request.body, reply));
  }
}

function historyOf(context: GatewayContext): NonNullable<GatewayContext['history']> {
  if (context.history === null) throw new AppError('history_unavailable', 'This gateway runs without ClickHouse');
  return context.history;
}

/** An error as ClickHouse writes it: its clients read the number. */
function exception(reply: FastifyReply, status: number, code: number, message: string): string {
  void reply.code(status).header('x-clickhouse-exception-code', String(code)).type('text/plain; charset=utf-8');
  return message.includes('DB::Exception') ? `${message.slice(message.indexOf('Code:'))}\n` : `Code: ${code}. DB::Exception: ${message}\n`;
}

function parametersOf(values: Values): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name.startsWith('param_')).map(([name, value]) => [name.slice('param_'.length), single(value)]));
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
