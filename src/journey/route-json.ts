import { attachMarks, type Mark } from './attach.ts';
import type { Place } from './geodesy.ts';
import type { PointOfInterest, RoutePoint, RouteRecord } from './route.ts';
import { lineOf, refuseFile, type RouteFile } from './route-file.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a route of JSON: a GeoJSON LineString (alone, as a Feature, or in a FeatureCollection beside Points with `name` and `planned_at`), or
 * a Route as it stands on the topic (points with lat and lon). Planned times are epoch ms or ISO 8601 with a zone. Never throws.
 */
export function routeOfJson(routeId: string, text: string): RouteFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const at = /position (\d+)/.exec(reason);
    return refuseFile(at === null ? 1 : text.slice(0, Number(at[1])).split('\n').length, `No JSON: ${reason}`);
  }
  if (!isFields(value)) return refuseFile(1, 'A route is a JSON object');
  const failure: Failure = { part: '', reason: '' };
  const route = 'points' in value ? routeOfPoints(routeId, value, failure) : routeOfGeoJson(routeId, value, failure);
  return route === null ? refuseFile(lineOf(text, failure.part), failure.reason) : { route };
}

/** Why a value was refused, and what of the text shows where. */
type Failure = { part: string; reason: string };

function fail(failure: Failure, part: string, reason: string): null {
  failure.part = part;
  failure.reason = reason;
  return null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** undefined = neither an instant nor absent. */
function instantOf(value: unknown): number | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  // Without a zone it would be read in that of this machine.
  if (typeof value !== 'string' || !/(?:Z|[+-]\d{2}:?\d{2})$/.test(value)) return undefined;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : atMs;
}

function routeOfPoints(routeId: string, value: Fields, failure: Failure): RouteRecord | null {
  const { points, pois = [] } = value;
  if (!Array.isArray(points) || !Array.isArray(pois)) return fail(failure, '"points"', 'points and pois are lists');
  const read: RoutePoint[] = [];
  for (const [i, point] of (points as unknown[]).entries()) {
    const planned = isFields(point) ? instantOf(point['planned_at']) : undefined;
    if (!isFields(point) || !isPlaceOf(point['lat'], point['lon'])) return fail(failure, partOf(point), `Point ${i} needs lat in -90..90 and lon in -180..180`);
    if (planned === undefined) return fail(failure, `"${String(point['planned_at'])}"`, `Point ${i}: planned_at is epoch ms or ISO 8601 with a zone`);
    const dwell = point['dwell_sec'] ?? null;
    if (dwell !== null && !(typeof dwell === 'number' && dwell >= 0)) return fail(failure, '"dwell_sec"', `Point ${i}: dwell_sec is a number of seconds`);
    read.push({ lat: point['lat'] as number, lon: point['lon'] as number, name: textOf(point['name']), planned_at: planned, dwell_sec: dwell });
  }
  const places: PointOfInterest[] = [];
  for (const [i, poi] of (pois as unknown[]).entries()) {
    if (!isFields(poi) || !isPlaceOf(poi['lat'], poi['lon'])) return fail(failure, partOf(poi), `Point of interest ${i} needs lat in -90..90 and lon in -180..180`);
    const name = textOf(poi['name']) ?? textOf(poi['id']) ?? `poi ${i}`;
    places.push({ id: textOf(poi['id']) ?? name, name, lat: poi['lat'] as number, lon: poi['lon'] as number, radius_m: typeof poi['radius_m'] === 'number' ? poi['radius_m'] : null, icon: textOf(poi['icon']), category: textOf(poi['category']), description: textOf(poi['description']) });
  }
  return { route_id: textOf(value['route_id']) ?? routeId, name: textOf(value['name']) ?? routeId, points: read, pois: places, active: value['active'] !== false };
}

function isPlaceOf(lat: unknown, lon: unknown): boolean {
  return typeof lat === 'number' && typeof lon === 'number' && Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
}

/** What of a refused point can be found in the text. */
function partOf(point: unknown): string {
  return isFields(point) ? String(point['lat'] ?? point['lon'] ?? '') : JSON.stringify(point).slice(0, 20);
}

function routeOfGeoJson(routeId: string, value: Fields, failure: Failure): RouteRecord | null {
  const features = value['type'] === 'FeatureCollection' && Array.isArray(value['features']) ? (value['features'] as unknown[]) : [value];
  const line: Place[] = [];
  const marks: Mark[] = [];
  let name = textOf(value['name']);
  for (const feature of features) {
    if (!isFields(feature)) return fail(failure, '"features"', 'A feature is an object');
    const geometry = feature['type'] === 'Feature' ? feature['geometry'] : feature;
    const properties = isFields(feature['properties']) ? feature['properties'] : {};
    if (!isFields(geometry)) continue;
    const { type, coordinates } = geometry;
    if (type === 'LineString' && Array.isArray(coordinates)) {
      for (const position of coordinates as unknown[]) {
        const place = placeOfPosition(position);
        if (place === null) return fail(failure, Array.isArray(position) ? String(position[0]) : '"coordinates"', `A position is [lon, lat] in -180..180, -90..90, got ${JSON.stringify(position)}`);
        line.push(place);
      }
      name ??= textOf(properties['name']);
    } else if (type === 'Point') {
      const place = placeOfPosition(coordinates);
      const plannedAtMs = instantOf(properties['planned_at']);
      if (place === null) return fail(failure, Array.isArray(coordinates) ? String(coordinates[0]) : '"Point"', `A position is [lon, lat] in -180..180, -90..90, got ${JSON.stringify(coordinates)}`);
      if (plannedAtMs === undefined) return fail(failure, String(properties['planned_at']), 'planned_at is epoch ms or ISO 8601 with a zone');
      marks.push({ ...place, name: textOf(properties['name']) ?? `waypoint ${marks.length}`, plannedAtMs });
    }
  }
  if (line.length < 2) return fail(failure, '"type"', 'There is no LineString of two positions or more');
  return { route_id: routeId, name: name ?? routeId, ...attachMarks(line, marks), active: true };
}

function placeOfPosition(position: unknown): Place | null {
  if (!Array.isArray(position) || !isPlaceOf(position[1], position[0])) return null;
  return { lat: position[1] as number, lon: position[0] as number };
}
