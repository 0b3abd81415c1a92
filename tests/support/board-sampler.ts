import type { Page } from 'playwright-core';
import { query } from './service.ts';

type Line = { readonly id: string; readonly percent: number; readonly finish: number | null; readonly state: string };

export type BoardSampler = {
  /** Looks at each race that the page shows now. */
  take(): Promise<void>;
  /** Races seen so far. */
  readonly seen: ReadonlyMap<string, readonly number[]>;
  /** What a bar did that it must not: went back, or was full before the end. */
  readonly faults: readonly string[];
  /** Races whose finish moved more often on the page than was published to ClickHouse, or to what never was. */
  unpublished(url: string): Promise<string[]>;
};

/** Watches bars and finishes as a person sees them. Races with one attempt only: another may begin anew. */
export function boardSampler(page: Page, idsBegin: string): BoardSampler {
  const percents = new Map<string, number>();
  /** The finishes shown, each only when it differs from the one before; epoch ms. */
  const finishes = new Map<string, number[]>();
  const faults: string[] = [];
  return {
    async take() {
      const lines = await page.locator(`[data-race-id^="${idsBegin}"]`).evaluateAll((elements): Line[] => elements.map((line) => ({
        id: line.getAttribute('data-race-id')!, percent: Number(line.getAttribute('data-shown')), finish: Number(line.getAttribute('data-finish')) || null, state: line.getAttribute('data-state')!,
      })));
      for (const { id, percent, finish, state } of lines) {
        const before = percents.get(id) ?? 0;
        if (percent < before) faults.push(`${id} went back from ${before} to ${percent}`);
        if (percent >= 100 && state !== 'passed') faults.push(`${id} is full while ${state}`);
        percents.set(id, percent);
        const shown = finishes.get(id) ?? [];
        finishes.set(id, shown);
        // Of the others no finish is shown.
        if (finish !== null && (state === 'running' || state === 'correcting') && shown.at(-1) !== finish) shown.push(finish);
      }
    },
    seen: finishes,
    faults,
    async unpublished(url) {
      const rows = await query<{ race_id: string; finishes: (number | string)[] }>(url, `
        SELECT race_id, groupArray(toUnixTimestamp64Milli(display_finish_at)) AS finishes
        FROM (SELECT race_id, display_finish_at FROM v_eta_revisions WHERE startsWith(race_id, '${idsBegin}') AND display_finish_at IS NOT NULL ORDER BY race_id, revision)
        GROUP BY race_id`);
      const published = new Map(rows.map((row) => [row.race_id, row.finishes.map(Number).filter((finish, index, all) => finish !== all[index - 1])]));
      return [...finishes].flatMap(([id, shown]) => {
        const said = published.get(id) ?? [];
        const strange = shown.filter((finish) => !said.includes(finish));
        return strange.length > 0 || shown.length > said.length ? [`${id} showed ${shown.join(', ')}; published were ${said.join(', ')}`] : [];
      });
    },
  };
}
