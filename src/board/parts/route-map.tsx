import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { MapTiles } from '../api/journeys.ts';
import { cameraOn, labelsThatFit, onScreen, panned, pathOf, scaleBarOf, tilesIn, zoomed, type Camera, type Label, type Size } from '../map/camera.ts';
import { nearTo, type Point } from '../map/plane.ts';
import { distance } from '../words.ts';

export type MapMark = {
  readonly key: string;
  readonly kind: 'waypoint' | 'passed' | 'next' | 'poi' | 'vehicle' | 'stray';
  readonly at: Point;
  readonly name: string;
  /** 0 = up; null or absent = not shown. */
  readonly headingDeg?: number | null;
  readonly href?: string;
};

export type RouteMapProps = {
  /** What the picture shows, in words: it is all that a screen reader gets. */
  readonly label: string;
  /** `isBehind` = it has been travelled. */
  readonly lines: readonly { readonly key: string; readonly points: readonly Point[]; readonly isBehind?: boolean }[];
  /** The last ones are drawn on top, and named first. */
  readonly marks: readonly MapMark[];
  /** Another one brings everything in sight again. */
  readonly subject: string;
  readonly tiles: MapTiles | null;
};

/** Moved by so manieth part of its size, the picture is drawn anew: what comes into sight gets its names. */
const MOVED_SHARE = 4;
/** The corner where the buttons are. */
const TOOLS_PX = { width: 52, height: 140 };
const STEP_PX = 80;
const STEP_ZOOM = 1.6;

/** Lines and marks on a plane, to be moved and zoomed with mouse, fingers and keys. Needs no tiles; draws them where there are any. */
export function RouteMap({ label, lines, marks, subject, tiles }: RouteMapProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size>({ width: 640, height: 380 });
  /** null = everything is in sight. */
  const [chosen, setChosen] = useState<{ readonly subject: string; readonly camera: Camera } | null>(null);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width > 0 && height > 0) setSize({ width, height });
    });
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);
  const points = useMemo(() => placed(lines, marks), [lines, marks]);
  const fitted = useMemo(() => cameraOn(points.all, size), [points, size]);
  const camera = chosen?.subject === subject ? chosen.camera : fitted;
  const change = useRef((_change: (camera: Camera) => Camera): void => {});
  change.current = (next) => setChosen((before) => ({ subject, camera: next(before?.subject === subject ? before.camera : fitted) }));
  const middle = { x: size.width / 2, y: size.height / 2 };
  const zoomBy = (factor: number, at: Point = middle): void => change.current((before) => zoomed(before, factor, at, size));
  const fit = (): void => setChosen(null);
  useDragging(frame, change, size);

  const onKeyDown = (event: KeyboardEvent): void => {
    const pans: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [STEP_PX, 0], ArrowRight: [-STEP_PX, 0], ArrowUp: [0, STEP_PX], ArrowDown: [0, -STEP_PX] };
    const pan = pans[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (pan !== undefined) change.current((before) => panned(before, ...pan));
    else if (event.key === '+' || event.key === '=') zoomBy(STEP_ZOOM);
    else if (event.key === '-') zoomBy(1 / STEP_ZOOM);
    else if (event.key === '0' || event.key === 'Home') fit();
    else return;
    event.preventDefault();
  };

  // While the picture is only moved, what is drawn moves as one: of a thousand marks each would cost a frame otherwise.
  const drawnBy = useRef(camera);
  const shift = { x: (drawnBy.current.x - camera.x) * camera.scale, y: (drawnBy.current.y - camera.y) * camera.scale };
  if (drawnBy.current.scale !== camera.scale || Math.abs(shift.x) > size.width / MOVED_SHARE || Math.abs(shift.y) > size.height / MOVED_SHARE) {
    drawnBy.current = camera;
    shift.x = shift.y = 0;
  }
  const drawn = useMemo(() => drawingOf(points, drawnBy.current, size), [points, drawnBy.current, size]);
  const bar = scaleBarOf(camera, 110);
  return (
    <div class="map">
      <div ref={frame} class="map-picture" role="application" tabIndex={0} aria-label={`${label}. Arrow keys move the map, plus and minus zoom, 0 shows everything.`} onKeyDown={onKeyDown} data-zoom={camera.scale.toFixed(3)} data-centre={`${camera.x.toFixed(4)} ${camera.y.toFixed(4)}`}>
        {tiles !== null && tilesIn(camera, size).map((tile) => (
          <img key={tile.key} class="tile" alt="" draggable={false} referrerpolicy="origin" src={tileAddress(tiles.tile_url, tile)} style={{ left: `${tile.left}px`, top: `${tile.top}px`, width: `${tile.sizePx + 0.5}px`, height: `${tile.sizePx + 0.5}px` }} />
        ))}
        <svg width={size.width} height={size.height} aria-hidden="true">
          <g transform={`translate(${shift.x} ${shift.y})`}>{drawn}</g>
        </svg>
      </div>
      <div class="map-tools">
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(STEP_ZOOM)}>+</button>
        <button type="button" aria-label="Zoom out" onClick={() => zoomBy(1 / STEP_ZOOM)}>−</button>
        <button type="button" aria-label="Show everything" onClick={fit}>⤢</button>
      </div>
      <div class="map-foot"><span class="scale" style={{ width: `${bar.px}px` }}>{distance(bar.metres)}</span>{tiles !== null && <span class="attribution">{tiles.attribution}</span>}</div>
    </div>
  );
}

function drawingOf({ lines, marks }: ReturnType<typeof placed>, camera: Camera, size: Size) {
  const screen = marks.map((mark) => ({ ...mark, at: onScreen(camera, size, mark.at) }));
  const labels = labelsThatFit(screen.toReversed().map(({ key, name, at }): Label => ({ key, text: name, at })), size, [{ left: size.width - TOOLS_PX.width, right: size.width, top: 0, bottom: TOOLS_PX.height }]);
  return (
    <g>
      {lines.map(({ key, points, isBehind }) => <path key={key} class={`way${isBehind === true ? ' is-behind' : ''}`} d={pathOf(points, camera, size)} />)}
      {screen.map((mark) => <Mark key={mark.key} mark={mark} />)}
      {labels.map(({ key, text, at, isLeft }) => <text key={key} class={isLeft ? 'is-left' : ''} x={at.x + (isLeft ? -9 : 9)} y={at.y + 4}>{text}</text>)}
    </g>
  );
}

function Mark({ mark: { kind, at, name, headingDeg, href } }: { readonly mark: MapMark }) {
  const shape = kind === 'poi'
    ? <rect class="mark is-poi" x={at.x - 4} y={at.y - 4} width={8} height={8} transform={`rotate(45 ${at.x} ${at.y})`}><title>{name}</title></rect>
    : <circle class={`mark is-${kind}`} cx={at.x} cy={at.y} r={kind === 'vehicle' || kind === 'stray' ? 8 : kind === 'next' ? 6 : 4.5}><title>{name}</title></circle>;
  const arrow = headingDeg == null ? null : <path class={`arrow is-${kind}`} d="M0 -18L6 -9H-6Z" transform={`translate(${at.x} ${at.y}) rotate(${headingDeg})`} />;
  // Whoever uses keys has the same links in the list.
  return href === undefined ? <>{arrow}{shape}</> : <a href={href} tabindex={-1}>{arrow}{shape}</a>;
}

/** Everything on that turn of the world where the first line, else the first mark, lies. */
function placed(lines: RouteMapProps['lines'], marks: readonly MapMark[]) {
  const aboutX = lines[0]?.points[Math.floor(lines[0].points.length / 2)]?.x ?? marks[0]?.at.x ?? 0;
  const near = lines.map((line) => {
    const middleX = line.points[Math.floor(line.points.length / 2)]?.x ?? aboutX;
    const turn = nearTo({ x: middleX, y: 0 }, aboutX).x - middleX;
    return turn === 0 ? line : { ...line, points: line.points.map(({ x, y }) => ({ x: x + turn, y })) };
  });
  const nearMarks = marks.map((mark) => ({ ...mark, at: nearTo(mark.at, aboutX) }));
  return { lines: near, marks: nearMarks, all: [...near.flatMap(({ points }) => points), ...nearMarks.flatMap(({ kind, at }) => (kind === 'poi' ? [] : [at]))] };
}

function tileAddress(template: string, { zoom, x, y }: { readonly zoom: number; readonly x: number; readonly y: number }): string {
  return template.replace('{z}', String(zoom)).replace('{x}', String(x)).replace('{y}', String(y));
}

/** One finger or the mouse moves the picture, two fingers zoom it, and so does the wheel while the map has the focus, or with Ctrl. */
function useDragging(frame: { readonly current: HTMLDivElement | null }, change: { readonly current: (next: (camera: Camera) => Camera) => void }, size: Size): void {
  const sizeNow = useRef(size);
  sizeNow.current = size;
  useEffect(() => {
    const element = frame.current!;
    const fingers = new Map<number, Point>();
    let movedPx = 0;
    const at = ({ clientX, clientY }: MouseEvent): Point => {
      const { left, top } = element.getBoundingClientRect();
      return { x: clientX - left, y: clientY - top };
    };
    const onDown = (event: PointerEvent): void => {
      if (event.button !== 0) return;
      if (fingers.size === 0) movedPx = 0;
      fingers.set(event.pointerId, at(event));
    };
    const onMove = (event: PointerEvent): void => {
      const before = fingers.get(event.pointerId);
      if (before === undefined) return;
      const now = at(event);
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      fingers.set(event.pointerId, now);
      movedPx += Math.hypot(now.x - before.x, now.y - before.y);
      // Only now: a click that does not move must reach the mark beneath it.
      if (movedPx > 3) element.setPointerCapture(event.pointerId);
      if (other === undefined) change.current((camera) => panned(camera, now.x - before.x, now.y - before.y));
      else {
        const span = (point: Point): number => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
        const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
        change.current((camera) => panned(zoomed(camera, span(now) / span(before), middle, sizeNow.current), (now.x - before.x) / 2, (now.y - before.y) / 2));
      }
    };
    const onUp = (event: PointerEvent): void => {
      fingers.delete(event.pointerId);
    };
    const onClick = (event: MouseEvent): void => {
      if (movedPx > 3) event.preventDefault();
    };
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && document.activeElement !== element) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      change.current((camera) => zoomed(camera, Math.exp((-event.deltaY * lines) / 300), at(event), sizeNow.current));
    };
    const onDouble = (event: MouseEvent): void => change.current((camera) => zoomed(camera, STEP_ZOOM, at(event), sizeNow.current));
    const listening = new AbortController();
    const { signal } = listening;
    element.addEventListener('pointerdown', onDown, { signal });
    element.addEventListener('pointermove', onMove, { signal });
    element.addEventListener('pointerup', onUp, { signal });
    element.addEventListener('pointercancel', onUp, { signal });
    element.addEventListener('click', onClick, { signal, capture: true });
    element.addEventListener('dblclick', onDouble, { signal });
    element.addEventListener('wheel', onWheel, { signal, passive: false });
    return () => listening.abort();
  }, []);
}
