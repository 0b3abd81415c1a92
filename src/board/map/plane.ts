// Places on a plane: Web Mercator, as tiles are drawn, the world 256 units wide and y to the south. Lengths are metres.

export type Point = { readonly x: number; readonly y: number };

export const WORLD = 256;
/** Where Web Mercator ends; what lies beyond is drawn there. */
const MOST_LAT = 85.051128;
const EARTH_CIRCUMFERENCE_M = 40_075_017;

/** x in 0..256 for lon in -180..180. */
export function pointOf(lat: number, lon: number): Point {
  const sine = Math.sin((Math.min(MOST_LAT, Math.max(-MOST_LAT, lat)) * Math.PI) / 180);
  return { x: WORLD * (lon / 360 + 0.5), y: WORLD * (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) };
}

/** The same place on that turn of the world which is nearest to `x`. */
export function nearTo({ x, y }: Point, nearX: number): Point {
  return { x: x + WORLD * Math.round((nearX - x) / WORLD), y };
}

/** [lon, lat] of a line. It goes on over the antimeridian instead of back around the world. */
export function lineOf(line: readonly (readonly number[])[]): Point[] {
  let beforeX: number | null = null;
  return line.map(([lon, lat]) => {
    const point = pointOf(lat!, lon!);
    const near: Point = beforeX === null ? point : nearTo(point, beforeX);
    beforeX = near.x;
    return near;
  });
}

/** Length of one unit at a height of the plane, metres. */
export function unitM(y: number): number {
  // The cosine of the latitude.
  return EARTH_CIRCUMFERENCE_M / WORLD / Math.cosh(Math.PI * (1 - (2 * y) / WORLD));
}

/** The line up to a share of its length, 0..1. O(points). */
export function partOf(line: readonly Point[], share: number): Point[] {
  const lengths = line.slice(1).map((to, index) => lengthM(line[index]!, to));
  let leftM = share * lengths.reduce((sum, length) => sum + length, 0);
  const part = line.slice(0, 1);
  for (const [index, length] of lengths.entries()) {
    const [from, to] = [line[index]!, line[index + 1]!];
    if (leftM < length) {
      const along = leftM / length;
      part.push({ x: from.x + along * (to.x - from.x), y: from.y + along * (to.y - from.y) });
      break;
    }
    part.push(to);
    leftM -= length;
  }
  return part;
}

function lengthM(from: Point, to: Point): number {
  return Math.hypot(to.x - from.x, to.y - from.y) * unitM((from.y + to.y) / 2);
}
