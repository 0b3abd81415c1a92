import { attachMarks, type Mark } from '../../journey/attach.ts';
import type { Place } from '../../journey/geodesy.ts';
import { lineOf, refuseFile, type FileRefusal, type RouteFile } from '../../journey/route-file.ts';
import { child, descendants, parseXml, type Element } from './xml.ts';

/**
 * Reads a GPX route: its first `rte`, else the points of all its tracks, with `wpt`s as waypoints (named route points are waypoints too). Times
 * of a route are planned times; those of a track say when somebody else was there, and are no plan. Never throws.
 */
export function routeOfGpx(routeId: string, text: string): RouteFile {
  const parsed = parseXml(text);
  if ('refusal' in parsed) return parsed;
  if (parsed.root.name !== 'gpx') return refuseFile(1, `The root is <${parsed.root.name}>, not <gpx>`);
  const [route] = descendants(parsed.root, 'rte');
  const points = readAll(text, route === undefined ? descendants(parsed.root, 'trkpt') : descendants(route, 'rtept'));
  if (!Array.isArray(points)) return { refusal: points };
  const waypoints = readAll(text, descendants(parsed.root, 'wpt'));
  if (!Array.isArray(waypoints)) return { refusal: waypoints };
  if (points.length < 2) return refuseFile(1, 'There is no route or track of two points or more');
  const planned = route === undefined ? [] : points.filter(({ name, plannedAtMs }) => name !== '' || plannedAtMs !== null);
  const marks = [...planned, ...waypoints].map((mark, i): Mark => ({ ...mark, name: mark.name || `waypoint ${i}` }));
  const line: Place[] = points.map(({ lat, lon }) => ({ lat, lon }));
  const name = (route === undefined ? undefined : child(route, 'name')?.text) ?? descendants(parsed.root, 'name')[0]?.text;
  return { route: { route_id: routeId, name: name || routeId, ...attachMarks(line, marks), active: true } };
}

function readAll(text: string, elements: readonly Element[]): Mark[] | FileRefusal {
  const marks: Mark[] = [];
  for (const element of elements) {
    const { lat: latText = '', lon: lonText = '' } = element.attributes;
    const [lat, lon] = [Number(latText), Number(lonText)];
    if (latText === '' || lonText === '' || !(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180)) {
      return { line: lineOf(text, latText === '' ? `<${element.name}` : `"${latText}"`), reason: `A point needs lat in -90..90 and lon in -180..180, got "${latText}", "${lonText}"` };
    }
    const time = child(element, 'time')?.text;
    const atMs = time === undefined ? null : instantOf(time);
    if (atMs !== null && Number.isNaN(atMs)) return { line: lineOf(text, time!), reason: `A time is ISO 8601, got ${time}` };
    marks.push({ lat, lon, name: child(element, 'name')?.text ?? '', plannedAtMs: atMs });
  }
  return marks;
}

/** GPX times are UTC; those without a zone too. NaN = none. */
function instantOf(time: string): number {
  return Date.parse(/(?:Z|[+-]\d{2}:?\d{2})$/.test(time) ? time : `${time}Z`);
}
