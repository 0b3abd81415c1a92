import type { Rejection } from '../errors.ts';
import type { NewRecord } from '../ports/record-log.ts';
import { FORGOTTEN_SOURCE } from '../race/forget-order.ts';
import { normalizeUpdate } from '../race/normalize.ts';
import { partitionOf } from '../race/partition.ts';
import type { RaceUpdate } from '../race/update.ts';
import type { GatewayContext } from './context.ts';

/** Checks updates of one race and appends them in one send. Rejects with `unavailable`; a bad update is a value. */
export async function submitUpdates(context: GatewayContext, raceId: string, raws: readonly unknown[]): Promise<{ readonly rejection: Rejection } | { readonly updates: readonly RaceUpdate[] }> {
  const updates: RaceUpdate[] = [];
  for (const raw of raws) {
    const result = normalizeUpdate(raw, context.clock.nowMs());
    if ('rejection' in result) return result;
    updates.push(result.update);
  }
  const partition = partitionOf(raceId, context.partitions);
  const offset = await context.updates.append(partition, updates.map((update) => updateRecord(context, update)));
  updates.forEach((update, i) => context.pending.add(raceId, partition, offset + i, update));
  return { updates };
}

/** Appends the order to forget a race; `sources` = those under which its history lies, besides the one it is live under. */
export async function submitForget(context: GatewayContext, raceId: string, sources: readonly string[] = []): Promise<void> {
  const partition = partitionOf(raceId, context.partitions);
  const headers = sources.map((source) => [FORGOTTEN_SOURCE, Buffer.from(source)] as const);
  const offset = await context.updates.append(partition, [{ ...forgetRecord(raceId), headers }]);
  context.pending.add(raceId, partition, offset, null);
}

export function updateRecord(context: Pick<GatewayContext, 'codec'>, update: RaceUpdate): NewRecord {
  return { key: Buffer.from(update.race_id), value: context.codec.encode('race-updates', update) };
}

export function forgetRecord(raceId: string): NewRecord {
  return { key: Buffer.from(raceId), value: null };
}
