// State and CPU of what is learned of one source, taught with ever new titles or ever new values of a key. Needs --expose-gc.
import { forecastRace } from '../../../src/forecast/forecast.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, encodeModel } from '../../../src/forecast/model.ts';
import { finishedOf, finishedStageOf, raceOf, stageOf } from '../../unit/forecast/race-builder.ts';
import { childOptions, tellParent } from '../child.ts';

export type ModelProcessOptions = {
  /** `titles`: each race one of so many titles, in turn; `values`: each race a value of its own of one key. */
  readonly kind: 'titles' | 'values';
  readonly races: number;
  readonly titles: number;
};
export type ModelFigures = {
  /** Heap and buffers of the model, and its snapshot, bytes; at a fifth of the races, and at the end. */
  readonly early: { readonly heap: number; readonly encoded: number };
  readonly end: { readonly heap: number; readonly encoded: number };
  /** CPU of teaching one race, µs. */
  readonly learnUs: number;
  /** CPU of a forecast at submission, and half-way with one stage done, µs, median. */
  readonly submissionUs: number;
  readonly lifeUs: number;
};

const { kind, races, titles } = childOptions<ModelProcessOptions>();
const FORECASTS = 1_000;
const BATCHES = 9;
const SPACING_MS = 30_000;
const model = createSourceModel('fleet/one');

function raceAt(index: number) {
  const title = `job ${String.fromCharCode(97 + (index % 23))}${index % titles}x`;
  const sec = 40 + ((index * 7_919) % 200) + 10 * (index % 7);
  const startedAt = 1_700_000_000_000 + index * SPACING_MS;
  const metadata: Record<string, string> = { branch: `b${index % 9}`, runner: `r${index % 5}`, user: kind === 'values' ? `u${index}` : `u${index % 50}` };
  return finishedOf(sec, {
    race_id: `r${index}`, origin: { epoch: 0, partition: 0, offset: index, index: 0 }, source: 'fleet/one', title, started_at: startedAt, completed_at: startedAt + sec * 1_000, submitted_at: startedAt, metadata,
    stages: [finishedStageOf('compile', startedAt, startedAt + 400 * sec), finishedStageOf('test', startedAt + 400 * sec, startedAt + 900 * sec)],
  });
}

function stateBytes(): number {
  for (let i = 0; i < 2; i++) globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const before = stateBytes();
const measure = (): ModelFigures['end'] => {
  const heap = stateBytes() - before;
  return { heap, encoded: encodeModel(model).length };
};
const cpuBefore = process.threadCpuUsage();
let early = { heap: 0, encoded: 0 };
let measuredUs = 0;
for (let index = 0; index < races; index++) {
  learn(model, { kind: 'FinishedRace', value: raceAt(index) });
  if (index + 1 !== Math.floor(races / 5)) continue;
  const from = process.threadCpuUsage();
  early = measure();
  const { user, system } = process.threadCpuUsage(from);
  measuredUs = user + system;
}
const { user, system } = process.threadCpuUsage(cpuBefore);
const end = measure();

/** CPU of a forecast of one of so many new races, µs: the median of batches, since CPU time is told in ticks. */
function forecastUs(elapsedShare: number): number {
  const batches = Array.from({ length: BATCHES }, (_, batch) => {
    const asked = Array.from({ length: FORECASTS }, (_, i) => raceInLife(races + batch * FORECASTS + i, elapsedShare));
    const from = process.threadCpuUsage();
    for (const { race, nowMs } of asked) forecastRace(model, race, nowMs);
    const { user: userUs, system: systemUs } = process.threadCpuUsage(from);
    return (userUs + systemUs) / FORECASTS;
  });
  return batches.sort((a, b) => a - b)[Math.floor(BATCHES / 2)]!;
}

function raceInLife(index: number, elapsedShare: number) {
  const { title, metadata, started_at: startedAt, duration_sec: sec } = raceAt(index);
  const nowMs = Math.round(startedAt + 1_000 * sec * elapsedShare);
  const race = raceOf({
    source: 'fleet/one', title, started_at: startedAt, first_at: startedAt, last_at: nowMs, metadata: Object.entries(metadata).map(([key, value]) => ({ key, value, at: startedAt })),
    stages: elapsedShare < 0.4 ? [] : [stageOf('compile', startedAt, startedAt + 400 * sec), stageOf('test', startedAt + 400 * sec, null)],
  });
  return { race, nowMs };
}

tellParent({ early, end, learnUs: (user + system - measuredUs) / races, submissionUs: forecastUs(0), lifeUs: forecastUs(0.5) } satisfies ModelFigures);
process.once('disconnect', () => process.exit(0));
