import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useSettings } from '../settings.ts';
import { durationSteps, roundDurations, thinned } from '../ticks.ts';
import { clockTime, day, spell } from '../words.ts';

export type PlotSeries = {
  readonly label: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly kind?: 'line' | 'points' | 'step' | 'bars';
  /** Filled down to the series of this index. */
  readonly bandTo?: number;
  readonly isDashed?: boolean;
};

export type PlotProps = {
  /** What the picture says, in words: it is all that a screen reader gets. */
  readonly label: string;
  /** Ascending; epoch ms, or seconds when `along` is a duration. */
  readonly x: readonly number[];
  readonly series: readonly PlotSeries[];
  /** What x counts, default time; durations lie by their logarithm. */
  readonly along?: 'time' | 'day' | 'duration';
  readonly y: keyof typeof yTexts;
  readonly isLogarithmic?: boolean;
  readonly yRange?: readonly [number, number];
};

const yTexts = { duration: spell, count: (y: number) => Math.round(y).toLocaleString(), percent: (y: number) => `${Math.round(y)} %` };
const HEIGHT_PX = 220;
/** What a label takes of its axis, px. */
const X_LABEL_PX = 90;
const Y_LABEL_PX = 26;

/** A plot as wide as its place; drawn anew when its figures or the theme change. */
export function Plot(props: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const { theme, timeZone } = useSettings();
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let plot: uPlot | null = null;
    const draw = (): void => {
      plot?.destroy();
      plot = new uPlot(optionsOf(props, element, timeZone), dataOf(props), element);
    };
    draw();
    const resizes = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resizes.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resizes.disconnect();
      scheme.removeEventListener('change', draw);
      plot?.destroy();
    };
  }, [props.x, props.series, theme, timeZone, props.isLogarithmic]);
  return <figure class="plot" role="img" aria-label={props.label}><div ref={place} style={{ minHeight: `${HEIGHT_PX}px` }} /></figure>;
}

/** Within a second all instants read alike. */
function withoutRepeats(texts: readonly string[]): string[] {
  return texts.map((text, index) => (text === texts[index - 1] ? '' : text));
}

function dataOf({ x, series, along = 'time' }: PlotProps): uPlot.AlignedData {
  return [x.map((value) => placeOf(value, along)), ...series.map(({ values }) => [...values])];
}

/** Where on the x axis, in uPlot's terms: epoch seconds or a power of ten. */
function placeOf(value: number, along: NonNullable<PlotProps['along']>): number {
  return along === 'duration' ? Math.log10(value) : value / 1_000;
}

function optionsOf({ x, series, along = 'time', y, isLogarithmic = false, yRange }: PlotProps, element: HTMLElement, timeZone: string | null): uPlot.Options {
  const style = getComputedStyle(element);
  const xAt = (index: number): number => placeOf(x.at(index) ?? 0, along);
  const isWithinHour = along === 'time' && xAt(-1) - xAt(0) < 3_600;
  const sayX = (place: number): string => (along === 'duration' ? spell(10 ** place) : along === 'day' ? day(1_000 * place) : clockTime(1_000 * place, Date.now(), timeZone, isWithinHour));
  const sayY = yTexts[y];
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, font: `12px ${style.fontFamily}` };
  const most = Math.max(2, Math.floor((element.clientWidth - X_LABEL_PX) / X_LABEL_PX));
  const xSplits = along === 'day' ? () => thinned(x, most).map((at) => placeOf(at, along))
    : along === 'duration' ? (_plot: uPlot, _axis: number, low: number, high: number) => roundDurations(10 ** low, 10 ** high, most).map((sec) => placeOf(sec, along)) : undefined;
  // A day alone gets a day to both sides, a bar its own width.
  const margin = along === 'day' && x.length === 1 ? 86_400 : along === 'duration' ? (xAt(-1) - xAt(0)) / Math.max(1, x.length - 1) / 2 : null;
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    ...(timeZone === null ? {} : { tzDate: (sec: number) => uPlot.tzDate(new Date(sec * 1_000), timeZone) }),
    scales: {
      x: { time: along !== 'duration', ...(margin === null ? {} : { range: [xAt(0) - margin, xAt(-1) + margin] as [number, number] }) },
      y: { ...(isLogarithmic ? { distr: 3 as const } : {}), ...(yRange === undefined ? {} : { range: [...yRange] as [number, number] }) },
    },
    axes: [
      { ...axis, space: X_LABEL_PX, ...(xSplits === undefined ? {} : { splits: xSplits }), values: (_plot: uPlot, splits: number[]) => withoutRepeats(splits.map((value) => (value === null ? '' : sayX(value)))) },
      {
        ...axis, size: 86, ...(y === 'duration' ? { incrs: durationSteps } : {}),
        ...(isLogarithmic && y === 'duration' ? { splits: (_plot: uPlot, _axis: number, low: number, high: number) => roundDurations(low, high, HEIGHT_PX / Y_LABEL_PX), filter: (_plot: uPlot, splits: number[]) => splits } : {}),
        values: (_plot: uPlot, splits: number[]) => splits.map((value) => (value === null ? '' : sayY(value))),
      },
    ],
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
    series: [
      { label: along === 'duration' ? 'near' : 'at', value: (_plot: uPlot, value: number | null) => (value === null ? '–' : sayX(value)) },
      ...series.map(({ label, colour: name, kind = 'line', isDashed = false }): uPlot.Series => ({
        label,
        stroke: colour(name),
        width: kind === 'points' ? 0 : 2,
        ...(isDashed ? { dash: [6, 4] } : {}),
        ...(kind === 'points' ? { paths: () => null, points: { show: true, size: 5, fill: colour(name) } } : { points: { show: x.length < 15 && kind === 'line' } }),
        ...(kind === 'step' ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {}),
        ...(kind === 'bars' ? { paths: uPlot.paths.bars!({ size: [0.9, 80] }), fill: colour(name) } : {}),
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : sayY(value)),
      })),
    ],
    bands: series.flatMap(({ bandTo, colour: name }, index) => (bandTo === undefined ? [] : [{ series: [index + 1, bandTo + 1] as [number, number], fill: `color-mix(in srgb, ${colour(name)} 18%, transparent)` }])),
  };
}
