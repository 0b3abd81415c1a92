import { expect, test } from 'vitest';
import { routeOfKml } from '../../../../src/adapters/route-files/kml.ts';
import { kmlOf } from '../../../../src/gateway/journeys/route-kml.ts';
import { pointOfInterest, type RouteRecord } from '../../../../src/journey/route.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const point = (lon: number, name: string | null, plannedAtMs: number | null) => ({ lat: 50, lon, name, planned_at: plannedAtMs, dwell_sec: null });

test('a route written as KML is read as it was, whatever it is called', () => {
  const record: RouteRecord = {
    route_id: 'r', name: 'A & <B> "C"', active: true, points: [point(8, 'first <stop>', T0), point(8.1, null, null), point(8.2, 'S&S', T0 + 60_000), point(8.3, 'last', null)],
    pois: [pointOfInterest('tower', 'tower', { lat: 50.1, lon: 8.1 })],
  };
  const read = routeOfKml('r', kmlOf(record));
  expect(read).toEqual({ route: record });
});

test('characters that XML cannot hold are left out', () => {
  const text = kmlOf({ route_id: 'r', name: 'bell\u0007\u0000', active: true, points: [point(8, 'a\u001bb', null), point(8.1, null, null)], pois: [] });
  expect(text).toContain('<name>bell</name>');
  expect(text).toContain('<name>ab</name>');
  expect('route' in routeOfKml('r', text)).toBe(true);
});
