import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { AppError } from '../../errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Engine } from './engine.ts';
import { splitStatements } from '../../history/sql-tokens.ts';

export type Migration = { readonly id: number; readonly name: string; readonly checksum: string; readonly statements: readonly string[] };

/** Tables whose rows go after the time that RACELINE_HISTORY_TTL_DAYS says. */
const agingTables = ['races', 'stages', 'eta_revisions', 'forecast_errors', 'audit', 'telemetry'];
/** Positions say most of all tables about people, and are most of all rows: they go sooner. */
const MOST_TELEMETRY_DAYS = 30;

/** The migrations of a directory, NNN_name.sql, by number. Throws when two have the same one. */
export async function readMigrations(directory: URL): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(directory)).sort()) {
    const match = /^(\d{3})_(\w+)\.sql$/.exec(file);
    if (match === null) continue;
    const script = await readFile(new URL(file, directory), 'utf8');
    const id = Number(match[1]);
    if (migrations.at(-1)?.id === id) throw new Error(`Two migrations have the number ${id}`);
    migrations.push({
      id, name: match[2] ?? '', statements: splitStatements(script),
      checksum: createHash('sha256').update(script.replaceAll('\r\n', '\n')).digest('hex'),
    });
  }
  return migrations;
}

/**
 * Applies what is missing, in order, forward only, and sets how long rows are kept.
 *
 * Refuses with `query_failed` when an applied file was changed, or when the database is ahead of this program.
 * A migration cut short by a crash runs again from its start: its statements say IF NOT EXISTS or OR REPLACE.
 */
export async function migrate(engine: Engine, migrations: readonly Migration[], ttlDays: number, logger: Logger): Promise<void> {
  await engine.createDatabase();
  await engine.command(
    `CREATE TABLE IF NOT EXISTS migrations (id UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
     ENGINE = ReplacingMergeTree ORDER BY id`, {},
  );
  const applied = await appliedMigrations(engine, migrations);
  for (const { id, name, checksum, statements } of migrations) {
    if (applied.some((migration) => migration.id === id)) continue;
    for (const statement of statements) await engine.command(statement, {});
    await engine.command(
      'INSERT INTO migrations (id, name, checksum) SELECT {id:UInt32}, {name:String}, {checksum:String}', { id, name, checksum },
    );
    logger.info({ id, name }, 'Migrated ClickHouse');
  }
  await keepRowsFor(engine, ttlDays);
}

type Applied = { readonly id: number; readonly name: string; readonly checksum: string };

async function appliedMigrations(engine: Engine, migrations: readonly Migration[]): Promise<Applied[]> {
  const applied = await engine.query<Applied>('SELECT id, name, checksum FROM migrations FINAL ORDER BY id', {});
  for (const { id, name, checksum } of applied) {
    const known = migrations.find((migration) => migration.id === id);
    if (known === undefined) throw new AppError('query_failed', `Cannot migrate ClickHouse: it has migration ${id} (${name}), which this version does not know: it is of a newer one`);
    if (known.checksum !== checksum) throw new AppError('query_failed', `Cannot migrate ClickHouse: migration ${id} (${name}) was applied with other contents than the file has now. Add a new migration instead`);
  }
  return applied;
}

/** Names of those that `migrate` would apply. */
export async function missingMigrations(engine: Engine, migrations: readonly Migration[], database: string): Promise<string[]> {
  const [found] = await engine.query<{ n: number | string }>("SELECT count() AS n FROM system.tables WHERE database = {database:String} AND name = 'migrations'", { database });
  const applied = Number(found?.n) === 0 ? [] : await appliedMigrations(engine, migrations);
  return migrations.filter(({ id }) => !applied.some((one) => one.id === id)).map(({ name }) => name);
}

async function keepRowsFor(engine: Engine, ttlDays: number): Promise<void> {
  const tables = await engine.query<{ name: string; engine_full: string }>(
    'SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND has({names:Array(String)}, name)', { names: agingTables },
  );
  for (const { name, engine_full: definition } of tables) {
    const days = name === 'telemetry' ? Math.min(ttlDays, MOST_TELEMETRY_DAYS) : ttlDays;
    if (definition.includes(`TTL toDate(ingested_at) + toIntervalDay(${days}) `)) continue;
    // toDate, for toDateTime ends in 2106: a long time from now would wrap around, and every row be dropped at its insert.
    await engine.command(`ALTER TABLE ${name} MODIFY TTL toDate(ingested_at) + toIntervalDay(${days})`, {});
  }
}
