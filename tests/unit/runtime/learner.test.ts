import { afterEach, describe, expect, it } from 'vitest';
import { partitionCounts } from '../../../topology/topics.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { FinishedRace, HistoryRecord } from '../../../src/forecast/history-record.ts';
import { encodeModel } from '../../../src/forecast/model.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import { embeddedCodec } from '../../support/graph-driver.ts';
import { seededRandom } from '../../support/random.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { everyTopic } from '../../support/topics.ts';

const clock = { nowMs: () => 1_767_225_600_000 };
const codec = await embeddedCodec();
const PARTITIONS = partitionCounts.embedded.sources;

function race(index: number, random: () => number): FinishedRace {
  const startedAt = 1_767_225_600_000 + index * 1_000;
  const durationSec = Math.round(1_000 * (60 + 100 * random())) / 1_000;
  return {
    origin: { epoch: 0, partition: index % 4, offset: Math.floor(index / 4), index: 0 },
    race_id: `r${index}`, source: `ci/repo-${index % 7}`, title: `build ${index % 5}`, attempt: 1, first_offset: index, version: 1, outcome: index % 9 === 0 ? 'failed' : 'passed',
    queued_at: null, started_at: startedAt, completed_at: startedAt + durationSec * 1_000, duration_sec: durationSec, submitted_at: startedAt,
    metadata: { branch: 'main', commit: `c${index}` }, stages: [], progress_points: [], client_eta_sec: null, correction: false, checkpoints: [], revisions: 0,
  } as FinishedRace;
}

async function append(log: RecordLog, records: readonly HistoryRecord[]): Promise<void> {
  for (const { kind, value } of records) {
    await log.append('race-history', partitionOf(value.source, PARTITIONS), [{ key: Buffer.from(value.source), value: codec.encode('race-history', value, kind) }]);
  }
}

const open: Learner[] = [];
afterEach(async () => {
  for (const learner of open.splice(0)) await learner.close();
});

async function freshLog(): Promise<RecordLog> {
  const log = openLocalLog({ storage: memoryStorage() });
  await log.ensureTopics(everyTopic());
  return log;
}

async function learnerOn(log: RecordLog): Promise<Learner> {
  const learner = await runLearner({ log, codec, clock, logger: silentLogger });
  open.push(learner);
  await learner.caughtUp;
  return learner;
}

function bytesOf(learner: Learner): Record<string, string> {
  const models: Record<string, string> = {};
  for (const { models: held } of learner.partitions) for (const [source, model] of held) models[source] = Buffer.from(encodeModel(model)).toString('base64');
  return models;
}

const historyOf = (count: number, seed: number, from = 0): HistoryRecord[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, index): HistoryRecord => ({ kind: 'FinishedRace', value: race(from + index, random) }));
};

describe('learner', () => {
  it('holds byte-equal models on two instances that read the same history', async () => {
    const log = await freshLog();
    await append(log, historyOf(200, 1));
    const first = await learnerOn(log);
    await append(log, historyOf(200, 2, 200));
    const second = await learnerOn(log);
    await waitUntil('the first has folded all', () => first.partitions.reduce((sum, { offset }) => sum + offset, 0) === 400);
    expect(Object.keys(bytesOf(first))).toHaveLength(7);
    expect(bytesOf(second)).toEqual(bytesOf(first));
  });

  it('restores from snapshots and the rest to the same bytes as a straight fold', async () => {
    const log = await freshLog();
    await append(log, historyOf(150, 3));
    const writer = await learnerOn(log);
    for (let partition = 0; partition < PARTITIONS; partition++) writer.own(partition, PARTITIONS);
    await writer.writeSnapshots();
    await append(log, historyOf(30, 4, 150));
    await waitUntil('all is folded', () => writer.partitions.reduce((sum, { offset }) => sum + offset, 0) === 180);
    await writer.writeSnapshots();
    await append(log, historyOf(20, 5, 180));
    const restored = await learnerOn(log);
    expect(restored.partitions.some(({ offset }) => offset > 0)).toBe(true);
    await waitUntil('the writer has folded all', () => writer.partitions.reduce((sum, { offset }) => sum + offset, 0) === 200);
    expect(bytesOf(restored)).toEqual(bytesOf(writer));
  });

  it('teaches a record once however often it is sent', async () => {
    const log = await freshLog();
    const history = historyOf(50, 6);
    await append(log, history);
    const once = await learnerOn(log);
    const twice = await freshLog();
    await append(twice, [...history, ...history.slice(20), ...history]);
    expect(bytesOf(await learnerOn(twice))).toEqual(bytesOf(once));
  });

  it('falls back to the snapshot before when the newest is not whole', async () => {
    const log = await freshLog();
    await append(log, historyOf(60, 7));
    const writer = await learnerOn(log);
    for (let partition = 0; partition < PARTITIONS; partition++) writer.own(partition, PARTITIONS);
    await writer.writeSnapshots();
    // A crash in the middle of the next snapshot: one source's chunk is there, its manifest is not.
    const source = 'ci/repo-1';
    await log.append('model-snapshots', partitionOf(source, PARTITIONS), [{
      key: Buffer.from(`${source}/1/0`),
      value: codec.encode('model-snapshots', { source, slot: 1, chunk: 0, chunks: 2, partition: partitionOf(source, PARTITIONS), offset: 999, model_version: 'x', at: 0, format: 'json', bytes: Buffer.from('{') }),
    }]);
    expect(bytesOf(await learnerOn(log))).toEqual(bytesOf(writer));
  });
});
