// chDB behind as much of ClickHouse's HTTP interface as @clickhouse/client uses, in a process of its own that can be
// killed. What it does not simulate: compression, sessions, progress headers, roles.
import { randomUUID, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createChdbConnection } from 'chdb/connection';
import type { Behaviour, FromServer, ToServer } from './protocol.ts';

const [path = '', port = '0', password = '', certificateFile = ''] = process.argv.slice(2);
/** Of the HTTP interface, not of the engine. */
const notSettings = new Set(['query', 'database', 'query_id', 'default_format', 'wait_end_of_query', 'enable_http_compression', 'user', 'password', 'role']);

let behaviour: Behaviour = 'serve';
/** Keeps the engine open between requests, each of which has a connection of its own. */
export const keeper = createChdbConnection({ path });

process.on('message', (message: ToServer) => {
  ({ behaviour } = message);
  tell({ done: behaviour });
});
process.on('disconnect', () => process.exit(0));

const options = { maxHeaderSize: 1024 * 1024, keepAliveTimeout: 3_000 };
const answer = (request: IncomingMessage, response: ServerResponse): void => void handle(request, response);
const pem = certificateFile === '' ? null : readFileSync(certificateFile);
const server = pem === null ? createServer(options, answer) : createTlsServer({ ...options, key: pem, cert: pem }, answer);
server.listen(Number(port), '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port }));

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await buffer(request);
  if (behaviour === 'stall') return;
  if (behaviour === 'refuse') return fail(response, 503, 'Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)');
  if (url.pathname === '/ping') return void response.end('Ok.\n');
  if (!isAllowed(request)) return fail(response, 403, 'Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)');
  const given = url.searchParams.get('query') ?? '';
  const isInsert = /^\s*INSERT\s.*\sFORMAT\s+\w+\s*$/is.test(given);
  const sql = given === '' ? body.toString() : body.length === 0 ? given : `${given}\n${body.toString()}`;
  const id = url.searchParams.get('query_id') ?? randomUUID();
  response.setHeader('X-ClickHouse-Query-Id', id);
  const connection = createChdbConnection({ path });
  try {
    for (const statement of preparations(url.searchParams)) await connection.chdb.queryAsync(statement);
    const running = connection.chdb.queryAsync(`/* ${id} */ ${sql.trimEnd()}`, { format: url.searchParams.get('default_format') ?? 'TabSeparated' });
    if (isInsert && behaviour === 'die-in-insert') process.kill(process.pid, 'SIGKILL');
    const result = await running;
    if (isInsert) {
      tell({ inserted: url.searchParams.get('insert_deduplication_token') ?? '' });
      if (behaviour === 'die-after-insert') process.kill(process.pid, 'SIGKILL');
      if (behaviour === 'hang-up-after-insert') return void response.destroy();
    }
    response.setHeader('X-ClickHouse-Summary', JSON.stringify({ read_rows: String(result.rowsRead), written_rows: '0', result_rows: '0', elapsed_ns: '0' }));
    response.end(result.bytes());
  } catch (error) {
    fail(response, 500, error instanceof Error ? error.message : String(error));
  } finally {
    await connection.close();
  }
}

/** USE and SET for one request's connection, in the order the server applies them: readonly closes the door behind it. */
function preparations(parameters: URLSearchParams): string[] {
  const database = parameters.get('database');
  const settings = [...parameters].filter(([name]) => !notSettings.has(name)).sort(([a], [b]) => Number(a === 'readonly') - Number(b === 'readonly'));
  return [
    ...database === null ? [] : [`USE ${/^\w+$/.test(database) ? database : 'default'}`],
    ...settings.map(([name, value]) => {
      if (!/^\w+$/.test(name)) throw new Error(`Code: 115. DB::Exception: Unknown setting ${name}. (UNKNOWN_SETTING)`);
      return `SET ${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
    }),
  ];
}

function isAllowed(request: IncomingMessage): boolean {
  if (password === '') return true;
  const expected = Buffer.from(`Basic ${Buffer.from(`default:${password}`).toString('base64')}`);
  const given = Buffer.from(request.headers.authorization ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function fail(response: ServerResponse, status: number, message: string): void {
  const code = /Code:\s*(\d+)/.exec(message)?.[1];
  if (code !== undefined) response.setHeader('X-ClickHouse-Exception-Code', code);
  response.statusCode = status;
  response.end(`${message}\n`);
}

function tell(message: FromServer): void {
  process.send?.(message);
}
