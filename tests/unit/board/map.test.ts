import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cameraOn, labelsThatFit, onScreen, panned, pathOf, scaleBarOf, tilesIn, zoomed, type Camera } from '../../../src/board/map/camera.ts';
import { lineOf, nearTo, partOf, pointOf, unitM, WORLD } from '../../../src/board/map/plane.ts';

const size = { width: 800, height: 400 };

describe('the plane', () => {
  test('is Web Mercator', () => {
    expect(pointOf(0, 0)).toEqual({ x: 128, y: 128 });
    expect(pointOf(85.051128, -180).y).toBeCloseTo(0, 4);
    expect(pointOf(90, 0).y).toBeCloseTo(0, 4);
    expect(pointOf(-90, 180).y).toBeCloseTo(256, 4);
    // The middle of Hamburg is on the tile 8/135/82.
    const { x, y } = pointOf(53.551, 9.994);
    expect([Math.floor(x), Math.floor(y)]).toEqual([135, 82]);
  });

  test('lets a line go on over the antimeridian', () => {
    const line = lineOf([[178, -17], [179.5, -17], [-179.5, -17], [-178, -17]]);
    const steps = line.slice(1).map(({ x }, index) => x - line[index]!.x);
    for (const step of steps) expect(step).toBeGreaterThan(0);
    expect(line.at(-1)!.x).toBeCloseTo(256 * (182 / 360 + 0.5), 9);
    // Back again, and westward.
    expect(lineOf([[-179, 0], [179, 0]])[1]!.x).toBeLessThan(0);
    expect(nearTo(pointOf(0, -179), line.at(-1)!.x).x).toBeGreaterThan(256);
  });

  test('knows lengths', () => {
    expect(unitM(128) * WORLD).toBeCloseTo(40_075_017, 0);
    expect(unitM(pointOf(60, 0).y)).toBeCloseTo(unitM(128) / 2, 3);
    const line = lineOf([[0, 0], [1, 0], [1, 1]]);
    expect(partOf(line, 0)).toEqual([line[0], line[0]]);
    expect(partOf(line, 1)).toEqual(line);
    const half = partOf(line, 0.5).at(-1)!;
    expect([half.x, half.y]).toEqual([expect.closeTo(line[1]!.x, 3), expect.closeTo(line[1]!.y, 3)]);
  });
});

describe('the camera', () => {
  const place = fc.record({ lat: fc.double({ min: -80, max: 80, noNaN: true }), lon: fc.double({ min: -180, max: 180, noNaN: true }) });

  test('brings everything in sight', () => {
    fc.assert(fc.property(fc.array(place, { minLength: 1, maxLength: 20 }), (places) => {
      const points = lineOf(places.map(({ lat, lon }) => [lon, lat]));
      const camera = cameraOn(points, size);
      // The whole world and more is not always brought into a small picture.
      if (camera.scale <= 0.5) return;
      for (const point of points) {
        const { x, y } = onScreen(camera, size, point);
        expect(x).toBeGreaterThanOrEqual(0);
        expect(x).toBeLessThanOrEqual(size.width);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(y).toBeLessThanOrEqual(size.height);
      }
    }));
    expect(cameraOn([], size)).toMatchObject({ x: 128, y: 128 });
    expect(cameraOn([{ x: 3, y: 4 }], size)).toEqual({ x: 3, y: 4, scale: 2 ** 15 });
  });

  test('zooms about where the pointer is, and moves with the hand', () => {
    const camera: Camera = { x: 100, y: 100, scale: 64 };
    const at = { x: 600, y: 50 };
    const under = { x: 100 + 200 / 64, y: 100 - 150 / 64 };
    expect(onScreen(camera, size, under)).toEqual(at);
    const nearer = onScreen(zoomed(camera, 2, at, size), size, under);
    expect(nearer.x).toBeCloseTo(at.x, 9);
    expect(nearer.y).toBeCloseTo(at.y, 9);
    expect(onScreen(panned(camera, 10, -20), size, under)).toEqual({ x: 610, y: 30 });
    expect(zoomed(camera, 1e9, at, size).scale).toBe(2 ** 19);
    expect(zoomed(camera, 1e-9, at, size).scale).toBe(0.5);
  });

  test('draws no more of a line than is in sight and than a pixel can show', () => {
    const camera = { x: 128, y: 128, scale: 1 };
    const dense = Array.from({ length: 10_001 }, (_, index) => ({ x: index / 100, y: 128 }));
    expect(pathOf(dense, camera, size).split('L').length).toBeLessThan(120);
    expect(pathOf(dense, camera, size)).toMatch(/L372\.0 200\.0$/);
    expect(pathOf([{ x: -1_900, y: 0 }, { x: -1_800, y: 0 }], camera, size)).toBe('');
    // In, out, in again: two strokes.
    expect(pathOf([{ x: 128, y: 128 }, { x: 128, y: 1_900 }, { x: 3_000, y: 1_900 }, { x: 128, y: 100 }], camera, size).match(/M/g)).toHaveLength(2);
    expect(pathOf([], camera, size)).toBe('');
  });

  test('covers what is in sight with tiles, on every turn of the world', () => {
    const tiles = tilesIn({ x: 255, y: 100, scale: 16 }, size);
    for (const { zoom, x, y, sizePx } of tiles) {
      expect([zoom, sizePx]).toEqual([4, 256]);
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(16);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThan(16);
    }
    expect(tiles.map(({ x }) => x)).toContain(0);
    expect(Math.min(...tiles.map(({ left }) => left))).toBeLessThanOrEqual(0);
    expect(Math.max(...tiles.map(({ left, sizePx }) => left + sizePx))).toBeGreaterThanOrEqual(size.width);
    expect(new Set(tiles.map(({ key }) => key)).size).toBe(tiles.length);
  });

  test('gives a round length for the scale', () => {
    for (const scale of [1, 10, 333, 2 ** 15, 2 ** 19]) {
      const { metres, px } = scaleBarOf({ x: 0, y: 90, scale }, 100);
      expect(String(metres)).toMatch(/^0*(\.0*)?[125]0*$/);
      expect(px).toBeLessThanOrEqual(100);
      expect(px).toBeGreaterThan(35);
    }
  });

  test('names what has room, the first before the others', () => {
    const label = (key: string, x: number, y: number) => ({ key, text: 'Station', at: { x, y } });
    expect(labelsThatFit([label('a', 100, 100), label('b', 110, 104), label('c', 100, 130), label('d', 790, 100), label('e', -50, 100)], size).map(({ key, isLeft }) => `${key} ${isLeft}`)).toEqual(['a false', 'b true', 'c false', 'd true']);
    expect(labelsThatFit([label('a', 700, 20)], size, [{ left: 750, right: 800, top: 0, bottom: 140 }])).toEqual([{ ...label('a', 700, 20), isLeft: true }]);
  });
});
