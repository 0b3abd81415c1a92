import type { PointSet } from './point.ts';

const SAMPLE = 2_048;
/** What the title counts for beside one metadata column. Chosen: it has the greater share of the distance. */
const TITLE_WEIGHT = 2;
/** A column that says nothing of any other is still a column. Chosen. */
const LEAST_POWER = 0.02;

/** How often each title has characters of each bin: title · binCount + bin. */
type TitleBins = { readonly counts: Uint16Array; readonly binCount: number };

/**
 * By column (the last one is the title): how much points that agree in it agree in everything else too, at least
 * `LEAST_POWER`. Splitting by a job's name leaves nodes of one repository, workflow and kind of title, splitting by who
 * started it leaves nodes of anything. Of pairs of sampled points, so that rare values say no more than they know.
 * O(columns² · sample).
 */
export function columnPowers(points: PointSet, titleBins: TitleBins): Float64Array {
  const { columnCount } = points;
  const step = Math.max(1, Math.floor(points.count / SAMPLE));
  const sample: number[] = [];
  for (let point = 0; point < points.count; point += step) sample.push(point);
  const valueOf = (point: number, column: number): number => (column === columnCount ? points.titleOf[point]! : points.columns[point * columnCount + column]!);
  const everyone = new Map([[0, sample]]);
  const apart = Array.from({ length: columnCount }, (_, column) => differingShare(everyone, (point) => valueOf(point, column)));
  const spread = titleSpread(everyone, points, titleBins);
  return Float64Array.from({ length: columnCount + 1 }, (_, column) => {
    const groups = Map.groupBy(sample, (point) => valueOf(point, column));
    // No value at all is no value in common.
    if (column < columnCount) groups.delete(0);
    let power = 0;
    for (let other = 0; other < columnCount; other++) {
      if (other !== column && apart[other]! > 0) power += Math.max(0, 1 - differingShare(groups, (point) => valueOf(point, other)) / apart[other]!);
    }
    if (column < columnCount && spread > 0) power += TITLE_WEIGHT * Math.max(0, 1 - titleSpread(groups, points, titleBins) / spread);
    return LEAST_POWER + power;
  });
}

/** Of the pairs of points within groups, the share that differ in a value; 1 where there are no pairs. */
function differingShare(groups: ReadonlyMap<number, readonly number[]>, valueOf: (point: number) => number): number {
  let pairs = 0;
  let same = 0;
  for (const members of groups.values()) {
    pairs += members.length * (members.length - 1);
    const counts = new Map<number, number>();
    for (const point of members) counts.set(valueOf(point), (counts.get(valueOf(point)) ?? 0) + 1);
    for (const [value, count] of counts) if (value !== 0) same += count * (count - 1);
  }
  return pairs === 0 ? 1 : 1 - same / pairs;
}

/** Mean squared distance of the titles' character counts over the pairs of points within groups; infinite where there are no pairs. */
function titleSpread(groups: ReadonlyMap<number, readonly number[]>, points: PointSet, titleBins: TitleBins): number {
  let pairs = 0;
  let total = 0;
  for (const members of groups.values()) {
    pairs += members.length * (members.length - 1);
    for (let bin = 0; bin < titleBins.binCount; bin++) {
      let sum = 0;
      let squares = 0;
      for (const point of members) {
        const count = titleBins.counts[points.titleOf[point]! * titleBins.binCount + bin]!;
        sum += count;
        squares += count * count;
      }
      total += 2 * (members.length * squares - sum * sum);
    }
  }
  return pairs === 0 ? Infinity : total / pairs;
}
