export type RowHeights = {
  /** Of a race, px. */
  readonly rowHeight: number;
  /** Of a group's headline, px. */
  readonly groupHeight: number;
  /** Which rows are headlines, ascending. */
  readonly groupsAt: readonly number[];
};

/** Where a row begins, px. O(log groups). */
export function topOfRow({ rowHeight, groupHeight, groupsAt }: RowHeights, index: number): number {
  return index * rowHeight - countBelow(groupsAt, index) * (rowHeight - groupHeight);
}

/** The row that covers a height; 0 above the first. O(log²). */
export function rowAtPx(heights: RowHeights, px: number): number {
  if (px <= 0) return 0;
  let low = Math.floor(px / Math.max(heights.rowHeight, heights.groupHeight));
  let high = Math.ceil(px / Math.min(heights.rowHeight, heights.groupHeight)) + 1;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (topOfRow(heights, middle) <= px) low = middle;
    else high = middle;
  }
  return low;
}

/** How many are less than `index`. */
function countBelow(ascending: readonly number[], index: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < index) low = middle + 1;
    else high = middle;
  }
  return low;
}
