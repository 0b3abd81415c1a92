import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRouteFile } from '../../../../src/adapters/route-files/read-route-file.ts';
import type { RouteRecord } from '../../../../src/journey/route.ts';

const accepted = (text: string): RouteRecord => {
  const file = readRouteFile('r', text);
  if ('refusal' in file) throw new Error(`${file.refusal.line}: ${file.refusal.reason}`);
  return file.route;
};
const refused = (text: string) => {
  const file = readRouteFile('r', text);
  return 'refusal' in file ? file.refusal : null;
};
const named = ({ points }: RouteRecord) => points.filter(({ name }) => name !== null).map(({ name, planned_at }) => [name, planned_at === null ? null : new Date(planned_at).toISOString()]);

const kml = (body: string) => `<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>PHNL-KADW</name>\n${body}\n</Document></kml>`;
const line = (coordinates: string, colour = '') => `<Placemark>${colour === '' ? '' : `<Style><LineStyle><color>${colour}</color></LineStyle></Style>`}<LineString><coordinates>\n${coordinates}\n</coordinates></LineString></Placemark>`;
const mark = (name: string, at: string, description = '') => `<Placemark><name>${name}</name><description><![CDATA[${description}]]></description><Point><coordinates>${at}</coordinates></Point></Placemark>`;

describe('KML', () => {
  it('has its waypoints on its line, with their times in UTC', () => {
    const route = accepted(kml([
      line('-122,37,0 -122,37.5,0 -122,38,0'), mark('START &amp; GO', '-122.0001,37.0001,0', 'START\n Time Over Waypoint: 2025-10-27 16:51:13Z'), mark('MID', '-122.001,37.2,0', 'Time Over Waypoint: 2025-10-27 17:10:00Z'),
      mark('END', '-122,38,0', 'no time'), mark('AWAY', '-122.02,37.3,0', 'Time Over Waypoint: 2025-10-27 17:00:00Z'),
    ].join('\n')));
    expect(route.name).toBe('PHNL-KADW');
    expect(named(route)).toEqual([['START & GO', '2025-10-27T16:51:13.000Z'], ['MID', '2025-10-27T17:10:00.000Z'], ['END', null]]);
    expect(route.points).toHaveLength(4);
    // 1.8 km beside the line.
    expect(route.pois.map(({ name }) => name)).toEqual(['AWAY']);
  });

  it('chains its lines end to end, turns those that lie the other way, and leaves the alternates', () => {
    const route = accepted(kml([line('2,10 3,10', 'ffddad05'), line('4,10 3,10', 'FFDDAD05'), line('9,9 8,8', 'ff0000ff')].join('')));
    expect(route.points.map(({ lon }) => lon)).toEqual([2, 3, 4]);
  });

  it('takes the colour of a shared style', () => {
    const shared = '<Style id="main"><LineStyle><color>ffddad05</color></LineStyle></Style><StyleMap id="map"><Pair><key>normal</key><styleUrl>#main</styleUrl></Pair></StyleMap>';
    const route = accepted(kml(`${shared}<Placemark><styleUrl>#map</styleUrl><LineString><coordinates>1,1 2,2</coordinates></LineString></Placemark>${line('9,9 8,8')}`));
    expect(route.points.map(({ lon }) => lon)).toEqual([1, 2]);
  });

  it('without a line goes from point to point', () => {
    expect(named(accepted(kml(mark('A', '179,1') + mark('B', '-179,1'))))).toEqual([['A', null], ['B', null]]);
  });

  it.each([
    ['coordinates that are none', kml(line('-122,37 -122,x')), 4, 'Coordinates'], ['lat 91', kml(line('-122,37\n-122,91')), 5, 'Coordinates'], ['an element left open', kml('<Placemark>'), 4, 'well-formed'],
    ['nothing to drive', kml(mark('A', '1,1')), 1, 'neither'], ['another root', '<svg></svg>', 1, '<svg>'], ['entities', `<!DOCTYPE kml [\n<!ENTITY a "aaaa">]>\n${kml(line('1,1 2,2')).slice(39)}`, 1, 'document type'],
  ])('refuses %s with its line', (_, text, at, reason) => {
    expect(refused(text)).toEqual({ line: at, reason: expect.stringContaining(reason) });
  });
});

describe('GPX', () => {
  it('is its route, with names and planned times', () => {
    const route = accepted(`<gpx version="1.1"><rte><name>Ferry</name>
      <rtept lat="60" lon="24"><name>Helsinki</name><time>2025-06-01T08:00:00Z</time></rtept><rtept lat="59.8" lon="24.4"/>
      <rtept lat="59.4" lon="24.7"><name>Tallinn</name><time>2025-06-01T10:00:00</time></rtept></rte></gpx>`);
    expect(route.name).toBe('Ferry');
    expect(named(route)).toEqual([['Helsinki', '2025-06-01T08:00:00.000Z'], ['Tallinn', '2025-06-01T10:00:00.000Z']]);
    expect(route.points).toHaveLength(3);
  });

  it('is its track, whose times are no plan, with its waypoints', () => {
    const route = accepted('<gpx><wpt lat="60.1" lon="24"><name>W</name></wpt><trk><trkseg><trkpt lat="60" lon="24"><time>2020-01-01T00:00:00Z</time></trkpt></trkseg><trkseg><trkpt lat="60.2" lon="24"/></trkseg></trk></gpx>');
    expect(named(route)).toEqual([['W', null]]);
    expect(route.points.map(({ lat }) => lat.toFixed(3))).toEqual(['60.000', '60.100', '60.200']);
  });

  it.each([['a point without lat', '<gpx><rte>\n<rtept lon="1"/></rte></gpx>', 2], ['lat 91', '<gpx>\n<rte>\n<rtept lat="91" lon="1"/></rte></gpx>', 3], ['a time that is none', '<gpx><rte><rtept lat="1" lon="1"/>\n<rtept lat="1" lon="2"><time>noon</time></rtept></rte></gpx>', 2], ['no points', '<gpx/>', 1]])('refuses %s', (_, text, at) => {
    expect(refused(text)?.line).toBe(at);
  });
});

describe('GeoJSON and JSON', () => {
  it('is a LineString with Points', () => {
    const route = accepted(JSON.stringify({ type: 'FeatureCollection', features: [
      { type: 'Feature', properties: { name: 'Line 1' }, geometry: { type: 'LineString', coordinates: [[179.9, 1], [-179.9, 1]] } },
      { type: 'Feature', properties: { name: 'Date line', planned_at: '2025-01-01T00:00:00+01:00' }, geometry: { type: 'Point', coordinates: [180, 1] } },
    ] }));
    expect(route.name).toBe('Line 1');
    expect(named(route)).toEqual([['Date line', '2024-12-31T23:00:00.000Z']]);
    expect(accepted('{"type":"LineString","coordinates":[[1,2],[3,4,100]]}').points).toHaveLength(2);
  });

  it('is a Route as on the topic', () => {
    const route = accepted('{"route_id":"own","name":"n","points":[{"lat":1,"lon":2,"name":"A","planned_at":1000,"dwell_sec":5},{"lat":1,"lon":3}],"pois":[{"id":"p","lat":1,"lon":2.5,"radius_m":50}],"active":false}');
    expect(route).toMatchObject({ route_id: 'own', active: false, points: [{ name: 'A', planned_at: 1000, dwell_sec: 5 }, { name: null }], pois: [{ id: 'p', name: 'p', radius_m: 50 }] });
  });

  it.each([
    ['broken JSON', '{\n"points": [\n,]}', 'No JSON'], ['a list', '[]', 'object'], ['lat and lon the wrong way round', '{"type":"LineString","coordinates":[[1,2],\n[3,120.5]]}', 'lon, lat'],
    ['a time without a zone', '{"points":[{"lat":1,"lon":1},{"lat":1,"lon":2,\n"planned_at":"2025-01-01T00:00:00"}]}', 'zone'], ['one point', '{"points":[{"lat":1,"lon":1}]}', 'two points'], ['a polygon', '{"type":"Polygon","coordinates":[]}', 'LineString'],
    ['a latitude of text', '{"points":[{"lat":"1","lon":1},{"lat":1,"lon":2}]}', 'lat in'],
  ])('refuses %s', (_, text, reason) => {
    const refusal = refused(text);
    expect(refusal?.reason).toContain(reason);
    expect(refusal?.line).toBeGreaterThanOrEqual(1);
  });
});

describe('readRouteFile()', () => {
  it('answers whatever it is given, and with a line of it', () => {
    const samples = [kml(line('-122,37 -122,38') + mark('A', '-122,37.5', 'Time Over Waypoint: 2025-10-27 16:51:13Z')), '<gpx><rte><rtept lat="1" lon="1"/><rtept lat="1" lon="2"/></rte></gpx>', '{"points":[{"lat":1,"lon":1},{"lat":1,"lon":2}]}'];
    fc.assert(fc.property(fc.constantFrom(...samples), fc.array(fc.tuple(fc.nat(), fc.string({ maxLength: 4 })), { maxLength: 4 }), (text, edits) => {
      let broken = text;
      for (const [at, part] of edits) broken = broken.slice(0, at % broken.length) + part + broken.slice((at % broken.length) + 1);
      const file = readRouteFile('r', broken);
      if ('refusal' in file) {
        expect(file.refusal.reason).not.toBe('');
        expect(file.refusal.line).toBeLessThanOrEqual(broken.split('\n').length + 1);
      } else expect(file.route.points.length).toBeGreaterThan(1);
    }), { numRuns: 300 });
  });

  it('reads a file with a byte order mark', () => {
    expect(accepted('\uFEFF{"points":[{"lat":1,"lon":1},{"lat":1,"lon":2}]}').points).toHaveLength(2);
  });
});
