import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useSettings } from '../settings.ts';
import { clockTime, day } from '../words.ts';

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
  /** Ascending; epoch ms unless isTime is false. */
  readonly x: readonly number[];
  readonly series: readonly PlotSeries[];
  readonly isTime?: boolean;
  /** Each x stands for a day. */
  readonly isDaily?: boolean;
  /** For an x that is no time. */
  readonly xText?: (x: number) => string;
  readonly yText: (y: number) => string;
  readonly isLogarithmic?: boolean;
  readonly yRange?: readonly [number, number];
  readonly height?: number;
};

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
    const resizes = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: props.height ?? 220 }));
    resizes.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resizes.disconnect();
      scheme.removeEventListener('change', draw);
      plot?.destroy();
    };
  }, [props.x, props.series, theme, timeZone, props.isLogarithmic]);
  return <figure class="plot" role="img" aria-label={props.label}><div ref={place} style={{ minHeight: `${props.height ?? 220}px` }} /></figure>;
}

function dataOf({ x, series, isTime = true }: PlotProps): uPlot.AlignedData {
  return [isTime ? x.map((at) => at / 1_000) : [...x], ...series.map(({ values }) => [...values])];
}

function optionsOf({ x, series, isTime = true, isDaily = false, xText, yText, isLogarithmic = false, yRange, height = 220 }: PlotProps, element: HTMLElement, timeZone: string | null): uPlot.Options {
  const style = getComputedStyle(element);
  const xAt = (index: number): number => (x[index] ?? 0) / (isTime ? 1_000 : 1);
  const isWithinHour = isTime && xAt(x.length - 1) - xAt(0) < 3_600;
  const sayX = (value: number): string => (isDaily ? day(1_000 * value) : isTime ? clockTime(1_000 * value, Date.now(), timeZone, isWithinHour) : xText?.(value) ?? String(value));
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, font: `12px ${style.fontFamily}` };
  return {
    width: element.clientWidth,
    height,
    ...(timeZone === null ? {} : { tzDate: (sec: number) => uPlot.tzDate(new Date(sec * 1_000), timeZone) }),
    scales: {
      x: { time: isTime, ...(x.length === 1 ? { range: [xAt(0) - 43_200, xAt(0) + 43_200] as [number, number] } : {}) },
      y: { ...(isLogarithmic ? { distr: 3 as const } : {}), ...(yRange === undefined ? {} : { range: [...yRange] as [number, number] }) },
    },
    axes: [
      { ...axis, space: 90, values: (_plot: uPlot, splits: number[]) => splits.map((value) => (value === null ? '' : sayX(value))) },
      { ...axis, size: 86, values: (_plot: uPlot, splits: number[]) => splits.map((value) => (value === null ? '' : yText(value))) },
    ],
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
    series: [
      { label: isTime ? 'at' : 'near', value: (_plot: uPlot, value: number | null) => (value === null ? '–' : sayX(value)) },
      ...series.map(({ label, colour: name, kind = 'line', isDashed = false }): uPlot.Series => ({
        label,
        stroke: colour(name),
        width: kind === 'points' ? 0 : 2,
        ...(isDashed ? { dash: [6, 4] } : {}),
        ...(kind === 'points' ? { paths: () => null, points: { show: true, size: 5, fill: colour(name) } } : { points: { show: x.length < 15 && kind === 'line' } }),
        ...(kind === 'step' ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {}),
        ...(kind === 'bars' ? { paths: uPlot.paths.bars!({ size: [0.9, 80] }), fill: colour(name) } : {}),
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : yText(value)),
      })),
    ],
    bands: series.flatMap(({ bandTo, colour: name }, index) => (bandTo === undefined ? [] : [{ series: [index + 1, bandTo + 1] as [number, number], fill: `color-mix(in srgb, ${colour(name)} 18%, transparent)` }])),
  };
}
