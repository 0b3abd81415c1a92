import { csvField } from './csv-rows.ts';
import { openOutput } from './output-file.ts';

export const JOURNEY_COLUMNS = ['race_id', 'issued_at', 'milestone', 'eta_at', 'p10_at', 'p90_at'] as const;
/** A passage is seen within the noise of receivers: what stands at a stop may be counted as gone so much too early. */
const PASSED_WITHIN_MS = 30_000;
/** Of what remains: a smaller move of an ETA or its range is not told again. At least the second, ms. */
const [LEAST_MOVE_SHARE, LEAST_MOVE_MS] = [0.01, 1000];
const FLUSH_CHARACTERS = 1 << 18;

export type Told = { readonly etaMs: number; readonly p10Ms: number; readonly p90Ms: number };

/** etas.csv as it is written: what was told of each waypoint, and when. */
export type JourneyRows = {
  /** Journeys and rows so far. */
  readonly journeys: number;
  readonly count: number;
  /** Told only when it moved. */
  eta(raceId: string, atMs: number, index: number, told: Told): void;
  /** A passage between two positions; told once. */
  passage(raceId: string, index: number, passedAtMs: number, between: { readonly fromMs: number; readonly untilMs: number }): void;
  /** Resolves when there is room for more. */
  drained(): Promise<void>;
  close(): Promise<void>;
};

/** @param seqOf the `seq` of a waypoint in the file. */
export function openJourneyRows(path: string, seqOf: (raceId: string, index: number) => number): JourneyRows {
  const out = openOutput(path, JOURNEY_COLUMNS);
  const told = new Map<string, Map<number, Told>>();
  const passed = new Map<string, Set<number>>();
  let text = '';
  let count = 0;

  function write(raceId: string, atMs: number, index: number, now: Told): void {
    let ofRace = told.get(raceId);
    if (ofRace === undefined) told.set(raceId, (ofRace = new Map()));
    ofRace.set(index, now);
    text += `${csvField(raceId)},${instant(atMs)},${seqOf(raceId, index)},${instant(now.etaMs)},${instant(now.p10Ms)},${instant(now.p90Ms)}\n`;
    count++;
  }

  return {
    get journeys() { return told.size; },
    get count() { return count; },
    eta(raceId, atMs, index, now) {
      if (isNews(told.get(raceId)?.get(index), now, atMs)) write(raceId, atMs, index, now);
    },
    passage(raceId, index, passedAtMs, { fromMs, untilMs }) {
      let ofRace = passed.get(raceId);
      if (ofRace === undefined) passed.set(raceId, (ofRace = new Set()));
      if (ofRace.has(index)) return;
      ofRace.add(index);
      write(raceId, untilMs, index, { etaMs: passedAtMs, p10Ms: Math.min(passedAtMs, fromMs), p90Ms: untilMs + PASSED_WITHIN_MS });
    },
    async drained() {
      if (text.length <= FLUSH_CHARACTERS) return;
      out.write(text);
      text = '';
      await out.drained();
    },
    async close() {
      out.write(text);
      await out.close();
    },
  };
}

function isNews(before: Told | undefined, now: Told, atMs: number): boolean {
  if (before === undefined) return true;
  const least = Math.max(LEAST_MOVE_MS, LEAST_MOVE_SHARE * (now.etaMs - atMs));
  return Math.abs(now.etaMs - before.etaMs) >= least || Math.abs(now.p10Ms - before.p10Ms) >= 5 * least || Math.abs(now.p90Ms - before.p90Ms) >= 5 * least;
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
