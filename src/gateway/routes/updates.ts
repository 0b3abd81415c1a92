import { Type } from 'typebox';
import { reject } from '../../errors.ts';
import { isEvent, readEvent } from '../../race/cdevents.ts';
import { normalizeUpdate } from '../../race/normalize.ts';
import { partitionOf } from '../../race/partition.ts';
import type { App } from '../app.ts';
import { appendLines, BatchBody, leaveLinesUnread, type BatchResult, type TakenLine } from '../append-lines.ts';
import type { GatewayContext } from '../context.ts';
import { failures } from '../schemas.ts';
import { forgetRecord, updateRecord } from '../submit.ts';

/**
 * POST /v1/updates: RaceUpdates, or CloudEvents and CDEvents as on race-updates, one JSON a line. A batch that broke off may be sent
 * again whole: what is repeated changes nothing.
 */
export function updateRoutes(app: App, context: GatewayContext): void {
  leaveLinesUnread(app);
  app.post('/v1/updates', {
    schema: {
      tags: ['v1'],
      summary: 'Append many RaceUpdates, one JSON a line (application/x-ndjson, at most 5 MB); {"race_id": ..., "forget": true} forgets a race',
      consumes: ['application/x-ndjson'],
      body: Type.String({ description: 'RaceUpdates (schemas/avro/race-update.avsc) as JSON, one a line' }),
      response: { 200: BatchBody, ...failures },
    },
  }, async (request): Promise<BatchResult> => await appendLines(request, context.updates, (value) => takeUpdate(context, value)));
}

function takeUpdate(context: GatewayContext, value: unknown): TakenLine {
  try {
    if (isForget(value)) {
      const { race_id: raceId } = value;
      if (raceId === '' || raceId.length > 200) return reject('id_invalid', `race_id must have 1..200 characters, got ${raceId.length}`);
      return { partition: partitionOf(raceId, context.partitions), record: forgetRecord(raceId) };
    }
    const told = isObject(value) && isEvent(value) ? readEvent(value) : { update: value };
    if ('rejection' in told) return told.rejection;
    const result = normalizeUpdate(told.update, context.clock.nowMs());
    if ('rejection' in result) return result.rejection;
    if (result.update.position !== null) return reject('position_invalid', 'position is told by the role journeys alone: send positions to /v1/telemetry');
    return { partition: partitionOf(result.update.race_id, context.partitions), record: updateRecord(context, result.update) };
  } catch (error) {
    // Event data nested beyond the stack cannot be written as JSON again.
    if (error instanceof RangeError) return reject('event_too_large', 'The line is nested too deeply');
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isForget(value: unknown): value is { race_id: string; forget: true } {
  return typeof value === 'object' && value !== null && 'forget' in value && value.forget === true && 'race_id' in value && typeof value.race_id === 'string';
}
