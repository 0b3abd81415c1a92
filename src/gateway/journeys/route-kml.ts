import type { RouteRecord } from '../../journey/route.ts';

/** A route as KML: its line, and its waypoints and points of interest as Points, with "Time Over Waypoint" in UTC, to the second. */
export function kmlOf({ name, points, pois }: RouteRecord): string {
  const place = ({ lat, lon }: { readonly lat: number; readonly lon: number }): string => `${lon},${lat},0`;
  const waypoints = points.flatMap((point, i) => {
    const isEnd = i === 0 || i === points.length - 1;
    if (point.name === null && point.planned_at === null && !isEnd) return [];
    const time = point.planned_at === null ? '' : `<description>Time Over Waypoint: ${new Date(point.planned_at).toISOString().slice(0, 19).replace('T', ' ')}Z</description>`;
    return [`<Placemark>${point.name === null ? '' : `<name>${escaped(point.name)}</name>`}${time}<Point><coordinates>${place(point)}</coordinates></Point></Placemark>`];
  });
  const marks = pois.map((poi) => `<Placemark><name>${escaped(poi.name)}</name><Point><coordinates>${place(poi)}</coordinates></Point></Placemark>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>', '<kml xmlns="http://www.opengis.net/kml/2.2">', '<Document>', `<name>${escaped(name)}</name>`,
    `<Placemark><name>${escaped(name)}</name><LineString><coordinates>${points.map(place).join(' ')}</coordinates></LineString></Placemark>`,
    ...waypoints, ...marks, '</Document>', '</kml>', '',
  ].join('\n');
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Characters that XML has no way to write are left out. */
function escaped(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').replace(/[&<>]/g, (character) => entities[character]!);
}
