import { readFileSync } from 'node:fs';
import { AppError, messageOf } from '../errors.ts';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import { csvField } from './csv-rows.ts';
import type { ScoredRace, ScoredRevision, ScoreSheet } from '../forecast/score.ts';
import { readRows, type Row } from './recording.ts';

/** Columns of predictions.csv, in order. Durations are totals in seconds from started_at, with three decimals. */
export const predictionColumns = ['race_id', 'issued_at', 'p10_sec', 'p50_sec', 'p90_sec', 'eta_sec', 'basis', 'reason', 'confidence', 'display_finish_at'] as const;

/** The column that is judged as the point estimate. */
export const pointColumns = ['eta_sec', 'p10_sec', 'p50_sec', 'p90_sec', 'display_finish_at'] as const;
export type PointColumn = (typeof pointColumns)[number];

/** One line of predictions.csv, with its end. */
export function predictionLine(eta: EtaUpdate): string {
  const number = (value: number | null): string => (value === null ? '' : String(rounded(value)));
  const instant = (atMs: number | null): string => (atMs === null ? '' : new Date(atMs).toISOString());
  return `${[
    csvField(eta.race_id), instant(eta.issued_at), number(eta.p10_sec), number(eta.p50_sec), number(eta.p90_sec), number(eta.eta_sec),
    eta.basis, eta.reason, number(eta.confidence), instant(eta.display.finish_at),
  ].join(',')}\n`;
}

/** What stands in that line, as the scorer reads it: rounded alike. null = without a median there is nothing to judge. */
export function scoredRevision(eta: EtaUpdate, startedAtSec: number, point: PointColumn): ScoredRevision | null {
  if (eta.p50_sec === null) return null;
  const finishAtMs = eta.display.finish_at;
  const pointSec = point === 'display_finish_at' ? (finishAtMs === null ? null : finishAtMs / 1_000 - startedAtSec) : roundedOrNull(eta[point]);
  return {
    issuedAtSec: eta.issued_at / 1_000, pointSec, p10Sec: roundedOrNull(eta.p10_sec), p50Sec: rounded(eta.p50_sec), p90Sec: roundedOrNull(eta.p90_sec), confidence: rounded(eta.confidence),
  };
}

/** The races of races.csv as they went, in file order; `limit`: only the first by start, as `--limit` takes them. Rejects as readRows does. */
export async function readScoredRaces(path: string, limit?: number): Promise<ScoredRace[]> {
  const races: ScoredRace[] = [];
  await readRows(path, ['id', 'source', 'title', 'started_at', 'duration_sec'], (row) => {
    const race = readRace(row);
    if (race !== null) races.push(race);
  });
  return limit === undefined ? races : races.sort((a, b) => a.startedAtSec - b.startedAtSec).slice(0, limit);
}

/** Puts every row of predictions.csv on the sheet. Rejects with `invalid_request` when a column is missing or a race's revisions are not in the order of issue. */
export async function readPredictions(path: string, sheet: ScoreSheet, point: PointColumn | undefined): Promise<void> {
  await readRows(path, ['race_id', 'issued_at', 'p10_sec', 'p50_sec', 'p90_sec', ...(point === undefined ? [] : [point])], (row) => {
    const raceId = row['race_id'] ?? '';
    const startedAtSec = sheet.startOf(raceId);
    const p50Sec = numberOf(row['p50_sec']);
    if (startedAtSec === undefined || p50Sec === null) return;
    const issuedAtSec = instantSec(row['issued_at']);
    const pointSec = point === 'display_finish_at' ? totalOf(row[point], startedAtSec) : numberOf(row[point ?? 'eta_sec']);
    const revision = { issuedAtSec, pointSec, p10Sec: numberOf(row['p10_sec']), p50Sec, p90Sec: numberOf(row['p90_sec']), confidence: numberOf(row['confidence']) };
    if (!sheet.add(raceId, revision)) throw new AppError('invalid_request', `Cannot score ${path}: revisions of ${raceId} are not in the order of issue`);
  });
}

/** The ids of a file, one a line. Throws `not_found`. */
export function readIds(path: string): ReadonlySet<string> {
  try {
    return new Set(readFileSync(path, 'utf8').split('\n').map((line) => line.trim()));
  } catch (error) {
    throw new AppError('not_found', `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function readRace(row: Row): ScoredRace | null {
  const startedAtSec = instantSec(row['started_at']);
  const durationSec = numberOf(row['duration_sec']);
  if (Number.isNaN(startedAtSec) || durationSec === null || row['id'] === undefined) return null;
  return { id: row['id'], source: row['source'] ?? '', title: row['title'] ?? '', startedAtSec, durationSec, outcome: row['state'] || 'passed' };
}

/** Seconds since 1970, to the microsecond: Date has milliseconds, some recordings more. NaN = no instant. */
function instantSec(text: string | undefined): number {
  const parts = /^(.*?)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(text ?? '');
  const wholeMs = Date.parse(`${parts?.[1] ?? ''}${parts?.[3] ?? ''}`);
  const micros = Number(`${parts?.[2] ?? ''}000000`.slice(0, 6));
  return (wholeMs * 1_000 + micros) / 1_000_000;
}

function totalOf(text: string | undefined, startedAtSec: number): number | null {
  return text === undefined || text === '' ? null : instantSec(text) - startedAtSec;
}

function numberOf(text: string | undefined): number | null {
  const value = text === undefined || text === '' || text === 'null' ? Number.NaN : Number(text);
  return Number.isNaN(value) ? null : value;
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}

