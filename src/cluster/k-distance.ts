import { hashOrder } from './point.ts';
import type { TreeSearch } from './tree-search.ts';
import { createWalk } from './walk.ts';
import { createTicker, type Work } from './work.ts';

/** Points whose k-distance is taken at most. Chosen: the curve of 2,000 is that of all within .005 on fleets of 20,000. */
export const CURVE_SAMPLE = 2_000;
/** Distances beyond are given as this: what is farther is noise for any eps that is allowed, and finding it is dear. Chosen. */
export const FARTHEST = 0.5;

/**
 * The distances of distinct points to their k-th nearest other one, ascending, at most `FARTHEST`. Of a sample of
 * points chosen by hash where there are more. Weights do not count: repeated races would make the curve begin with zeros
 * and say nothing of how kinds lie. Empty for no points. Throws `OverBudget` and `Cancelled`.
 */
export function kDistances(search: TreeSearch, k: number, work: Work, sampleSize = CURVE_SAMPLE): Float64Array {
  const { order, start, end, points } = search.tree;
  const placeOf = new Uint32Array(order.length);
  for (let place = 0; place < order.length; place++) placeOf[order[place]!] = place;
  const sample = hashOrder(points).subarray(0, sampleSize);
  const distances = new Float64Array(sample.length);
  const walk = createWalk(search);
  const tick = createTicker(work, 'knee');
  for (let i = 0; i < sample.length; i++) {
    const place = placeOf[sample[i]!]!;
    // Ascending, the k nearest so far.
    const nearest = new Float64Array(k).fill(FARTHEST);
    walk(place, FARTHEST, (leaf) => {
      for (let other = start[leaf]!; other < end[leaf]!; other++) {
        if (other === place) continue;
        const distance = search.distanceWithin(place, other, nearest[k - 1]!);
        if (distance >= nearest[k - 1]!) continue;
        let at = k - 1;
        for (; at > 0 && nearest[at - 1]! > distance; at--) nearest[at] = nearest[at - 1]!;
        nearest[at] = distance;
      }
      return nearest[k - 1] === 0 ? -1 : nearest[k - 1]!;
    });
    distances[i] = nearest[k - 1]!;
    tick(i / sample.length);
  }
  return distances.sort();
}
