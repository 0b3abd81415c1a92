import { Type } from 'typebox';
import { LONGEST_DESCRIPTION, LONGEST_NAME, type PointOfInterest } from '../../journey/route.ts';
import { refusalOfId } from '../../race/identity.ts';
import type { RouteStore, StoredRoute } from '../../runtime/route-store.ts';
import { failure, fieldFailure, rejectionFailure } from '../failures.ts';
import { knownRoute, type RouteEditor } from './route-editor.ts';
import { summaryOf } from './route-views.ts';

// Points of interest of routes: how they are read, found and changed, whichever API asks.

const MOST_RADIUS_M = 1e7;

const text = (maxLength: number, description: string) => Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], minLength: 1, maxLength, description }));
/** What a body may say of one besides its name and its place. */
export const poiFields = {
  radius_m: Type.Optional(Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: 0, maximum: MOST_RADIUS_M, description: 'How near counts as there' })),
  icon: text(LONGEST_NAME, 'What a map shows for it'), category: text(LONGEST_NAME, 'Any word'), description: text(LONGEST_DESCRIPTION, 'Any text'),
};

type Fields = Readonly<Record<string, unknown>>;

/** A point of interest as somebody sent it; `names` = what the API calls its place. Throws the answer for one that is none. */
export function readPoi(fields: Fields, id: unknown, names: { readonly lat: string; readonly lon: string } = { lat: 'lat', lon: 'lon' }): PointOfInterest {
  const refusedId = refusalOfId(id, 'id', 'id_missing', 'id_invalid');
  if (refusedId !== null) throw rejectionFailure(refusedId, { race_id: id });
  return {
    id: id as string, name: textIn(fields, 'name', LONGEST_NAME) ?? (id as string),
    lat: requiredIn(fields, names.lat, -90, 90), lon: requiredIn(fields, names.lon, -180, 180), radius_m: numberIn(fields, 'radius_m', 0, MOST_RADIUS_M),
    icon: textIn(fields, 'icon', LONGEST_NAME), category: textIn(fields, 'category', LONGEST_NAME), description: textIn(fields, 'description', LONGEST_DESCRIPTION),
  };
}

function textIn(fields: Fields, name: string, most: number): string | null {
  const value = fields[name] ?? null;
  if (value === null || (typeof value === 'string' && value !== '' && value.length <= most)) return value as string | null;
  throw fieldFailure(name, value, `text of 1..${most} characters`);
}

function requiredIn(fields: Fields, name: string, least: number, most: number): number {
  return numberIn(fields, name, least, most) ?? refuseNumber(name, fields[name], least, most);
}

function numberIn(fields: Fields, name: string, least: number, most: number): number | null {
  const value = fields[name] ?? null;
  if (value === null || (typeof value === 'number' && value >= least && value <= most)) return value as number | null;
  return refuseNumber(name, value, least, most);
}

function refuseNumber(name: string, value: unknown, least: number, most: number): never {
  throw fieldFailure(name, value, `a number in ${least}..${most}`);
}

export async function addPoi(editor: RouteEditor, routeId: string, poi: PointOfInterest): Promise<StoredRoute> {
  return await editor.change(routeId, (record) => {
    if (record.pois.some(({ id }) => id === poi.id)) throw failure('conflict', `The route has a point of interest ${JSON.stringify(poi.id)} already`, { id: poi.id });
    return { ...record, pois: [...record.pois, poi] };
  });
}

/** `edit` makes it of what was there; undefined = nothing was. */
export async function putPoi(editor: RouteEditor, routeId: string, poiId: string, edit: (known: PointOfInterest | undefined) => PointOfInterest): Promise<StoredRoute> {
  return await editor.change(routeId, (record) => {
    const at = record.pois.findIndex(({ id }) => id === poiId);
    const poi = edit(record.pois[at]);
    return { ...record, pois: at < 0 ? [...record.pois, poi] : record.pois.with(at, poi) };
  });
}

export async function removePoi(editor: RouteEditor, routeId: string, poiId: string): Promise<StoredRoute> {
  return await editor.change(routeId, (record) => {
    const pois = record.pois.filter(({ id }) => id !== poiId);
    if (pois.length === record.pois.length) throw poiNotFound(poiId);
    return { ...record, pois };
  });
}

export function poiNotFound(poiId: string) {
  return failure('not_found', `No point of interest has the id ${JSON.stringify(poiId.slice(0, 200))}`);
}

const idsOfRoutes = new WeakMap<StoredRoute, ReadonlySet<string>>();

/** Ids of the points of interest of a route. O(1) but for the first time: then O(points). */
function poiIdsOf(stored: StoredRoute): ReadonlySet<string> {
  let ids = idsOfRoutes.get(stored);
  if (ids === undefined) {
    ids = new Set(stored.read().record.pois.map(({ id }) => id));
    idsOfRoutes.set(stored, ids);
  }
  return ids;
}

/** What a waypoint is called where points of interest and waypoints are one list. */
export function waypointId(index: number): string {
  return `waypoint-${index}`;
}

function isWaypoint(stored: StoredRoute, poiId: string): boolean {
  const index = Number(/\d+$/.exec(poiId)?.[0]);
  return poiId === waypointId(index) && index < summaryOf(stored).waypoint_count && !poiIdsOf(stored).has(poiId);
}

/**
 * The route that the point of interest or waypoint of an id is on: the one named, else the only one that has it, or the only active
 * one of those. Throws the answer where there is none, and where there are more. O(routes).
 */
export function routeOfPoi(routes: RouteStore, poiId: string, routeId: string | undefined): StoredRoute {
  const among = routeId === undefined ? [...routes.all()] : [knownRoute(routes, routeId)];
  const having = among.filter((stored) => poiIdsOf(stored).has(poiId) || isWaypoint(stored, poiId));
  const active = having.filter((stored) => summaryOf(stored).active);
  const [found, other] = active.length > 0 ? active : having;
  if (found === undefined) throw poiNotFound(poiId);
  if (other !== undefined) throw failure('conflict', `Several routes have a point of interest ${JSON.stringify(poiId.slice(0, 200))}: say which by route_id`, { range: 'one of the routes that have it' });
  return found;
}

/** Throws the answer for the id of a waypoint: it is a part of its route. */
export function refuseWaypoint(stored: StoredRoute, poiId: string): void {
  if (isWaypoint(stored, poiId)) throw failure('conflict', `${poiId} is a waypoint of the route ${JSON.stringify(stored.routeId)}: store the route anew to change it`);
}
