import { randomUUID } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { RecordLog } from '../ports/record-log.ts';
import { partitionOf } from '../race/partition.ts';

/** A record of rebuild-requests (schemas/avro/rebuild-request.avsc). */
export type RebuildRequest = {
  /** `*` = all sources with enough races. */
  source: string;
  request_id: string;
  at: number;
  trigger: string;
  requested_by: string | null;
  detail: string | null;
  action: 'rebuild' | 'enable_all' | 'reset' | 'promote' | 'rollback' | 'other';
  share: number | null;
};

/** Appends a request to rebuild-requests, on the partition of its source; returns its id. */
export async function sendRebuildRequest({ log, codec, clock }: { readonly log: RecordLog; readonly codec: Codec; readonly clock: Clock }, of: Omit<RebuildRequest, 'request_id' | 'at'>): Promise<string> {
  const request: RebuildRequest = { ...of, request_id: randomUUID(), at: clock.nowMs() };
  const partitions = await log.partitionCount('rebuild-requests');
  await log.append('rebuild-requests', partitionOf(of.source, partitions), [{ key: Buffer.from(of.source), value: codec.encode('rebuild-requests', request) }]);
  return request.request_id;
}
