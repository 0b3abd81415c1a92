import * as fc from 'fast-check';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkReadOnly } from '../../../src/adapters/clickhouse/read-only.ts';
import { bindParameters } from '../../../src/gateway/clickhouse-query.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { openEmbeddedHistory, type EmbeddedHistory } from '../../support/clickhouse/embedded-history.ts';

// What an attacker would try, against the engine itself. A file with a secret and a listening socket stand for all that
// a statement must not reach.

const SECRET = 'secret-7f3a9c';

let outsideDir: string;
let store: HistoryStore;
let close: EmbeddedHistory['close'];
let listener: Server;
let connections = 0;
let secretFile: string;
let address: string;

beforeAll(async () => {
  outsideDir = await mkdtemp(join(tmpdir(), 'raceline-outside-'));
  secretFile = join(outsideDir, 'secret.csv');
  await writeFile(secretFile, `${SECRET}\n`);
  listener = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.end();
  });
  await new Promise<void>((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
  address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  ({ store, close } = await openEmbeddedHistory());
});
afterAll(async () => {
  await close();
  listener.close();
  await rm(outsideDir, { recursive: true, force: true });
});

/** What a statement gives, or '' where it is refused or fails. */
async function resultOf(sql: string, format = 'TSV'): Promise<string> {
  try {
    return (await store.userQuery(sql, format)).toString('latin1');
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^query_(refused|failed)$/) });
    return '';
  }
}

const attacks = (file: string, host: string): string[] => [
  `SELECT file('${file}')`, `SELECT * FROM file('${file}', 'LineAsString')`, `SELECT * FROM '${file}'`, `SELECT * FROM \`${file}\``, `SELECT * FROM default.\`${file}\``,
  `DESCRIBE file('${file}')`, `DESCRIBE '${file}'`, `SELECT * FROM executable('cat ${file}', 'TSV', 'a String')`, `SELECT * FROM filesystem('${file}')`,
  `SELECT /* /* */ ' */ file('${file}') -- '`, `SELECT /*/**/*/ ' */ file('${file}') -- '`, `SELECT $$ ' $$ || file('${file}') || '$$'`, `SELECT $ $ ' $ $, file('${file}') -- '`,
  `SELECT arrayMap(x -> file(x), ['${file}'])`, `WITH (x -> file(x)) AS f SELECT f('${file}')`, `SELECT '${file}' AS a, * APPLY(file) FROM (SELECT a)`,
  `SELECT \`file\`('${file}')`, `SELECT "file"('${file}')`, `SELECT FiLe('${file}')`, `SELECT fi\\le('${file}')`, `SELECT \u201cfile\u201d('${file}')`, `SELECT 1.file('${file}')`,
  `SELECT * FROM dictionary('file')`, `SELECT 1 SETTINGS format_template_resultset = '${file}' FORMAT Template`, `SELECT 1; SELECT file('${file}')`,
  `SELECT * FROM url('http://${host}/', 'TSV', 'a String')`, `SELECT * FROM s3('http://${host}/b/k', 'TSV', 'a String')`, `SELECT * FROM remote('${host}', 'system', 'one')`,
  `SELECT * FROM remoteSecure('${host}', system.one)`, `SELECT * FROM mysql('${host}', 'd', 't', 'u', 'p')`, `SELECT * FROM postgresql('${host}', 'd', 't', 'u', 'p')`,
  `DESCRIBE url('http://${host}/')`, `EXPLAIN SELECT * FROM url('http://${host}/', 'TSV', 'a String')`, `SELECT * FROM "http://${host}/x.csv"`, `SELECT * FROM default."http://${host}/x.csv"`,
  `SELECT hasColumnInTable('${host}', 'u', 'p', 'system', 'one', 'dummy')`, `SELECT * FROM redis('${host}', 'k', 'k String')`, `SELECT * FROM mongodb('${host}', 'd', 'c', 'u', 'p', 'a String')`,
  `SELECT * FROM iceberg('http://${host}/b/')`, `SELECT * FROM deltaLake('http://${host}/b/')`, `SELECT * FROM azureBlobStorage('http://${host}/', 'c', 'p', 'a', 'k')`,
  `SELECT * FROM view(SELECT * FROM url('http://${host}/', 'TSV', 'a String'))`, `EXISTS TABLE url('http://${host}/')`, `SELECT aiGenerate('http://${host}')`,
  `SELECT * FROM (SELECT * FROM default.\`${file}\` SETTINGS readonly = 0)`, `SELECT * FROM (SELECT * FROM dictionary('${file}') SETTINGS readonly = 0)`,
];

describe('a user of read-only SQL', () => {
  it('would reach the file and the socket if nothing held', async () => {
    const [row] = await store.query<{ text: string }>(`SELECT file('${secretFile}') AS text`);
    expect(row?.text).toContain(SECRET);
    await store.query(`SELECT * FROM url('http://${address}/', 'TSV', 'a String') SETTINGS http_max_tries = 1`).catch(() => {});
    expect(connections).toBeGreaterThan(0);
    connections = 0;
  });

  it('reaches neither', async () => {
    for (const sql of attacks(secretFile, address)) expect(await resultOf(sql), sql).not.toContain(SECRET);
    expect(connections).toBe(0);
  });

  it('reaches neither in any arrangement of quotes and comments', async () => {
    // The engine is the oracle: whatever it makes of a statement that was let through, it must not show the file.
    const piece = fc.constantFrom("'", '"', '`', '/*', '*/', '--', '\n', '# ', '#!', '$$', '$a$', '$', '\\', '\u2019', '\u201c', ' ', ',', '1', '1.', '(', ')', "''", '{', '}', ';', '/**/', 'a', `file('${secretFile}')`);
    const statement = fc.tuple(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 6 }))
      .map(([before, after]) => `SELECT ${before.join('')} file('${secretFile}') ${after.join('')}`);
    let passed = 0;
    await fc.assert(fc.asyncProperty(statement, async (sql) => {
      try {
        checkReadOnly(sql);
      } catch {
        return;
      }
      passed++;
      expect(await resultOf(sql)).not.toContain(SECRET);
    }), { numRuns: Number(process.env['RACELINE_FUZZ_RUNS'] ?? 3_000) });
    expect(passed).toBeGreaterThan(0);
  }, 600_000);

  it('writes nothing and changes no setting', async () => {
    const tables = ['races', 'stages'];
    for (const sql of [
      'DROP TABLE races', 'INSERT INTO races SELECT * FROM races', 'CREATE TABLE mine (a UInt8) ENGINE = Memory', 'CREATE TEMPORARY TABLE mine (a UInt8)', 'TRUNCATE TABLE races', 'OPTIMIZE TABLE races',
      'WITH 1 AS x INSERT INTO races SELECT * FROM races', 'SELECT 1 PARALLEL WITH DROP TABLE races', "CREATE FUNCTION f AS x -> file(x)", 'SYSTEM SHUTDOWN', 'DETACH TABLE races', "BACKUP TABLE races TO Disk('x', 'y')",
      `SELECT 1 INTO OUTFILE '${outsideDir}/out'`, `SELECT 1 INTO\u00a0OUTFILE '${outsideDir}/out' FORMAT CSV`, `SELECT 1 INTO/**/OUTFILE '${outsideDir}/out'`,
      'SET readonly = 0', 'SELECT 1 SETTINGS readonly = 0', 'SELECT 1 SETTINGS max_execution_time = 0', 'SELECT 1 SETTINGS allow_ddl = 0', 'SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)',
      'SELECT * FROM (SELECT 1 SETTINGS readonly = 0)', "SELECT * FROM (SELECT * FROM format(CSV, 'x String', 'abc') SETTINGS readonly = 0)", 'SELECT (SELECT 1 SETTINGS max_execution_time = 0)', 'KILL QUERY WHERE 1',
    ]) await expect(store.userQuery(sql, 'TSV'), sql).rejects.toMatchObject({ code: expect.stringMatching(/^query_(refused|failed)$/) });
    expect(await readdir(outsideDir)).toEqual(['secret.csv']);
    for (const table of tables) expect(await resultOf(`EXISTS TABLE ${table}`)).toBe('1\n');
    expect(await resultOf("SELECT getSetting('readonly'), getSetting('max_execution_time'), getSetting('max_memory_usage')")).toBe(`1\t30\t${1024 ** 3}\n`);
  });

  it('sees nothing of what others ask, nor of how the server is set up', async () => {
    const other = store.userQuery("SELECT count(), 'asked by another' FROM numbers(3000000000)", 'TSV').catch(() => {});
    for (const sql of [
      'SELECT query FROM system.processes', 'SHOW PROCESSLIST', "SELECT * FROM merge('system', 'processes')", "SELECT * FROM merge(REGEXP('sys'), '^processes$')", 'SELECT * FROM `system`.`processes`',
      "SELECT * FROM loop('system', 'processes') LIMIT 9", 'SELECT * FROM view(SELECT * FROM system.processes)', 'SELECT * FROM system.server_settings', 'SELECT * FROM system.named_collections', 'SHOW GRANTS',
      'SELECT * FROM system.users', 'SHOW CREATE USER default', "SELECT getServerSetting('path')", 'DESCRIBE system.processes', 'SELECT (SELECT any(query) FROM system.processes)',
    ]) expect(await resultOf(sql), sql).toBe('');
    const { sql } = bindParameters('SELECT query FROM {d:Identifier}.{t:Identifier}', { d: 'system', t: 'processes' }) as { sql: string };
    expect(await resultOf(sql)).toBe('');
    await other;
  });

  it.each(['../../etc/passwd', "TSV'", 'CSV; DROP', 'Template', '', 'TSV SETTINGS readonly=0', 'constructor', 'CapnProto', 'Protobuf'])('cannot make more of the format %j', async (format) => {
    await expect(store.userQuery('SELECT 1', format)).rejects.toMatchObject({ code: expect.stringMatching(/^query_(refused|failed)$/) });
  });

  it('binds what a value holds as text, whatever it holds', async () => {
    await fc.assert(fc.asyncProperty(fc.string({ unit: fc.constantFrom("'", '"', '`', '\\', '/*', '*/', '--', '\n', '$$', ')', ';', 'a', '{', '}', '\t', ' ') }), async (value) => {
      const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
      const bound = bindParameters('SELECT hex({v:String}), 1-{n:Int32}', { v: escaped, n: '-5' }) as { sql: string };
      expect(await resultOf(bound.sql)).toBe(`${Buffer.from(value).toString('hex').toUpperCase()}\t6\n`);
    }), { numRuns: 200 });
  });

  it('knows every function of the engine that makes a table', async () => {
    const harmless = ['format', 'fuzzJSON', 'generateRandom', 'generateSeries', 'generate_series', 'null', 'numbers', 'numbers_mt', 'primes', 'SQLStandardValues', 'values', 'view', 'viewIfPermitted', 'zeros', 'zeros_mt'];
    const functions = await store.query<{ name: string }>('SELECT name FROM system.table_functions ORDER BY name');
    expect(functions.length).toBeGreaterThan(50);
    const open = functions.map(({ name }) => name).filter((name) => {
      try {
        checkReadOnly(`SELECT * FROM ${name}(1)`);
        return true;
      } catch {
        return false;
      }
    });
    expect(open.sort()).toEqual(harmless.sort());
  });
});
