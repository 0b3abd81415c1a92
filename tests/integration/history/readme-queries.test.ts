import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { auditRow, forecastErrorRows, raceRow } from '../../../src/history/rows.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { openEmbeddedHistory, type EmbeddedHistory } from '../../support/clickhouse/embedded-history.ts';
import { finishedRace, partitionState } from '../../support/clickhouse/history-records.ts';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
const queries = [...readme.matchAll(/```sql\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

let store: HistoryStore;
let close: EmbeddedHistory['close'];

beforeAll(async () => {
  ({ store, close } = await openEmbeddedHistory());
  const position = { topic: 'race-history', partition: 0, offset: 0, appendedAtMs: Date.now() };
  // Ended a minute ago: the views look at the last days.
  const completedAt = Date.now() - 60_000;
  const race = { ...finishedRace(1), started_at: completedAt - 100_000, completed_at: completedAt, duration_sec: 100 };
  await store.insert('races', [raceRow(race, position)], 'race');
  await store.insert('forecast_errors', forecastErrorRows(race, position), 'errors');
  await store.insert('audit', [auditRow(partitionState(0, 1), { ...position, topic: 'race-states' })], 'audit');
});
afterAll(() => close());

it('README.md has an example for each of accuracy, slowest sources and audit', async () => {
  expect(queries).toHaveLength(3);
  const [accuracy, slowest, audit] = await Promise.all(queries.map(rowsOf));
  expect(accuracy).toContainEqual({ source: 'ci/acme', phase: 'submission', n: 1, within_20: 0, covered: 1 });
  expect(slowest).toEqual([expect.objectContaining({ source: 'ci/acme', p50_sec: 100, total_hours: 100 / 3_600 })]);
  expect(audit).toEqual([expect.objectContaining({ input_partition: 0, read: 1, applied: 1, is_balanced: 1, races_once: 1 })]);
});

async function rowsOf(sql: string): Promise<unknown[]> {
  const lines = (await store.userQuery(sql, 'JSONEachRow')).toString().trim().split('\n');
  return lines.map((line): unknown => JSON.parse(line));
}
