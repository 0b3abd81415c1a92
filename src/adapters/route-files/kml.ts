import { attachMarks, type Mark } from '../../journey/attach.ts';
import { distanceM, type Place } from '../../journey/geodesy.ts';
import { lineOf, refuseFile, type FileRefusal, type RouteFile } from '../../journey/route-file.ts';
import { timeOverWaypoint } from '../../journey/time-over-waypoint.ts';
import { child, descendants, parseXml, type Element } from './xml.ts';

/** Lines of this colour are the route where a file has any; the others are its alternates. */
const MAIN_ROUTE_COLOUR = 'ffddad05';
/** Lines whose ends are so near follow each other; about 11 m. */
const SAME_END_M = 12;
const MOST_LINES = 1_000;

/**
 * Reads a KML route: its lines chained end to end (turned round where they need to be), its Points as waypoints, with "Time Over Waypoint"
 * in their description as planned times, in UTC. Points over 1 km from the line become points of interest. Never throws.
 */
export function routeOfKml(routeId: string, text: string): RouteFile {
  const parsed = parseXml(text);
  if ('refusal' in parsed) return parsed;
  if (parsed.root.name !== 'kml') return refuseFile(1, `The root is <${parsed.root.name}>, not <kml>`);
  const lines: { readonly colour: string | null; readonly places: readonly Place[] }[] = [];
  const marks: Mark[] = [];
  const styles = stylesOf(parsed.root);
  for (const placemark of descendants(parsed.root, 'Placemark')) {
    const colour = descendants(placemark, 'color')[0]?.text.toLowerCase() ?? styleColour(styles, child(placemark, 'styleUrl')?.text);
    for (const line of descendants(placemark, 'LineString')) {
      const places = placesOf(text, child(line, 'coordinates')?.text ?? '');
      if (!Array.isArray(places)) return { refusal: places };
      if (places.length > 1) lines.push({ colour, places });
    }
    for (const point of descendants(placemark, 'Point')) {
      const places = placesOf(text, child(point, 'coordinates')?.text ?? '');
      if (!Array.isArray(places)) return { refusal: places };
      const place = places[0];
      if (place === undefined) continue;
      const description = child(placemark, 'description')?.text ?? '';
      marks.push({ ...place, name: child(placemark, 'name')?.text || `waypoint ${marks.length}`, plannedAtMs: timeOverWaypoint(description) });
    }
  }
  const main = lines.some(({ colour }) => colour === MAIN_ROUTE_COLOUR) ? lines.filter(({ colour }) => colour === MAIN_ROUTE_COLOUR) : lines;
  if (main.length > MOST_LINES) return refuseFile(1, `The route is cut into ${main.length} lines, at most ${MOST_LINES} are put together`);
  // A plan without a line is flown from waypoint to waypoint.
  const line = main.length > 0 ? chained(main.map(({ places }) => places)) : marks;
  if (line.length < 2) return refuseFile(1, 'There is neither a LineString nor two Points');
  const name = descendants(parsed.root, 'name')[0]?.text || routeId;
  return { route: { route_id: routeId, name, ...attachMarks(line, marks), active: true } };
}

/** Styles by `#id`. */
function stylesOf(root: Element): ReadonlyMap<string, Element> {
  const styles = [...descendants(root, 'Style'), ...descendants(root, 'StyleMap')];
  return new Map(styles.map((style) => [`#${style.attributes['id'] ?? ''}`, style]));
}

/** The colour of lines of a style; a map of styles stands for its first one. */
function styleColour(styles: ReadonlyMap<string, Element>, url: string | undefined): string | null {
  let style = styles.get(url ?? '');
  // Once: maps of maps are none, and could go round.
  if (style?.name === 'StyleMap') style = styles.get(descendants(style, 'styleUrl')[0]?.text ?? '');
  const lineStyle = style === undefined ? undefined : child(style, 'LineStyle');
  return lineStyle === undefined ? null : (child(lineStyle, 'color')?.text.toLowerCase() ?? null);
}

function placesOf(text: string, coordinates: string): Place[] | FileRefusal {
  const places: Place[] = [];
  for (const tuple of coordinates.split(/\s+/)) {
    if (tuple === '') continue;
    const [lonText = '', latText = ''] = tuple.split(',');
    const [lon, lat] = [Number(lonText), Number(latText)];
    if (lonText === '' || latText === '' || !(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180)) return { line: lineOf(text, tuple), reason: `Coordinates are lon,lat in -180..180, -90..90, got ${tuple}` };
    places.push({ lat, lon });
  }
  return places;
}

/** Puts lines one after the other: each time the one that begins, or ends, where the last ended; else the next of the file. */
function chained(lines: readonly (readonly Place[])[]): Place[] {
  const left = [...lines];
  const chain = [...left.shift()!];
  while (left.length > 0) {
    const end = chain.at(-1)!;
    let index = left.findIndex((line) => distanceM(end, line[0]!) <= SAME_END_M);
    let next = left[index];
    if (next === undefined) {
      index = left.findIndex((line) => distanceM(end, line.at(-1)!) <= SAME_END_M);
      next = index < 0 ? left[(index = 0)]! : [...left[index]!].reverse();
    }
    left.splice(index, 1);
    chain.push(...(distanceM(end, next[0]!) <= SAME_END_M ? next.slice(1) : next));
  }
  return chain;
}
