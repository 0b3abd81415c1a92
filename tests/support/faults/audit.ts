import type { Fed, Load } from '../load.ts';
import { MARKER_SOURCE } from '../load.ts';
import { query } from '../service.ts';

/** All that was sent to a service since it began with empty engines. */
export type Ledger = {
  updates: number;
  resent: number;
  repeated: number;
  /** Updates that were sent on purpose and must end in dead-letters. */
  refused: number;
  /** Orders to forget a race. */
  forgotten: number;
  /** Races in all, and markers among them. */
  readonly told: Map<string, string>;
  markers: number;
  readonly live: Set<string>;
};

export function emptyLedger(): Ledger {
  return { updates: 0, resent: 0, repeated: 0, refused: 0, forgotten: 0, told: new Map(), markers: 0, live: new Set() };
}

export function enter(ledger: Ledger, load: Load, fed: Fed): void {
  ledger.updates += load.items.length;
  ledger.resent += fed.resent;
  ledger.repeated += fed.repeated;
  for (const [raceId, { source, state, completed_at }] of load.endings) {
    ledger.told.set(raceId, `${state} ${completed_at} false`);
    if (source === MARKER_SOURCE) ledger.markers += 1;
  }
  for (const raceId of load.live) ledger.live.add(raceId);
}

export type Audit = {
  readonly lost: number;
  readonly doubled: number;
  /** What is not as promised, a sentence each. */
  readonly problems: readonly string[];
  /** Races that say another number of revisions than they published. */
  readonly recounted: number;
};

type Totals = Record<'read' | 'applied' | 'late' | 'duplicate' | 'forgotten' | 'rejected' | 'rerouted' | 'balanced' | 'partitions', number>;

const keys = [
  ['races', ''], ['stages', ', name, occurrence'], ['eta_revisions', ''], ['forecast_errors', ', checkpoint'], ['audit', ''],
] as const;

/**
 * Holds ClickHouse against what was sent, in SQL: every race ended as it was told and is there once, no record of the
 * log is there twice, the inputs add up, revisions run 1, 2, 3... `endOffset`: records in race-updates, all partitions;
 * `crashes`: processes that held partitions were killed or stopped.
 */
export async function audit(url: string, ledger: Ledger, { partitions, endOffset, crashes }: { readonly partitions: number; readonly endOffset: number | null; readonly crashes: boolean }): Promise<Audit> {
  const problems: string[] = [];
  const rows = await query<{ race_id: string; ending: string }>(
    url, "SELECT race_id, concat(outcome, ' ', toString(toUnixTimestamp64Milli(completed_at)), ' ', if(is_correction, 'true', 'false')) AS ending FROM races",
  );
  const found = new Map(rows.map((row) => [row.race_id, row.ending]));
  const lost = [...ledger.told.keys()].filter((raceId) => !found.has(raceId));
  let doubled = rows.length - found.size;
  if (lost.length > 0) problems.push(`${lost.length} races are lost: ${lost.slice(0, 5).join(', ')}`);
  if (doubled > 0) problems.push(`${doubled} races are in ClickHouse twice`);
  const wrong = [...found].filter(([raceId, ending]) => ledger.told.get(raceId) !== ending);
  if (wrong.length > 0) problems.push(`${wrong.length} races ended otherwise than told: ${JSON.stringify(wrong.slice(0, 5))}`);

  for (const [table, within] of keys) {
    const [row] = await query<{ n: string; twice: string }>(url, `SELECT count() AS n, count() - uniqExact(topic, partition, offset${within}) AS twice FROM ${table}`);
    if (Number(row?.n) === 0) problems.push(`${table} is empty`);
    if (Number(row?.twice) > 0) problems.push(`${table} holds ${row?.twice} records of the log twice`);
    doubled += Number(row?.twice);
  }
  const races = ledger.told.size - ledger.markers;
  const [stages] = await query<{ n: string }>(url, 'SELECT uniqExact(race_id, attempt, name, occurrence) AS n FROM stages');
  if (Number(stages?.n) !== 5 * races) problems.push(`There are ${stages?.n} stages, not ${5 * races}`);
  const [counted] = await query<{ n: string }>(url, 'SELECT sum(races) AS n FROM v_source_stats');
  if (Number(counted?.n) !== ledger.told.size) problems.push(`${counted?.n} races are counted in the statistics, not ${ledger.told.size}`);

  const [totals] = await query<Record<keyof Totals, string>>(url, `SELECT sum(read) AS read, sum(applied) AS applied, sum(late) AS late, sum(duplicate) AS duplicate,
    sum(forgotten) AS forgotten, sum(rejected) AS rejected, sum(rerouted) AS rerouted, countIf(is_balanced) AS balanced, count() AS partitions FROM v_audit`);
  const sum = Object.fromEntries(Object.entries(totals ?? {}).map(([name, value]) => [name, Number(value)])) as Totals;
  const expected = { applied: ledger.updates, rejected: ledger.refused, forgotten: ledger.forgotten, rerouted: 0, balanced: partitions, partitions };
  for (const [name, value] of Object.entries(expected)) {
    if (sum[name as keyof Totals] !== value) problems.push(`${name} is ${sum[name as keyof Totals]}, not ${value}`);
  }
  const again = sum.late + sum.duplicate;
  // Kafka itself may hold a send twice whose outcome was unknown: then only its end offsets say how many there are.
  if (again < ledger.repeated || (endOffset === null && again > ledger.resent)) problems.push(`${again} inputs are told as repeated: between ${ledger.repeated} and ${ledger.resent} were`);
  const inputs = ledger.updates + ledger.refused + ledger.forgotten + again;
  if (sum.read !== inputs) problems.push(`${sum.read} inputs were read, not ${inputs}`);
  if (endOffset !== null && sum.read !== endOffset) problems.push(`${sum.read} inputs were read, but the log holds ${endOffset}`);

  const revisions = await query<{ race_id: string; partitions: string; revisions: number[]; last: string; counted: number }>(url, `SELECT race_id, partitions, revisions, last, counted FROM (
    SELECT race_id, uniqExact(partition) AS partitions, arrayMap(pair -> pair.2, arraySort(groupArray((offset, revision)))) AS revisions, argMax(state, offset) AS last
    FROM eta_revisions GROUP BY race_id) AS etas JOIN (SELECT race_id, max(revisions) AS counted FROM races GROUP BY race_id) AS ended USING (race_id)`);
  const odd = revisions.filter((row) => {
    return Number(row.partitions) !== 1 || !['passed', 'failed'].includes(row.last) || lineOf(row.revisions).some((revision, index) => revision !== index + 1);
  });
  if (odd.length > 0) problems.push(`Revisions of ${odd.length} races are not 1, 2, 3... with the end last: ${JSON.stringify(odd.slice(0, 3))}`);
  // After a crash between a slice's outputs and its changelog the slice is done again, by a learner that may know more by
  // then: a race may publish a revision more or less than its first FinishedRace, which is the one that counts, says.
  // The sooner a service is ready, the more of its kills come in the middle of a slice: of 20, 20 of 312 races were seen.
  const offBy = revisions.map((row) => lineOf(row.revisions).length - row.counted).filter((off) => off !== 0);
  const recounted = offBy.length;
  if (recounted > (crashes ? Math.ceil(revisions.length / 10) : 0)) problems.push(`${recounted} races have published another number of revisions than they say, by ${offBy.join(', ')}`);
  const [shown] = await query<{ n: string }>(url, 'SELECT count() AS n FROM v_eta_revisions');
  const standing = revisions.reduce((sum, row) => sum + lineOf(row.revisions).length, 0);
  if (Number(shown?.n) !== standing) problems.push(`v_eta_revisions shows ${shown?.n} revisions, ${standing} stand`);
  const published = new Set(revisions.map((row) => row.race_id));
  const silent = [...ledger.live].filter((raceId) => !published.has(raceId));
  if (silent.length > 0) problems.push(`${silent.length} live races have no revision`);
  const talkative = [...published].filter((raceId) => !ledger.live.has(raceId));
  if (talkative.length > 0) problems.push(`${talkative.length} imported races have revisions`);
  return { lost: lost.length, doubled, problems, recounted };
}

/** Of revisions as they were sent, those that stand: a number that is sent again takes back what was numbered from it on. */
function lineOf(revisions: readonly number[]): number[] {
  let line: number[] = [];
  for (const revision of revisions) line = [...line.filter((number) => number < revision), revision];
  return line;
}
