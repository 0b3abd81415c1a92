import { reject, type Rejection } from '../errors.ts';
import { routeOfJson } from '../journey/route-json.ts';
import { isRefused, routeOf, type Route, type RouteRecord } from '../journey/route.ts';
import type { Codec } from '../ports/codec.ts';
import type { LogRecord } from '../ports/record-log.ts';

/** A route as it was stored, and ready to be driven. */
export type ReadRoute = { readonly record: RouteRecord; readonly route: Route };

/**
 * A record of the topic routes that is no tombstone as a route, or why it holds none: `key_mismatch`, `route_invalid`, and the
 * codes of the codec. Never throws. O(points), some 0.1 ms for 1,000 of them to decode alone.
 */
export function readRoute(codec: Codec, { key, value }: { readonly key: LogRecord['key']; readonly value: Buffer }): ReadRoute | Rejection {
  const routeId = key?.toString('utf8') ?? '';
  const record = decoded(codec, routeId, value);
  if ('code' in record) return record;
  const route = routeOf(record);
  if (record.route_id !== routeId) return reject('key_mismatch', `The route is called ${JSON.stringify(record.route_id.slice(0, 80))} under the key ${JSON.stringify(routeId.slice(0, 80))}`);
  return isRefused(route) ? route : { record, route };
}

function decoded(codec: Codec, routeId: string, value: Buffer): RouteRecord | Rejection {
  const result = codec.decode('routes', value);
  if ('error' in result) return result.error;
  if (!result.raw) return result.decoded.value as RouteRecord;
  // JSON of a producer: its types are not yet checked.
  const file = routeOfJson(routeId, value.toString('utf8'));
  return 'refusal' in file ? reject('route_invalid', `Line ${file.refusal.line}: ${file.refusal.reason}`) : file.route;
}
