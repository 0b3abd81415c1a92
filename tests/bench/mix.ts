import type { NewRecord, RecordLog } from '../../src/ports/record-log.ts';
import { partitionOf } from '../../src/race/partition.ts';
import type { RaceUpdate } from '../../src/race/update.ts';
import { encodeLine } from '../../src/cli/update-target.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { RACE_PARTITIONS } from './bench.ts';

/** Updates that one race of the mix makes: a submission, five stage changes, thirteen progress reports, a finish. */
export const UPDATES_PER_RACE = 20;
const SPACING_MS = 100;
const DURATION_MS = 300_000;

/**
 * The standard mix in the order of event time: builds of five minutes, ten a second begin, so that three thousand run
 * at any time. The last of it happens now.
 */
export function standardMix(races: number, seed = 1): RaceUpdate[] {
  return fleetUpdates({ seed, races, startMs: Date.now() - races * SPACING_MS - 2 * DURATION_MS, spacingMs: SPACING_MS, durationMs: DURATION_MS });
}

/** As a producer without a registry writes it. */
export function jsonRecord(update: RaceUpdate): NewRecord {
  return { key: Buffer.from(update.race_id), value: Buffer.from(encodeLine(update)) };
}

/** Appends in order per partition, a thousand records a send, all partitions alongside. */
export async function appendAll(log: RecordLog, updates: readonly RaceUpdate[], toRecord: (update: RaceUpdate) => NewRecord = jsonRecord): Promise<void> {
  const waiting = Array.from({ length: RACE_PARTITIONS }, (): NewRecord[] => []);
  let sends: Promise<number>[] = [];
  for (const update of updates) {
    const partition = partitionOf(update.race_id, RACE_PARTITIONS);
    const records = waiting[partition]!;
    records.push(toRecord(update));
    if (records.length < 1_000) continue;
    sends.push(log.append('race-updates', partition, records));
    waiting[partition] = [];
    if (sends.length < RACE_PARTITIONS) continue;
    await Promise.all(sends);
    sends = [];
  }
  await Promise.all([...sends, ...waiting.flatMap((records, partition) => records.length > 0 ? [log.append('race-updates', partition, records)] : [])]);
}
