import { expect, test } from 'vitest';
import { query } from '../../support/service.ts';
import { feed, MARKER_SOURCE, markers, type Fed, type Load } from '../../support/load.ts';
import { waitUntil } from '../../support/wait-until.ts';

export type Outcome = {
  readonly url: string;
  readonly load: Load;
  readonly partitions: number;
  readonly fed: Fed;
};

/** Sends a marker to each partition, and waits until all that came before them is in ClickHouse. */
export async function settle(url: string, load: Load, partitions: number): Promise<void> {
  await feed(markers(partitions, Date.now()), { url: () => url });
  await waitUntil('every race is in ClickHouse', async () => {
    const [row] = await query<{ n: string }>(url, 'SELECT uniqExact(race_id) AS n FROM races');
    return Number(row?.n) >= load.endings.size + partitions;
  }, 60_000);
  await waitUntil('every revision is in ClickHouse', async () => {
    const [row] = await query<{ n: string }>(url, `SELECT uniqExact(partition) AS n FROM eta_revisions WHERE source = '${MARKER_SOURCE}' AND state = 'passed'`);
    return Number(row?.n) === partitions;
  }, 30_000);
  await waitUntil('the totals of every partition are in ClickHouse', async () => {
    const [row] = await query<{ n: string }>(url, `SELECT count() AS n FROM v_audit AS totals
      JOIN (SELECT origin_partition, max(origin_offset) AS marked FROM races WHERE source = '${MARKER_SOURCE}' GROUP BY origin_partition) AS markers
      ON totals.input_partition = markers.origin_partition WHERE totals.applied_offset >= marked`);
    return Number(row?.n) === partitions;
  }, 30_000);
}

type Totals = { read: string; applied: string; late: string; duplicate: string; forgotten: string; rejected: string; rerouted: string; balanced: string; partitions: string };

export async function totalsOf(url: string): Promise<Record<keyof Totals, number>> {
  const [row] = await query<Totals>(url, `SELECT sum(read) AS read, sum(applied) AS applied, sum(late) AS late, sum(duplicate) AS duplicate,
    sum(forgotten) AS forgotten, sum(rejected) AS rejected, sum(rerouted) AS rerouted, countIf(is_balanced) AS balanced, count() AS partitions FROM v_audit`);
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)])) as Record<keyof Totals, number>;
}

/** What is promised of a service that was sent a load and has settled, whatever was done to it meanwhile. */
export function testExactlyOnce(outcome: () => Outcome): void {
  test('every race ended as it was told, in ClickHouse once', async () => {
    const { url, load } = outcome();
    const rows = await query<{ race_id: string; outcome: string; completed: string; correction: boolean }>(
      url, `SELECT race_id, outcome, toUnixTimestamp64Milli(completed_at) AS completed, is_correction AS correction FROM races WHERE source != '${MARKER_SOURCE}'`,
    );
    const told = [...load.endings.values()].map((update) => `${update.race_id} ${update.state} ${update.completed_at} false`).sort();
    expect(rows.map((row) => `${row.race_id} ${row.outcome} ${row.completed} ${row.correction}`).sort()).toEqual(told);
  });

  test('every stage is in ClickHouse once', async () => {
    const { url, load } = outcome();
    const [row] = await query<{ n: string; different: string }>(url, 'SELECT count() AS n, uniqExact(race_id, attempt, name, occurrence) AS different FROM stages');
    expect([Number(row?.n), Number(row?.different)]).toEqual([5 * load.endings.size, 5 * load.endings.size]);
  });

  test.each([
    ['races', ''], ['eta_revisions', ''], ['audit', ''], ['stages', ', name, occurrence'], ['forecast_errors', ', checkpoint'],
  ])('%s holds no record of the log twice', async (table, within) => {
    const [row] = await query<{ n: string; different: string }>(outcome().url, `SELECT count() AS n, uniqExact(topic, partition, offset${within}) AS different FROM ${table}`);
    expect(Number(row?.n)).toBeGreaterThan(0);
    expect(row?.n).toBe(row?.different);
  });

  test('each race is counted once in the statistics of its source', async () => {
    const { url, load } = outcome();
    const [row] = await query<{ n: string }>(url, `SELECT sum(races) AS n FROM v_source_stats WHERE source != '${MARKER_SOURCE}'`);
    expect(Number(row?.n)).toBe(load.endings.size);
  });

  test('the classes of inputs add up to what was read, and to what was sent', async () => {
    const { url, load, partitions, fed } = outcome();
    const { read, applied, late, duplicate, ...rest } = await totalsOf(url);
    const sent = load.items.length + partitions;
    expect(rest).toEqual({ forgotten: 0, rejected: 0, rerouted: 0, balanced: partitions, partitions });
    expect({ applied, repeated: late + duplicate }).toEqual({ applied: sent, repeated: read - sent });
    expect(late + duplicate).toBeGreaterThanOrEqual(fed.repeated);
    expect(late + duplicate).toBeLessThanOrEqual(fed.resent);
  });

  test('imported races have no revisions', async () => {
    const { url } = outcome();
    const [row] = await query<{ n: string }>(url, "SELECT count() AS n FROM eta_revisions WHERE startsWith(race_id, 'history-')");
    expect(Number(row?.n)).toBe(0);
    const [ended] = await query<{ most: number }>(url, "SELECT max(revisions) AS most FROM races WHERE startsWith(race_id, 'history-')");
    expect(ended?.most).toBe(0);
  });

  test('live races have revisions 1, 2, 3..., in this order once repeats are removed, and the last says finished', async () => {
    const { url, load } = outcome();
    const rows = await query<{ race_id: string; partitions: string; revisions: number[]; last: string }>(url, `SELECT race_id, uniqExact(partition) AS partitions,
      arrayMap(pair -> pair.2, arraySort(groupArray((offset, revision)))) AS revisions, argMax(reason, offset) AS last
      FROM eta_revisions WHERE startsWith(race_id, 'live-') GROUP BY race_id`);
    expect(new Set(rows.map((row) => row.race_id))).toEqual(load.live);
    const counts = new Map((await query<{ race_id: string; revisions: number }>(url, "SELECT race_id, revisions FROM races WHERE startsWith(race_id, 'live-')")).map((row) => [row.race_id, row.revisions]));
    const wrong = rows.filter(({ race_id, partitions, revisions, last }) => {
      const inOrder = lastOccurrences(revisions);
      return Number(partitions) !== 1 || last !== 'finished' || inOrder.length !== counts.get(race_id) || inOrder.some((revision, index) => revision !== index + 1);
    });
    expect(wrong).toEqual([]);
  });

  test('each forecast of a live race was held against the truth', async () => {
    const { url, load } = outcome();
    const rows = await query<{ race_id: string; first: number; elapsed: number }>(
      url, `SELECT race_id, min(revision) AS first, min(elapsed_sec) AS elapsed FROM forecast_errors WHERE source != '${MARKER_SOURCE}' GROUP BY race_id`,
    );
    expect(new Set(rows.map((row) => row.race_id))).toEqual(load.live);
    expect(rows.filter((row) => row.first !== 1 || row.elapsed !== 0)).toEqual([]);
  });

  test('the live view shows every race as ended', async () => {
    const { url, load } = outcome();
    const answer = await fetch(`${url}/v1/races?source=fleet/*&limit=10000`);
    const { races, total } = await answer.json() as { races: { race_id: string; state: string; completed_at: number; eta: { reason: string } | null }[]; total: number };
    expect(total).toBe(load.endings.size);
    const told = [...load.endings.values()].map((update) => `${update.race_id} ${update.state} ${update.completed_at} ${load.live.has(update.race_id) ? 'finished' : 'none'}`).sort();
    expect(races.map((race) => `${race.race_id} ${race.state} ${race.completed_at} ${race.eta?.reason ?? 'none'}`).sort()).toEqual(told);
  });
}

/** In log order; a revision sent again after a crash counts where it stands last. */
function lastOccurrences(revisions: readonly number[]): number[] {
  return revisions.filter((revision, index) => revisions.lastIndexOf(revision) === index);
}
