import { Type } from 'typebox';
import { normalizeTelemetry } from '../../journey/telemetry.ts';
import { partitionOf } from '../../race/partition.ts';
import type { App } from '../app.ts';
import { appendLines, BatchBody, leaveLinesUnread, type BatchResult, type TakenLine } from '../append-lines.ts';
import { createAppender } from '../appender.ts';
import type { GatewayContext } from '../context.ts';
import { failures } from '../schemas.ts';

/** POST /v1/telemetry: positions of vehicles, one JSON a line. A position that is sent again changes nothing. */
export function telemetryRoutes(app: App, context: GatewayContext): void {
  // A position lies on the partition of its race: telemetry has as many as race-updates.
  const telemetry = createAppender(context.log, 'telemetry', context.partitions);
  app.addHook('onClose', () => telemetry.drain());

  const take = (value: unknown): TakenLine => {
    const result = normalizeTelemetry(value, context.clock.nowMs());
    if ('rejection' in result) return result.rejection;
    const { race_id: raceId } = result.point;
    return { partition: partitionOf(raceId, context.partitions), record: { key: Buffer.from(raceId), value: context.codec.encode('telemetry', result.point) } };
  };

  leaveLinesUnread(app);
  app.post('/v1/telemetry', {
    schema: {
      tags: ['v1'],
      summary: 'Append positions of vehicles, one JSON a line (application/x-ndjson, at most 5 MB): {"race_id", "at", "lat", "lon"} and what else is known',
      consumes: ['application/x-ndjson'],
      body: Type.String({ description: 'TelemetryPoints (schemas/avro/telemetry-point.avsc) as JSON, one a line; at is epoch ms or ISO 8601 with an offset' }),
      response: { 200: BatchBody, ...failures },
    },
  }, async (request): Promise<BatchResult> => await appendLines(request, telemetry, take));
}
