import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { AppError } from '../errors.ts';
import { emptyUpdate } from '../race/update.ts';
import type { RaceUpdate, ReportedState, StageState } from '../race/update.ts';
import { readFileThrough } from './input-file.ts';

export type RecordedRace = {
  readonly id: string;
  readonly source: string;
  readonly title: string;
  /** Epoch ms. */
  readonly startedAtMs: number;
  /** started_at + duration_sec, epoch ms; at or above `startedAtMs`. */
  readonly endedAtMs: number;
  readonly state: 'passed' | 'failed' | 'canceled';
  /** All of it known at the start. */
  readonly metadata: Readonly<Record<string, string>>;
};

type RecordedStage = {
  readonly name: string;
  readonly seq: number | null;
  readonly startedAtMs: number;
  /** null = it never ended. */
  readonly completedAtMs: number | null;
  readonly state: 'passed' | 'failed' | 'skipped';
};

type RecordedProgress = { readonly atMs: number; readonly event: string; readonly epoch: string; readonly value: string };

/** Rows that say nothing usable, by why. */
type SkippedRows = {
  /** Rows with an instant, number, state or id that cannot be read, and repeated race ids. */
  invalid: number;
  /** Stage and progress rows of races that are not in the recording (or not selected). */
  otherRaces: number;
};

/** Races as they were recorded, in the order of their starts (ties: as in the file), with what happened inside them. */
export type Recording = {
  readonly races: readonly RecordedRace[];
  /** By race id, in file order. */
  readonly stages: ReadonlyMap<string, readonly RecordedStage[]>;
  readonly progress: ReadonlyMap<string, readonly RecordedProgress[]>;
  readonly skipped: Readonly<SkippedRows>;
};

export type RecordingFiles = {
  /** Path of races.csv or races.csv.gz: id, source, title, started_at, duration_sec, state, metadata. */
  readonly races: string;
  /** race_id, stage, seq, started_at, completed_at, state. */
  readonly stages?: string | undefined;
  /** race_id, time, event, epoch, value. */
  readonly progress?: string | undefined;
};

/** Which races of a recording to take. Applied in the order of these fields. */
export type Selection = {
  /** Starts at or after, epoch ms. */
  readonly fromMs?: number | undefined;
  /** Starts before, epoch ms. */
  readonly toMs?: number | undefined;
  /** Leaves out races that took longer, seconds. */
  readonly maxSec?: number | undefined;
  /** Only the n UTC days on which most races start; ties go to the earlier day. */
  readonly busiestDays?: number | undefined;
  /** The first n races. */
  readonly limit?: number | undefined;
};

const DAY_MS = 86_400_000;

/**
 * Reads a recording: streams the files (gunzipped when they end in .gz) and keeps what is selected.
 * Memory: about 1 KB a race and 150 bytes a stage. Rejects with `not_found` (no such file) and `invalid_request`
 * (no CSV, a column missing).
 */
export async function readRecording(options: RecordingFiles & Selection): Promise<Recording> {
  const skipped: SkippedRows = { invalid: 0, otherRaces: 0 };
  const known = new Map<string, RecordedRace>();
  await readRows(options.races, ['id', 'source', 'title', 'started_at', 'duration_sec'], (row) => {
    const race = readRace(row);
    if (race === null || known.has(race.id)) skipped.invalid++;
    else known.set(race.id, race);
  });
  const races = selectRaces([...known.values()], options);
  const selected = new Set(races.map((race) => race.id));
  const stages = new Map<string, RecordedStage[]>();
  if (options.stages !== undefined) {
    await readRows(options.stages, ['race_id', 'stage', 'started_at', 'completed_at'], (row) => {
      keep(stages, selected, row['race_id'], readStage(row), skipped);
    });
  }
  const progress = new Map<string, RecordedProgress[]>();
  if (options.progress !== undefined) {
    await readRows(options.progress, ['race_id', 'time', 'event'], (row) => {
      keep(progress, selected, row['race_id'], readProgress(row), skipped);
    });
  }
  return { races, stages, progress, skipped };
}

/** The selected races in the order of their starts (stable). */
export function selectRaces(all: readonly RecordedRace[], selection: Selection): RecordedRace[] {
  const { fromMs = -Infinity, toMs = Infinity, maxSec = Infinity, busiestDays, limit } = selection;
  let races = all
    .filter((race) => race.startedAtMs >= fromMs && race.startedAtMs < toMs && race.endedAtMs - race.startedAtMs <= maxSec * 1_000)
    .sort((a, b) => a.startedAtMs - b.startedAtMs);
  if (busiestDays !== undefined) {
    const counts = new Map<number, number>();
    for (const race of races) counts.set(dayOf(race), (counts.get(dayOf(race)) ?? 0) + 1);
    const days = new Set([...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, busiestDays).map(([day]) => day));
    races = races.filter((race) => days.has(dayOf(race)));
  }
  return limit === undefined ? races : races.slice(0, limit);
}

/** UTC day of the start, days since 1970. */
export function dayOf(race: RecordedRace): number {
  return Math.floor(race.startedAtMs / DAY_MS);
}

/** One thing that happened, to be said as one update at `atMs`. */
type Moment = { readonly atMs: number; readonly race: RecordedRace } & (
  | { readonly kind: 'start' | 'finish' }
  | { readonly kind: 'stage-start' | 'stage-end' | 'stage-whole'; readonly stage: RecordedStage }
  | { readonly kind: 'progress'; readonly row: RecordedProgress }
);

export type TellingOptions = {
  /**
   * Tell also of stages and progress at or after the race's end. For imports: nobody forecasts from them. Else they are
   * left out, for their instants would give the end away to whoever sorts by time.
   */
  readonly withHindsight: boolean;
};

/** How many updates `updatesOf` gives. Cost: O(rows). */
export function countUpdates(recording: Recording, options: TellingOptions): number {
  return recording.races.reduce((sum, race) => sum + momentsOf(recording, race, options).length, 0);
}

/**
 * The recording as its producers would have told it: updates in the order of `at`, those of one race in their natural
 * order where instants are equal (start, stages by seq, finish).
 *
 * Nothing is said before it was known: a stage's end is an update of its own.
 * Cost: O(n log n) once, then constant per update.
 */
export function* updatesOf(recording: Recording, options: TellingOptions): Generator<RaceUpdate, void, undefined> {
  const moments = recording.races.flatMap((race) => momentsOf(recording, race, options));
  // Stable: equal instants stay in the order of the races' starts, and of the moments within a race.
  moments.sort((a, b) => a.atMs - b.atMs);
  for (const moment of moments) yield updateOf(moment);
}

/** Instants are whole ms but the end is computed from fractional seconds: 1 ms of tolerance keeps rounding from leaking it. */
const END_TOLERANCE_MS = 1;

function momentsOf(recording: Recording, race: RecordedRace, { withHindsight }: TellingOptions): Moment[] {
  const inside: { moment: Moment; seq: number }[] = [];
  const add = (moment: Moment, seq: number): void => {
    if (withHindsight || moment.atMs < race.endedAtMs - END_TOLERANCE_MS) inside.push({ moment, seq });
  };
  for (const stage of recording.stages.get(race.id) ?? []) {
    const seq = stage.seq ?? 0;
    // Nobody hears of a stage before its race.
    const startAtMs = Math.max(stage.startedAtMs, race.startedAtMs);
    if (stage.completedAtMs !== null && stage.completedAtMs <= startAtMs) {
      add({ kind: 'stage-whole', atMs: startAtMs, race, stage }, seq);
      continue;
    }
    add({ kind: 'stage-start', atMs: startAtMs, race, stage }, seq);
    if (stage.completedAtMs !== null) add({ kind: 'stage-end', atMs: stage.completedAtMs, race, stage }, seq);
  }
  for (const row of recording.progress.get(race.id) ?? []) {
    add({ kind: 'progress', atMs: Math.max(row.atMs, race.startedAtMs), race, row }, Infinity);
  }
  // At one instant the stage with the lower seq speaks first: its end before the next one's start. Infinity - Infinity
  // is NaN, which must not reach the comparison.
  inside.sort((a, b) => a.moment.atMs - b.moment.atMs || (a.seq === b.seq ? 0 : a.seq - b.seq));
  return [
    { kind: 'start', atMs: race.startedAtMs, race },
    ...inside.filter(({ moment }) => moment.atMs <= race.endedAtMs).map(({ moment }) => moment),
    { kind: 'finish', atMs: race.endedAtMs, race },
    ...inside.filter(({ moment }) => moment.atMs > race.endedAtMs).map(({ moment }) => moment),
  ];
}

function updateOf(moment: Moment): RaceUpdate {
  const { race, atMs } = moment;
  const update = emptyUpdate(race.id, race.source, atMs);
  switch (moment.kind) {
    case 'start':
      return { ...update, state: 'running', started_at: atMs, title: race.title, metadata: { ...race.metadata } };
    case 'finish':
      return { ...update, state: race.state, completed_at: atMs };
    case 'stage-start':
      return { ...update, stage: stageUpdate(moment.stage, 'running', null) };
    case 'stage-end':
    case 'stage-whole':
      return { ...update, stage: stageUpdate(moment.stage, moment.stage.state, moment.stage.completedAtMs) };
    case 'progress':
      return { ...update, ...progressFields(moment.row) };
  }
}

function stageUpdate(stage: RecordedStage, state: StageState, completedAtMs: number | null): NonNullable<RaceUpdate['stage']> {
  return { name: stage.name, state, seq: stage.seq, started_at: stage.startedAtMs, completed_at: completedAtMs, planned_sec: null };
}

/** A row is a percentage only when it says so (`progress`, 0..100); epochs and evaluations are events: their total is unknown. */
function progressFields(row: RecordedProgress): Pick<RaceUpdate, 'progress' | 'event'> {
  const percent = row.event === 'progress' && row.value !== '' ? Number(row.value) : Number.NaN;
  if (percent >= 0 && percent <= 100) return { progress: percent, event: null };
  const data = Object.fromEntries([['epoch', row.epoch], ['value', row.value]].filter(([, value]) => value !== ''));
  return { progress: null, event: { type: row.event, at: row.atMs, data: Object.keys(data).length === 0 ? null : JSON.stringify(data) } };
}

/** A row of a CSV file by its header. */
export type Row = Readonly<Record<string, string>>;

/** Streams a CSV file (gunzipped when it ends in .gz), a row at a time. Rejects with `not_found` (no such file) and `invalid_request` (no CSV, a column missing). */
export async function readRows(path: string, columns: readonly string[], onRow: (row: Row) => void): Promise<void> {
  const parser = parse({
    bom: true,
    columns: (header: string[]) => {
      const missing = columns.filter((column) => !header.includes(column));
      if (missing.length > 0) throw new AppError('invalid_request', `Cannot read ${path}: it has no column ${missing.join(', ')}, only ${header.join(', ')}`);
      return header;
    },
  });
  await readFileThrough(path, (bytes) => pipeline(bytes, parser, async (rows: AsyncIterable<Row>) => {
    for await (const row of rows) onRow(row);
  }));
}

function keep<T>(map: Map<string, T[]>, selected: ReadonlySet<string>, raceId: string | undefined, item: T | null, skipped: SkippedRows): void {
  if (raceId === undefined || !selected.has(raceId)) {
    skipped.otherRaces++;
    return;
  }
  if (item === null) {
    skipped.invalid++;
    return;
  }
  const list = map.get(raceId);
  if (list === undefined) map.set(raceId, [item]);
  else list.push(item);
}

function readRace(row: Row): RecordedRace | null {
  const startedAtMs = readInstant(row['started_at']);
  const durationSec = row['duration_sec'] === '' ? Number.NaN : Number(row['duration_sec']);
  const state = readState(row['state']);
  const metadata = readMetadata(row['metadata']);
  if (!row['id'] || !row['source'] || startedAtMs === null || !(durationSec >= 0 && durationSec < Infinity) || state === null || metadata === null) return null;
  const endedAtMs = startedAtMs + Math.round(durationSec * 1_000);
  return { id: row['id'], source: row['source'], title: row['title'] || row['id'], startedAtMs, endedAtMs, state, metadata };
}

function readState(text: string | undefined): Exclude<ReportedState, 'queued' | 'running'> | null {
  // Recordings without an outcome are of things that came through.
  if (text === undefined || text === '') return 'passed';
  return text === 'passed' || text === 'failed' || text === 'canceled' ? text : null;
}

function readStage(row: Row): RecordedStage | null {
  const startedAtMs = readInstant(row['started_at']);
  const completedAtMs = row['completed_at'] === '' ? null : readInstant(row['completed_at']);
  if (!row['stage'] || startedAtMs === null || (completedAtMs === null && row['completed_at'] !== '')) return null;
  if (completedAtMs !== null && completedAtMs < startedAtMs) return null;
  const seq = row['seq'] === undefined || row['seq'] === '' ? null : Number(row['seq']);
  if (seq !== null && !(Number.isInteger(seq) && seq >= 0)) return null;
  const state = readStageState(row['state']);
  return state === null ? null : { name: row['stage'], seq, startedAtMs, completedAtMs, state };
}

function readStageState(text: string | undefined): RecordedStage['state'] | null {
  switch (text) {
    case undefined: case '': case 'passed': return 'passed';
    case 'failed': return 'failed';
    // A stage has no outcome `canceled`: it ran and did not come through.
    case 'canceled': return 'failed';
    case 'skipped': return 'skipped';
    default: return null;
  }
}

function readProgress(row: Row): RecordedProgress | null {
  const atMs = readInstant(row['time']);
  if (atMs === null || !row['event']) return null;
  return { atMs, event: row['event'], epoch: row['epoch'] ?? '', value: row['value'] ?? '' };
}

function readInstant(text: string | undefined): number | null {
  const atMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(atMs) ? null : atMs;
}

/** Metadata of a row: JSON, values as text, nulls left out; null where it is no JSON object. */
export function readMetadata(text: string | undefined): Record<string, string> | null {
  if (text === undefined || text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null).map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]));
  } catch {
    return null;
  }
}
