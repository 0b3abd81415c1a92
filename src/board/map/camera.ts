import { unitM, WORLD, type Point } from './plane.ts';

/** What of the plane is in sight: its centre, and px a unit. */
export type Camera = Point & { readonly scale: number };
/** Of the picture, px. */
export type Size = { readonly width: number; readonly height: number };

const LEAST_SCALE = 0.5;
/** Zoom 19 of tiles: a metre is some three px. */
const MOST_SCALE = 2 ** 19;
/** What is fitted is not brought nearer than this: a single place has no extent. */
const MOST_FITTED_SCALE = 2 ** 15;
const PADDING_PX = 36;

/** All points in sight; the whole world without any. */
export function cameraOn(points: readonly Point[], { width, height }: Size): Camera {
  if (points.length === 0) return { x: WORLD / 2, y: WORLD / 2, scale: Math.max(LEAST_SCALE, Math.min(width, height) / WORLD) };
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const fit = (px: number, units: number): number => Math.max(1, px - 2 * PADDING_PX) / units;
  const scale = Math.min(MOST_FITTED_SCALE, fit(width, right - left), fit(height, bottom - top));
  return { x: (left + right) / 2, y: (top + bottom) / 2, scale: Math.max(LEAST_SCALE, scale) };
}

/** The picture moved by so many px, as a hand drags it. */
export function panned({ x, y, scale }: Camera, rightPx: number, downPx: number): Camera {
  return { x: x - rightPx / scale, y: Math.min(WORLD, Math.max(0, y - downPx / scale)), scale };
}

/** Nearer by a factor; what is at `at` of the picture stays there. */
export function zoomed(camera: Camera, factor: number, at: Point, size: Size): Camera {
  const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, camera.scale * factor));
  const [rightPx, downPx] = [at.x - size.width / 2, at.y - size.height / 2];
  const gain = 1 / camera.scale - 1 / scale;
  return { x: camera.x + rightPx * gain, y: Math.min(WORLD, Math.max(0, camera.y + downPx * gain)), scale };
}

export function onScreen({ x, y, scale }: Camera, { width, height }: Size, point: Point): Point {
  return { x: (point.x - x) * scale + width / 2, y: (point.y - y) * scale + height / 2 };
}

/** An SVG path of a line in px: without points that lie within a pixel of the one before, nor parts that are out of sight by more than the picture's size. O(points). */
export function pathOf(line: readonly Point[], camera: Camera, size: Size): string {
  const parts: string[] = [];
  const isOut = (a: Point, b: Point): boolean => Math.max(a.x, b.x) < -size.width || Math.min(a.x, b.x) > 2 * size.width || Math.max(a.y, b.y) < -size.height || Math.min(a.y, b.y) > 2 * size.height;
  let before: Point | null = null;
  let isDown = false;
  for (const [index, point] of line.entries()) {
    const next = onScreen(camera, size, point);
    if (before !== null && index < line.length - 1 && Math.abs(next.x - before.x) + Math.abs(next.y - before.y) < 1) continue;
    if (before !== null && !isOut(before, next)) {
      if (!isDown) parts.push(`M${px(before)}`);
      parts.push(`L${px(next)}`);
      isDown = true;
    } else isDown = false;
    before = next;
  }
  return parts.join('');
}

function px({ x, y }: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

export type Tile = { readonly key: string; readonly zoom: number; readonly x: number; readonly y: number; readonly left: number; readonly top: number; readonly sizePx: number };

const MOST_TILES = 200;

/** The square pictures of 256 px that cover what is in sight, on whatever turn of the world. */
export function tilesIn(camera: Camera, size: Size, mostZoom = 19): Tile[] {
  const zoom = Math.max(0, Math.min(mostZoom, Math.round(Math.log2(camera.scale))));
  const across = 2 ** zoom;
  const units = WORLD / across;
  const sizePx = units * camera.scale;
  const tiles: Tile[] = [];
  const first = (centre: number, px: number): number => Math.floor((centre - px / 2 / camera.scale) / units);
  const last = (centre: number, px: number): number => Math.floor((centre + px / 2 / camera.scale) / units);
  for (let y = Math.max(0, first(camera.y, size.height)); y <= Math.min(across - 1, last(camera.y, size.height)); y++) {
    for (let x = first(camera.x, size.width); x <= last(camera.x, size.width) && tiles.length < MOST_TILES; x++) {
      const at = onScreen(camera, size, { x: x * units, y: y * units });
      tiles.push({ key: `${zoom}/${x}/${y}`, zoom, x: ((x % across) + across) % across, y, left: at.x, top: at.y, sizePx });
    }
  }
  return tiles;
}

export type ScaleBar = { readonly metres: number; readonly px: number };

/** A round length of at most `mostPx`, at the height of the centre. */
export function scaleBarOf(camera: Camera, mostPx: number): ScaleBar {
  const perPx = unitM(camera.y) / camera.scale;
  const power = 10 ** Math.floor(Math.log10(mostPx * perPx));
  const metres = [5, 2, 1].find((step) => step * power <= mostPx * perPx)! * power;
  return { metres, px: metres / perPx };
}

export type Label = { readonly key: string; readonly text: string; readonly at: Point };
/** `isLeft` = it stands to the left of its mark. */
export type PlacedLabel = Label & { readonly isLeft: boolean };
type Box = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };

const LABEL_PX = { height: 16, aLetter: 7.2, gap: 9 };

/**
 * Those of the labels, the first before the last, that are in sight and lie neither on one another nor on a box that is taken: to the right of
 * their marks, else to the left. O(n x shown).
 */
export function labelsThatFit(labels: readonly Label[], size: Size, taken: readonly Box[] = []): PlacedLabel[] {
  const boxes = [...taken];
  const shown: PlacedLabel[] = [];
  for (const label of labels) {
    for (const isLeft of [false, true]) {
      const box = boxOf(label, isLeft);
      if (box.left < 0 || box.right > size.width || box.top < 0 || box.bottom > size.height || boxes.some((other) => overlap(box, other))) continue;
      boxes.push(box);
      shown.push({ ...label, isLeft });
      break;
    }
  }
  return shown;
}

function boxOf({ text, at }: Label, isLeft: boolean): Box {
  const widthPx = LABEL_PX.aLetter * text.length;
  const left = isLeft ? at.x - LABEL_PX.gap - widthPx : at.x + LABEL_PX.gap;
  return { left, right: left + widthPx, top: at.y - LABEL_PX.height / 2, bottom: at.y + LABEL_PX.height / 2 };
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
