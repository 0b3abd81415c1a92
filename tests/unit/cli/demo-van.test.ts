import { expect, test } from 'vitest';
import { demoVan, type VanMessage } from '../../../src/cli/demo-van.ts';
import { distanceM } from '../../../src/journey/geodesy.ts';
import { isRefused, routeOf } from '../../../src/journey/route.ts';

const startMs = 1_800_000_000_000;
const take = (count: number, seed = 1): VanMessage[] => demoVan({ seed, idPrefix: 'd', startMs }).take(count).toArray();

test('the made-up van goes its rounds, one journey after another, and is the same for the same seed', () => {
  const messages = take(3_000);
  expect(take(3_000)).toEqual(messages);
  expect(take(100, 2)).not.toEqual(messages.slice(0, 100));
  for (const [index, message] of messages.entries()) if (index > 0) expect(message.atMs).toBeGreaterThanOrEqual(messages[index - 1]!.atMs);
  const routes = messages.flatMap((message) => ('route' in message ? [message.route] : []));
  expect(routes.length).toBeGreaterThan(3);
  expect(messages.flatMap((message) => ('oldRouteId' in message ? [message.oldRouteId] : []))).toEqual(routes.slice(0, -2).map(({ route_id: id }) => id));
  for (const record of routes.slice(0, -1)) {
    const route = routeOf(record);
    if (isRefused(route)) throw new Error(route.message);
    expect(route.totalM).toBeGreaterThan(8_000);
    expect(route.waypoints).toHaveLength(9);
    const points = messages.flatMap((message) => ('point' in message && message.point.race_id === record.route_id ? [message.point] : []));
    const tookSec = (points.at(-1)!.at - points[0]!.at) / 1_000;
    expect(tookSec).toBeGreaterThan(900);
    expect(tookSec).toBeLessThan(2_400);
    expect(distanceM(points.at(-1)!, route.waypoints.at(-1)!.place)).toBeLessThan(50);
    expect(Math.max(...points.slice(1).map((point, index) => distanceM(point, points[index]!)))).toBeLessThan(80);
  }
});
