// The earth as a sphere: within 0.6 % of the ellipsoid, far below what a forecast of a journey can know.

/** Mean radius, metres (IUGG); what the oracle figures in the tests were made with. */
export const EARTH_RADIUS_M = 6_371_000;
const RAD = Math.PI / 180;
export const KNOT_MPS = 1852 / 3600;

/** Degrees: lat -90..90, lon -180..180. */
export type Place = { readonly lat: number; readonly lon: number };

/** A place as a unit vector: no seam at 180° and none at the poles. */
export type Vector = readonly [x: number, y: number, z: number];

export function vectorOf({ lat, lon }: Place): Vector {
  const c = Math.cos(lat * RAD);
  return [c * Math.cos(lon * RAD), c * Math.sin(lon * RAD), Math.sin(lat * RAD)];
}

/** The longitude of a pole is 0. */
export function placeOf([x, y, z]: Vector): Place {
  const flat = Math.hypot(x, y);
  return { lat: Math.atan2(z, flat) / RAD, lon: flat < 1e-15 ? 0 : Math.atan2(y, x) / RAD };
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** Angle between two unit vectors, radians 0..π; exact to about 1e-16 at every angle, which acos is not. */
function angleBetween(a: Vector, b: Vector): number {
  const [x, y, z] = cross(a, b);
  return Math.atan2(Math.sqrt(x * x + y * y + z * z), dot(a, b));
}

/** Great-circle distance in metres, 0..20,015,087. */
export function distanceM(a: Place, b: Place): number {
  const dLat = Math.sin(((b.lat - a.lat) * RAD) / 2);
  const dLon = Math.sin(((b.lon - a.lon) * RAD) / 2);
  const h = dLat * dLat + Math.cos(a.lat * RAD) * Math.cos(b.lat * RAD) * dLon * dLon;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The straight way through the earth, metres: never longer than the great circle, and far quicker to have. */
export function chordM(a: Vector, b: Vector): number {
  return EARTH_RADIUS_M * Math.sqrt(Math.max(0, 2 - 2 * dot(a, b)));
}

/** Initial bearing from one place to another: degrees 0..360, 0 = north, 90 = east; 0 for the same place. */
export function bearingDeg(from: Place, to: Place): number {
  const dLon = (to.lon - from.lon) * RAD;
  const y = Math.sin(dLon) * Math.cos(to.lat * RAD);
  const x = Math.cos(from.lat * RAD) * Math.sin(to.lat * RAD) - Math.sin(from.lat * RAD) * Math.cos(to.lat * RAD) * Math.cos(dLon);
  return (Math.atan2(y, x) / RAD + 360) % 360;
}

/** The point at `fraction` (0..1) of the great circle from `a` to `b`. Opposite points have no one great circle: any is taken. */
export function between(a: Vector, b: Vector, fraction: number): Vector {
  const angle = angleBetween(a, b);
  const sin = Math.sin(angle);
  if (sin < 1e-12) return fraction < 0.5 ? a : b;
  const [p, q] = [Math.sin((1 - fraction) * angle) / sin, Math.sin(fraction * angle) / sin];
  return [p * a[0] + q * b[0], p * a[1] + q * b[1], p * a[2] + q * b[2]];
}

/** Where on an arc a place comes nearest: `fraction` 0..1 of the way, and how far off, metres. */
export type Projection = { readonly fraction: number; readonly distanceM: number };

/** Nearest point of the great-circle arc from `a` to `b` (shorter than half the globe) to `p`. O(1). */
export function projectOnArc(p: Vector, a: Vector, b: Vector): Projection {
  const n = cross(a, b);
  const sin = Math.sqrt(dot(n, n));
  if (sin < 1e-12) return { fraction: 0, distanceM: EARTH_RADIUS_M * angleBetween(p, a) };
  const angle = Math.atan2(sin, dot(a, b));
  const [ex, ey, ez] = cross(n, a);
  const along = Math.atan2((p[0] * ex + p[1] * ey + p[2] * ez) / sin, dot(p, a));
  if (along >= 0 && along <= angle) {
    return { fraction: along / angle, distanceM: EARTH_RADIUS_M * Math.abs(Math.asin(Math.min(1, Math.max(-1, dot(p, n) / sin)))) };
  }
  const [toA, toB] = [angleBetween(p, a), angleBetween(p, b)];
  return toA <= toB ? { fraction: 0, distanceM: EARTH_RADIUS_M * toA } : { fraction: 1, distanceM: EARTH_RADIUS_M * toB };
}

export type CourseStatus = 'on_course' | 'slightly_off' | 'off_track' | 'behind';

/** How a heading lies to the bearing of a destination: below 10° on course, below 45° slightly off, below 65° off track. */
export function courseStatus(headingDeg: number, bearingToDeg: number): CourseStatus {
  const off = Math.abs(((headingDeg - bearingToDeg + 540) % 360) - 180);
  if (off < 10) return 'on_course';
  if (off < 45) return 'slightly_off';
  return off < 65 ? 'off_track' : 'behind';
}
