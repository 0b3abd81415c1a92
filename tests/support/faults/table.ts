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

/** With the test file that it came from. */
export type MeasuredFault = Reported & { readonly file: string };

/** A campaign as `npm run faults -- --save` keeps it for README.md. */
export type SavedCampaign = { readonly measuredOn: string; readonly machine: string; readonly rows: readonly MeasuredFault[] };

export function tableOf(rows: readonly Reported[]): string {
  const sec = (ms: number | null): string => (ms === null ? '' : `${(ms / 1_000).toFixed(1)} s`);
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`.replaceAll('|  |', '| |');
  return [
    line(['fault', 'what happened', 'ETAs normal after', 'history after', 'audit']), `|${'---|'.repeat(5)}`,
    ...rows.map(({ fault, seen, etaMs, historyMs, audit }) => line([fault, seen, sec(etaMs), sec(historyMs), audit])),
  ].join('\n');
}
