import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../src/gateway/app.ts';
import { buildGateway } from '../../src/gateway/server.ts';
import { failureCodes, rejectionCodes } from '../../src/errors.ts';
import { gatewayDeps, openEngines, until, type Engines } from '../integration/gateway/harness.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { anyJson, anyUpdate } from './arbitrary-updates.ts';
import { FUZZ_TIMEOUT_MS, runsOf } from './runs.ts';

const errors: unknown[] = [];
let engines: Engines;
let gateway: { readonly app: App; close(): Promise<void> };
beforeAll(async () => {
  engines = await openEngines();
  gateway = await buildGateway(gatewayDeps(engines, { logger: { ...silentLogger, error: (details) => { errors.push(details); } } }));
  await until(async () => (await gateway.app.inject('/races')).statusCode === 200 && (await gateway.app.inject('/v1/routes')).statusCode === 200);
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

type Request = { readonly method: 'POST' | 'PATCH' | 'DELETE' | 'GET'; readonly url: string; readonly payload: string; readonly type: string };

const id = fc.constantFrom('r1', 'r2', 'r3', 'known', '%00', '..', '%2F', 'x'.repeat(300), '%ff', '__proto__');
const body = fc.oneof(
  { arbitrary: anyUpdate.map((update) => ({ ...update, id: update['race_id'] })), weight: 5 }, { arbitrary: anyJson, weight: 2 },
).map((value) => JSON.stringify(value) ?? '');
/** Now and then no JSON at all. */
const payload = fc.oneof({ arbitrary: body, weight: 6 }, { arbitrary: fc.string({ unit: 'binary', maxLength: 60 }), weight: 1 }, { arbitrary: fc.tuple(body, fc.nat()).map(([text, cut]) => text.slice(0, cut % (text.length + 1))), weight: 1 });
const json = fc.oneof({ arbitrary: fc.constant('application/json'), weight: 20 }, { arbitrary: fc.constantFrom('text/plain', 'application/json; charset=latin1', 'application/x-ndjson', 'x', ''), weight: 1 });

const position = fc.record({ race_id: fc.oneof(fc.constant('v1'), fc.anything()), at: fc.oneof(fc.constant(1_700_000_000_000), fc.jsonValue()), lat: fc.oneof(fc.double(), fc.jsonValue()), lon: fc.oneof(fc.double({ min: -180, max: 180 }), fc.jsonValue()), device: fc.jsonValue() }, { requiredKeys: [] }).map((value) => JSON.stringify(value));
const places = fc.array(fc.record({ lat: fc.oneof(fc.double({ min: -90, max: 90 }), fc.jsonValue()), lon: fc.oneof(fc.double({ min: -180, max: 180 }), fc.jsonValue()), name: fc.jsonValue(), planned_at: fc.jsonValue() }, { requiredKeys: [] }), { maxLength: 5 });
const coordinates = fc.array(fc.tuple(fc.double({ min: -180, max: 180 }), fc.double({ min: -91, max: 90 })), { maxLength: 5 });
/** Whole, or cut off anywhere. */
const routeFile = fc.tuple(fc.oneof(
  places.map((points) => JSON.stringify({ points, pois: points })),
  coordinates.map((line) => JSON.stringify({ type: 'LineString', coordinates: line })),
  coordinates.map((line) => `<kml><Style id="a"><LineStyle><color>f</color></LineStyle></Style><Placemark><styleUrl>#a</styleUrl><LineString><coordinates>${line.join(' ')}</coordinates></LineString></Placemark></kml>`),
  coordinates.map((line) => `<gpx><rte>${line.map(([lon, lat]) => `<rtept lat="${lat}" lon="${lon}"/>`).join('')}</rte></gpx>`),
), fc.option(fc.nat(), { freq: 2 })).map(([text, cut]) => (cut === null ? text : text.slice(0, cut % (text.length + 1))));

const request: fc.Arbitrary<Request> = fc.oneof(
  // An end without an estimate would wait for one; POST answers at once for a race that has ended.
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: fc.constant('/race'), payload: anyUpdate.map((update) => JSON.stringify({ ...update, id: update['race_id'], state: 'passed' })), type: json }), weight: 3 },
  { arbitrary: fc.record({ method: fc.constant('PATCH' as const), url: id.map((one) => `/race/${one}`), payload, type: json }), weight: 3 },
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: id.map((one) => `/race/${one}/event`), payload, type: json }), weight: 1 },
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: fc.constant('/v1/updates'), payload: fc.array(payload, { maxLength: 5 }).map((lines) => lines.join('\n')), type: fc.constantFrom('application/x-ndjson', 'application/json') }), weight: 3 },
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: fc.constant('/v1/telemetry'), payload: fc.array(position, { maxLength: 5 }).map((lines) => lines.join('\n')), type: fc.constant('application/x-ndjson') }), weight: 1 },
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: id.map((one) => `/v1/routes?route_id=${one}`), payload: routeFile, type: fc.constantFrom('application/json', 'application/xml') }), weight: 2 },
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: id.map((one) => `/v1/routes/${one}/pois`), payload, type: json }), weight: 1 },
  { arbitrary: fc.record({ method: fc.constant('POST' as const), url: fc.constantFrom('/v1/dead-letters/replay', '/v1/dead-letters/purge', '/adapter/register', '/adapter/health', '/v1/sql', '/clickhouse/?query=SELECT'), payload, type: json }), weight: 1 },
  { arbitrary: fc.record({ method: fc.constantFrom('GET' as const, 'DELETE' as const), url: fc.tuple(fc.constantFrom('/race/', '/v1/races/', '/v1/races?source=', '/races?state=', '/v1/dead-letters?since=', '/historic/races?cursor=', '/v1/sql?query='), fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text.toWellFormed()))).map((parts) => parts.join('')), payload: fc.constant(''), type: fc.constant('') }), weight: 1 },
);

test('no body, path or query makes the gateway fail', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const seen = new Map<number, number>();
  await gateway.app.inject({ method: 'POST', url: '/race', payload: { id: 'known', source: 'ci', title: 'known', state: 'passed', started_at: '2026-01-01T00:00:00Z' } });
  await fc.assert(fc.asyncProperty(request, async ({ method, url, payload: text, type }) => {
    const answer = await gateway.app.inject({ method, url, ...(method === 'GET' || method === 'DELETE' ? {} : { payload: text }), headers: type === '' ? {} : { 'content-type': type } });
    const status = answer.statusCode;
    seen.set(status, (seen.get(status) ?? 0) + 1);
    // 503: there is no ClickHouse here.
    expect(status < 500 || status === 503, `${method} ${url} ${text} gave ${status} ${answer.body}`).toBe(true);
    if (status >= 400 && !url.startsWith('/clickhouse')) {
      const { code } = answer.json<{ code: string }>();
      expect(Object.hasOwn(failureCodes, code) || Object.hasOwn(rejectionCodes, code), `${method} ${url} gave the code ${code}`).toBe(true);
    }
  }), { numRuns: runsOf(3_000) });
  expect(errors).toEqual([]);
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 404]));
});
