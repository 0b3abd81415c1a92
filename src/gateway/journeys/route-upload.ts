import type { RouteFile } from '../../journey/route-file.ts';
import type { RouteRecord } from '../../journey/route.ts';
import { reject } from '../../errors.ts';
import { failure, rejectionFailure, type HttpFailure } from '../failures.ts';

/** The route in the bytes of a file; `routeId` names one that does not name itself. Throws the answer for a file that is none, with line and reason. */
export function routeInFile(bytes: unknown, routeId: string, read: (routeId: string, text: string) => RouteFile): RouteRecord {
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) throw failure('invalid_request', 'The body must be a route file');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refusedFile(1, 'The file is not UTF-8');
  }
  const file = read(routeId, text);
  if ('refusal' in file) throw refusedFile(file.refusal.line, file.refusal.reason);
  return file.route;
}

function refusedFile(line: number, reason: string): HttpFailure {
  const refused = rejectionFailure(reject('route_invalid', `Line ${line}: ${reason}`));
  refused.body['line'] = line;
  refused.body['reason'] = reason;
  return refused;
}
