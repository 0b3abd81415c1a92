import { statfs } from 'node:fs/promises';
import { AppError, messageOf, type FailureCode } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import type { LogRecord, RecordLog, TopicDefinition } from '../ports/record-log.ts';
import type { TopicName } from '../../topology/topics.ts';
import { headerText, readLetters } from './dead-letters.ts';

/** `warning` = it works, but somebody should look. */
export type CheckStatus = 'ok' | 'warning' | 'problem';

export type Check = {
  /** `log`, `topics`, `clock`... */
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
  /** What to do; null when nothing is. */
  readonly remedy: string | null;
};

export type DoctorReport = {
  /** By the clock of whoever looked, epoch ms. */
  readonly at: number;
  /** No check found a problem. */
  readonly healthy: boolean;
  readonly checks: readonly Check[];
};

/** A part that could not be opened is the failure instead; null = it is not used here. */
export type Patient = {
  readonly log: RecordLog | AppError;
  readonly codec: Codec | AppError;
  readonly history: HistoryStore | AppError | null;
  readonly topics: readonly TopicDefinition[];
  readonly clock: Clock;
  /** Holds the embedded engines; null = there are none. */
  readonly dataDir: string | null;
  /** Optional packages by name: null = it is there, else what is lost without it. */
  readonly packages: readonly { readonly name: string; readonly missing: string | null }[];
  /** Why everybody who reaches the gateway may do everything; null = not so. */
  readonly openGateway: string | null;
  /** `process.versions.node` */
  readonly nodeVersion: string;
};

const MIN_NODE_MAJOR = 24;
/** At 5 min `at_in_future` refuses updates; clocks kept by NTP are within a fraction of a second. Chosen. */
const MAX_SKEW_MS = 30_000;
const MAX_LAG_RECORDS = 10_000;
const LOW_DISK_BYTES = 1024 ** 3;
const DAY_MS = 86_400_000;
/** Dead letters looked at, the newest. */
const MAX_LETTERS = 10_000;
const PROBE_TOPIC: TopicName = 'ingest-targets';
const PROBE_KEY = Buffer.from('__doctor');

const remedies: Partial<Record<FailureCode, string>> = {
  log_unavailable: 'Check that KAFKA_BROKERS names brokers that run and can be reached from here; for the embedded log, that no other process has RACELINE_DATA_DIR',
  registry_unavailable: 'Check SCHEMA_REGISTRY_URL with its path, user and password, and that the registry runs',
  schema_incompatible: 'Do not change the registered schema by hand: add a version with node schemas/add-version.ts',
  history_unavailable: 'Check CLICKHOUSE_URL, user and password, and that the server runs. ETAs go on without it: what is to be stored waits in the log',
  history_locked: 'Stop the other process, or ask it: raceline doctor --server <its address>',
  optional_missing: 'Run npm install with install scripts allowed, or set CLICKHOUSE_URL',
  query_failed: 'Read the message: the database was changed by hand or by a newer version',
};

/** Looks at every part, one after another, and never rejects: what fails is a finding. Some seconds at most while engines answer. */
export async function examine(patient: Patient): Promise<DoctorReport> {
  const { log, codec, history } = patient;
  const checks: Check[] = [nodeCheck(patient.nodeVersion), ...patient.packages.map(packageCheck)];
  const add = async (name: string, look: () => Promise<readonly Check[]>): Promise<void> => {
    try {
      checks.push(...await look());
    } catch (error) {
      checks.push(failed(name, error));
    }
  };
  if (patient.openGateway !== null) checks.push({ name: 'gateway', status: 'warning', detail: patient.openGateway, remedy: 'Set RACELINE_TOKENS_FILE, or bind it to 127.0.0.1' });
  if (patient.dataDir !== null) {
    const { dataDir } = patient;
    await add('disk', () => diskCheck(dataDir));
  }
  if (log instanceof AppError) checks.push(failed('log', log));
  else {
    let isWhole = false;
    await add('log', async () => {
      const { checks: found, isWhole: areAllThere } = await topicChecks(log, patient.topics);
      isWhole = areAllThere;
      return found;
    });
    if (isWhole) {
      await add('clock', () => clockCheck(log, patient.clock));
      await add('lag', () => lagChecks(log, history !== null));
      await add('dead-letters', () => letterChecks(log, patient.clock));
    }
  }
  if (codec instanceof AppError) checks.push(failed('schemas', codec));
  else await add('schemas', () => schemaChecks(codec));
  if (history instanceof AppError) checks.push(failed('history', history));
  else if (history !== null) await add('history', () => historyCheck(history));
  return { at: patient.clock.nowMs(), healthy: checks.every(({ status }) => status !== 'problem'), checks };
}

function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail, remedy: null };
}

function failed(name: string, error: unknown): Check {
  const code = error instanceof AppError ? error.code : 'internal';
  return { name, status: 'problem', detail: `${code}: ${messageOf(error)}`, remedy: remedies[code] ?? 'Read the message' };
}

function nodeCheck(version: string): Check {
  if (Number(version.split('.')[0]) >= MIN_NODE_MAJOR) return ok('node', `Node ${version}`);
  return { name: 'node', status: 'problem', detail: `Node ${version} is too old: ${MIN_NODE_MAJOR} is needed`, remedy: 'Run npm install, which brings Node 24 along, or install it' };
}

function packageCheck({ name, missing }: Patient['packages'][number]): Check {
  if (missing === null) return ok('packages', `${name} is installed`);
  return { name: 'packages', status: 'warning', detail: `${name} is not installed: ${missing}`, remedy: 'Run npm install with install scripts allowed' };
}

async function diskCheck(dataDir: string): Promise<readonly Check[]> {
  const { bavail, blocks, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const detail = `${(free / 1024 ** 3).toFixed(1)} GB of ${((blocks * bsize) / 1024 ** 3).toFixed(1)} GB are free under ${dataDir}`;
  if (free >= LOW_DISK_BYTES) return [ok('disk', detail)];
  return [{ name: 'disk', status: 'problem', detail, remedy: 'Make room, or move RACELINE_DATA_DIR: a full disk stops the log' }];
}

async function topicChecks(log: RecordLog, topics: readonly TopicDefinition[]): Promise<{ readonly checks: readonly Check[]; readonly isWhole: boolean }> {
  const { engine, findings } = await log.inspect(topics);
  // One line for all topics with the same trouble.
  const troubles = Map.groupBy(findings, ({ problem, remedy }) => `${problem}\n${remedy}`);
  const found = [...troubles.values()].map((same): Check => {
    const names = same.map(({ topic }) => topic).filter((topic) => topic !== null);
    const [first] = same;
    return { name: 'topics', status: 'problem', detail: `${names.join(', ')}${names.length === 0 ? '' : ': '}${first?.problem}`, remedy: first?.remedy ?? null };
  });
  return { checks: [ok('log', engine), ...(found.length === 0 ? [ok('topics', `${topics.length} topics are as declared`)] : found)], isWhole: findings.every(({ isMissing }) => !isMissing) };
}

/**
 * Appends a tombstone for a target that never was to a compacted topic, which changes nothing and is cleaned away, and
 * looks at its append time: that the log takes writes, and whose clock goes wrong.
 */
async function clockCheck(log: RecordLog, clock: Clock): Promise<readonly Check[]> {
  const sentAtMs = clock.nowMs();
  const offset = await log.append(PROBE_TOPIC, 0, [{ key: PROBE_KEY, value: null }]);
  const storedAtMs = clock.nowMs();
  let found: LogRecord | undefined;
  const reader = log.readPartitions({ topic: PROBE_TOPIC, partitions: [0], from: () => offset, onRecords: (records) => { found ??= records.find((record) => record.offset === offset); } });
  try {
    reader.done.catch(() => {});
    await reader.caughtUp;
  } finally {
    await reader.close();
  }
  const tookMs = storedAtMs - sentAtMs;
  if (found === undefined) return [ok('clock', `The log took a record in ${tookMs} ms`)];
  const skewMs = found.appendedAtMs < sentAtMs ? found.appendedAtMs - sentAtMs : Math.max(0, found.appendedAtMs - storedAtMs);
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return [ok('clock', `The log took a record in ${tookMs} ms; its clock and this one are within ${Math.max(1, Math.ceil(Math.abs(skewMs) / 1_000))} s`)];
  return [{
    name: 'clock', status: 'problem', detail: `The log's clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this one`,
    remedy: 'Let NTP set the clocks of the brokers and of this machine: updates more than 5 min ahead of the log are refused',
  }];
}

/** What each reader has still to read. */
const readers: readonly { readonly group: string; readonly topics: readonly TopicName[]; readonly isHistory: boolean }[] = [
  { group: 'pipeline', topics: ['race-updates'], isHistory: false },
  { group: 'historian', topics: ['race-history', 'eta-updates', 'race-states'], isHistory: true },
];

async function lagChecks(log: RecordLog, withHistory: boolean): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const { group, topics } of readers.filter(({ isHistory }) => withHistory || !isHistory)) {
    const lags: string[] = [];
    let total = 0;
    for (const topic of topics) {
      const [ends, committed] = await Promise.all([log.endOffsets(topic), log.groupOffsets(group, topic)]);
      // Never committed: everything is still to be read, unless it was deleted, which cannot be told from here.
      const lag = ends.reduce((sum, end, partition) => sum + Math.max(0, end - (committed[partition]?.offset ?? 0)), 0);
      total += lag;
      lags.push(`${lag} of ${topic}`);
    }
    const detail = `${group} has still to read ${lags.join(', ')}`;
    checks.push(total <= MAX_LAG_RECORDS ? ok('lag', detail) : {
      name: 'lag', status: 'problem', detail,
      remedy: group === 'historian' ? 'Look whether a historian runs and ClickHouse takes its inserts; it catches up by itself' : 'Look whether a pipeline runs; start more instances, up to the partitions of race-updates',
    });
  }
  return checks;
}

async function letterChecks(log: RecordLog, clock: Clock): Promise<readonly Check[]> {
  const sinceMs = clock.nowMs() - DAY_MS;
  const [end = 0] = await log.endOffsets('dead-letters');
  const counts = new Map<string, number>();
  await readLetters(log, Math.max(0, end - MAX_LETTERS), (letters) => {
    for (const letter of letters) {
      if (letter.appendedAtMs < sinceMs) continue;
      const code = headerText(letter, 'code') ?? 'unknown';
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
  });
  if (counts.size === 0) return [ok('dead-letters', 'None in the last day')];
  return [...counts].map(([code, count]): Check => ({
    name: 'dead-letters', status: code === 'processing_failed' ? 'problem' : 'warning', detail: `${count} in the last day with ${code}`,
    remedy: code === 'processing_failed' ? `A defect of ours: keep them, report it, and after the fix run: raceline dead-letters replay --code ${code}` : `Look at them: raceline dead-letters ls --code ${code}`,
  }));
}

async function schemaChecks(codec: Codec): Promise<readonly Check[]> {
  const schemas = await codec.inspect();
  const wrong = schemas.filter(({ state }) => state !== 'registered');
  if (wrong.length === 0) return [ok('schemas', `${schemas.length} schemas are registered`)];
  return wrong.map(({ subject, state }): Check => (state === 'missing'
    ? { name: 'schemas', status: 'problem', detail: `${subject} is not registered`, remedy: 'Start the service once with a user who may register schemas' }
    : { name: 'schemas', status: 'problem', detail: `${subject} would be refused as incompatible`, remedy: remedies.schema_incompatible ?? null }));
}

async function historyCheck(history: HistoryStore): Promise<readonly Check[]> {
  const { engine, missingMigrations } = await history.inspect();
  if (missingMigrations.length === 0) return [ok('history', `${engine}; all migrations are applied`)];
  return [{ name: 'history', status: 'problem', detail: `${engine}; not applied: ${missingMigrations.join(', ')}`, remedy: 'Start an instance with the role historian: it applies them' }];
}
