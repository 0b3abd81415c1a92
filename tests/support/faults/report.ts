import { appendFileSync } from 'node:fs';

/** RACELINE_FAULTS=long: longer outages and more of them. */
export const isLong = process.env['RACELINE_FAULTS'] === 'long';

/** A row of the campaign's table. */
export type Reported = {
  /** What was done. */
  readonly fault: string;
  /** What happened, as seen. */
  readonly seen: string;
  /** Until a new update had its ETA, from the end of the fault, ms; null = that does not apply. */
  readonly etaMs: number | null;
  /** Until a new race was in ClickHouse too, from the end of the fault, ms. */
  readonly historyMs: number | null;
  readonly audit: string;
};

/** Into the file that run.ts prints at the end; a run of the tests alone has none. */
export function report(row: Reported): void {
  const file = process.env['RACELINE_FAULTS_REPORT'];
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(row)}\n`);
}

export function tableOf(rows: readonly Reported[]): string {
  const sec = (ms: number | null): string => (ms === null ? '' : `${(ms / 1_000).toFixed(1)} s`);
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [
    line(['fault', 'what happened', 'ETAs normal after', 'history after', 'audit']), line(['---', '---', '---', '---', '---']),
    ...rows.map(({ fault, seen, etaMs, historyMs, audit }) => line([fault, seen, sec(etaMs), sec(historyMs), audit])),
  ].join('\n');
}
