import { routeOf, isRefused } from '../../journey/route.ts';
import { refuseFile, type RouteFile } from '../../journey/route-file.ts';
import { routeOfJson } from '../../journey/route-json.ts';
import { routeOfGpx } from './gpx.ts';
import { routeOfKml } from './kml.ts';

/**
 * Reads a route file by what it holds: KML, GPX, GeoJSON or the JSON of a Route. What is no route that can be driven is refused with a line
 * and a reason; `routeId` names the route where the file does not. Never throws.
 */
export function readRouteFile(routeId: string, text: string): RouteFile {
  const plain = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const read = readerOf(plain)(routeId, plain);
  if ('refusal' in read) return read;
  const route = routeOf(read.route);
  return isRefused(route) ? refuseFile(1, route.message) : read;
}

function readerOf(text: string): (routeId: string, text: string) => RouteFile {
  if (!text.trimStart().startsWith('<')) return routeOfJson;
  return /<(?:\w+:)?gpx[\s>]/.test(text) ? routeOfGpx : routeOfKml;
}
