import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { rowAtPx, topOfRow, type RowHeights } from '../row-heights.ts';

export type VirtualListProps = RowHeights & {
  readonly label: string;
  readonly length: number;
  /** Draws the row, or a placeholder for one that has not come yet. */
  readonly drawRow: (index: number) => ComponentChildren;
  /** Rows first..last (exclusive) are wanted. */
  readonly onWindow: (first: number, last: number) => void;
};

/** Rows beyond the sight, in screens: a quick scroll meets drawn ones. */
const SPARE_SCREENS = 1;

/** Thousands of rows, of which those in sight are drawn. The page itself scrolls. */
export function VirtualList({ label, length, drawRow, onWindow, ...heights }: VirtualListProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ first: 0, last: 40 });
  const measure = useRef(() => {});
  measure.current = () => {
    const topPx = Math.max(0, -(frame.current?.getBoundingClientRect().top ?? 0));
    const first = rowAtPx(heights, topPx - SPARE_SCREENS * innerHeight);
    const last = rowAtPx(heights, topPx + (1 + SPARE_SCREENS) * innerHeight) + 1;
    setSight((before) => (before.first === first && before.last === last ? before : { first, last }));
  };
  useLayoutEffect(() => measure.current(), [heights.rowHeight, heights.groupsAt.length]);
  useEffect(() => {
    let asked = 0;
    const onScroll = (): void => {
      if (asked !== 0) return;
      asked = requestAnimationFrame(() => {
        asked = 0;
        measure.current();
      });
    };
    addEventListener('scroll', onScroll, { passive: true });
    addEventListener('resize', onScroll);
    return () => {
      removeEventListener('scroll', onScroll);
      removeEventListener('resize', onScroll);
      cancelAnimationFrame(asked);
    };
  }, []);
  useEffect(() => onWindow(sight.first, sight.last), [sight]);
  const last = Math.min(length, sight.last);
  const rows = [];
  for (let index = Math.min(sight.first, last); index < last; index++) {
    const top = topOfRow(heights, index);
    rows.push(<div key={index} class="slot" role="listitem" aria-setsize={length} aria-posinset={index + 1} style={{ transform: `translateY(${top}px)`, height: `${topOfRow(heights, index + 1) - top}px` }}>{drawRow(index)}</div>);
  }
  return <div ref={frame} class="virtual" role="list" aria-label={label} style={{ height: `${topOfRow(heights, length)}px` }}>{rows}</div>;
}
