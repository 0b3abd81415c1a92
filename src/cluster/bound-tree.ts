import { columnPowers } from './column-power.ts';
import type { PointSet } from './point.ts';
import { findStems } from './stems.ts';

/** Bins that titles' characters are counted in. Chosen: 16 bound less, 64 cost more than they spare. */
export const BINS = 32;
/** Points in a leaf at most. Chosen by trial on generated fleets of 20,000. */
const LEAF_SIZE = 8;
/** Points that a split is chosen on. */
const SPLIT_SAMPLE = 256;
/** A column that tells two points of a node apart less often than this is no use for a split. Chosen. */
const LEAST_SPLIT = 0.05;
/** Titles that characters are weighed on. */
const TITLE_SAMPLE = 4_096;

/**
 * Points split like a decision tree: by values of metadata columns or by title while these repeat, else by how often a
 * title has characters of a bin. Each node keeps what bounds the distance of anything in it to anything else from below:
 * by column a mask of values, least and most characters by bin, least and most length. No triangle inequality is used:
 * the distance is no metric.
 *
 * Points are numbered by their place in the tree here, so that a node is a range; `order` gives back their numbers.
 */
export type BoundTree = {
  readonly points: PointSet;
  /** Place to point. */
  readonly order: Uint32Array;
  readonly nodeCount: number;
  /** Node n holds the places start[n]..end[n] - 1. A child comes after its parent; node 0 is the root. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
  /** Children; -1 in a leaf. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** -1 at the root. */
  readonly parent: Int32Array;
  readonly lengthMin: Uint32Array;
  readonly lengthMax: Uint32Array;
  readonly pairsMin: Uint32Array;
  /** Most pairs without a column. */
  readonly restMax: Uint32Array;
  /** By node and column: bits of the values in it. */
  readonly masks: Int32Array;
  /** By node and bin. */
  readonly binMin: Uint16Array;
  readonly binMax: Uint16Array;
  /** The title that all have; -1 where they differ. */
  readonly oneTitle: Int32Array;
  /** Number of a text that all titles begin with (stems.ts). */
  readonly stem: Uint32Array;
  readonly stems: readonly string[];
  // By place:
  readonly leafOf: Uint32Array;
  readonly title: Uint32Array;
  readonly length: Uint32Array;
  readonly pairs: Uint32Array;
  readonly rest: Uint32Array;
  readonly columns: Int32Array;
  /** By place and column: its bit in a mask. */
  readonly bits: Int32Array;
  readonly bins: Uint16Array;
};

/** Values of a column that have a bit of a mask to themselves, its most common ones; the others share the rest. Chosen by trial. */
const OWN_BITS = 16;

/** By place and column: the bit of its value in a mask; none for a value that matches nothing. */
function bitsOf(columns: Int32Array, columnCount: number, valueCount: number): Int32Array {
  const counts = new Uint32Array(valueCount + 1);
  for (const value of columns) counts[value]!++;
  const bitOf = Int32Array.from({ length: valueCount + 1 }, (_, value) => (value === 0 ? 0 : 1 << (OWN_BITS + (Math.imul(value, 0x9e3779b1) >>> 16) % (32 - OWN_BITS))));
  for (let column = 0; column < columnCount; column++) {
    const values = new Set<number>();
    for (let at = column; at < columns.length; at += columnCount) values.add(columns[at]!);
    values.delete(0);
    for (const [rank, value] of [...values].sort((a, b) => counts[b]! - counts[a]! || a - b).slice(0, OWN_BITS).entries()) bitOf[value] = 1 << rank;
  }
  return columns.map((value) => bitOf[value]!);
}

/** O(n log n) for n points. About 400 bytes a point. */
export function buildBoundTree(points: PointSet): BoundTree {
  const { count, columnCount } = points;
  const titleBins = countBins(points.titles);
  const order = Uint32Array.from({ length: count }, (_, point) => point);
  const ranges = splitPoints(points, titleBins, order);
  const nodeCount = ranges.start.length;
  const columns = new Int32Array(count * columnCount);
  const bins = new Uint16Array(count * BINS);
  const [title, length, pairs, rest] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
  for (let place = 0; place < count; place++) {
    const point = order[place]!;
    title[place] = points.titleOf[point]!;
    length[place] = points.titles[title[place]!]!.length;
    pairs[place] = points.pairCounts[point]!;
    rest[place] = points.restEnds[point]! - (point === 0 ? 0 : points.restEnds[point - 1]!);
    columns.set(points.columns.subarray(point * columnCount, (point + 1) * columnCount), place * columnCount);
    bins.set(titleBins.subarray(title[place]! * BINS, (title[place]! + 1) * BINS), place * BINS);
  }
  const leafOf = new Uint32Array(count);
  for (let node = 0; node < nodeCount; node++) if (ranges.left[node]! < 0) leafOf.fill(node, ranges.start[node], ranges.end[node]);
  const bare: BoundTree = {
    points, order, nodeCount,
    start: Uint32Array.from(ranges.start), end: Uint32Array.from(ranges.end),
    left: Int32Array.from(ranges.left), right: Int32Array.from(ranges.right), parent: Int32Array.from(ranges.parent),
    lengthMin: new Uint32Array(nodeCount).fill(0xffffffff), lengthMax: new Uint32Array(nodeCount),
    pairsMin: new Uint32Array(nodeCount).fill(0xffffffff), restMax: new Uint32Array(nodeCount),
    masks: new Int32Array(nodeCount * columnCount),
    binMin: new Uint16Array(nodeCount * BINS).fill(0xffff), binMax: new Uint16Array(nodeCount * BINS),
    oneTitle: new Int32Array(nodeCount), stem: new Uint32Array(nodeCount), stems: [],
    leafOf, title, length, pairs, rest, columns, bits: bitsOf(columns, columnCount, points.valueCount), bins,
  };
  for (let node = nodeCount - 1; node >= 0; node--) {
    const [left, right] = [bare.left[node]!, bare.right[node]!];
    if (left < 0) {
      summarizeLeaf(bare, node);
    } else {
      mergeInto(bare, node, left);
      mergeInto(bare, node, right);
      bare.oneTitle[node] = bare.oneTitle[left] === bare.oneTitle[right] ? bare.oneTitle[left]! : -1;
    }
  }
  return { ...bare, ...findStems(bare) };
}

function summarizeLeaf(tree: BoundTree, node: number): void {
  const { columnCount } = tree.points;
  const from = tree.start[node]!;
  tree.oneTitle[node] = tree.title[from]!;
  for (let place = from; place < tree.end[node]!; place++) {
    tree.lengthMin[node] = Math.min(tree.lengthMin[node]!, tree.length[place]!);
    tree.lengthMax[node] = Math.max(tree.lengthMax[node]!, tree.length[place]!);
    tree.pairsMin[node] = Math.min(tree.pairsMin[node]!, tree.pairs[place]!);
    tree.restMax[node] = Math.max(tree.restMax[node]!, tree.rest[place]!);
    if (tree.title[place] !== tree.title[from]) tree.oneTitle[node] = -1;
    for (let column = 0; column < columnCount; column++) tree.masks[node * columnCount + column]! |= tree.bits[place * columnCount + column]!;
    for (let bin = 0; bin < BINS; bin++) {
      const characters = tree.bins[place * BINS + bin]!;
      if (characters < tree.binMin[node * BINS + bin]!) tree.binMin[node * BINS + bin] = characters;
      if (characters > tree.binMax[node * BINS + bin]!) tree.binMax[node * BINS + bin] = characters;
    }
  }
}

function mergeInto(tree: BoundTree, node: number, child: number): void {
  const { columnCount } = tree.points;
  tree.lengthMin[node] = Math.min(tree.lengthMin[node]!, tree.lengthMin[child]!);
  tree.lengthMax[node] = Math.max(tree.lengthMax[node]!, tree.lengthMax[child]!);
  tree.pairsMin[node] = Math.min(tree.pairsMin[node]!, tree.pairsMin[child]!);
  tree.restMax[node] = Math.max(tree.restMax[node]!, tree.restMax[child]!);
  for (let column = 0; column < columnCount; column++) tree.masks[node * columnCount + column]! |= tree.masks[child * columnCount + column]!;
  for (let bin = 0; bin < BINS; bin++) {
    tree.binMin[node * BINS + bin] = Math.min(tree.binMin[node * BINS + bin]!, tree.binMin[child * BINS + bin]!);
    tree.binMax[node * BINS + bin] = Math.max(tree.binMax[node * BINS + bin]!, tree.binMax[child * BINS + bin]!);
  }
}

/**
 * By title: characters in each bin. The characters that vary most have a bin each as far as there are bins, the others
 * are dealt out so that no bin is crowded: one that counts everything bounds nothing.
 */
function countBins(titles: readonly string[]): Uint16Array {
  const step = Math.max(1, Math.floor(titles.length / TITLE_SAMPLE));
  const sums = new Map<number, { sum: number; squares: number }>();
  for (let title = 0; title < titles.length; title += step) {
    const counts = new Map<number, number>();
    for (let i = 0; i < titles[title]!.length; i++) counts.set(titles[title]!.charCodeAt(i), (counts.get(titles[title]!.charCodeAt(i)) ?? 0) + 1);
    for (const [unit, count] of counts) {
      const known = sums.get(unit) ?? { sum: 0, squares: 0 };
      sums.set(unit, { sum: known.sum + count, squares: known.squares + count * count });
    }
  }
  const sampled = Math.ceil(titles.length / step);
  const ranked = [...sums].map(([unit, { sum, squares }]) => ({ unit, variance: squares / sampled - (sum / sampled) ** 2 })).sort((a, b) => b.variance - a.variance || a.unit - b.unit);
  const binOf = Uint8Array.from({ length: 0x10000 }, (_, unit) => unit % BINS);
  for (const [rank, { unit }] of ranked.entries()) {
    const turn = rank % BINS;
    binOf[unit] = Math.floor(rank / BINS) % 2 === 0 ? turn : BINS - 1 - turn;
  }
  const bins = new Uint16Array(titles.length * BINS);
  for (let title = 0; title < titles.length; title++) {
    const text = titles[title]!;
    for (let i = 0; i < text.length; i++) bins[title * BINS + binOf[text.charCodeAt(i)]!]!++;
  }
  return bins;
}

type Ranges = { readonly start: number[]; readonly end: number[]; readonly left: number[]; readonly right: number[]; readonly parent: number[] };

/** Puts `order` into the tree's order and returns its nodes. */
function splitPoints(points: PointSet, titleBins: Uint16Array, order: Uint32Array): Ranges {
  const nodes: Ranges = { start: [], end: [], left: [], right: [], parent: [] };
  const add = (start: number, end: number, parent: number): number => {
    nodes.start.push(start);
    nodes.end.push(end);
    nodes.left.push(-1);
    nodes.right.push(-1);
    nodes.parent.push(parent);
    return nodes.start.length - 1;
  };
  const { columnCount } = points;
  const valueCounts = new Uint32Array(Math.max(points.valueCount + 1, points.titles.length));
  const powers = columnPowers(points, { counts: titleBins, binCount: BINS });
  const spare = new Uint32Array(order.length);
  const valueOf = (point: number, column: number): number => (column === columnCount ? points.titleOf[point]! : points.columns[point * columnCount + column]!);
  if (order.length > 0) add(0, order.length, -1);
  for (let node = 0; node < nodes.start.length; node++) {
    const [start, end] = [nodes.start[node]!, nodes.end[node]!];
    if (end - start <= LEAF_SIZE) continue;
    const column = chooseColumn(order, start, end, powers, valueOf, valueCounts);
    const keyOf = column >= 0 ? (point: number): number => valueOf(point, column) : binKey(points, titleBins, order, start, end);
    const middle = keyOf === null ? start + ((end - start) >> 1) : partition(order, start, end, keyOf, spare);
    nodes.left[node] = add(start, middle, node);
    nodes.right[node] = add(middle, end, node);
  }
  return nodes;
}

/** The column (the last one is the title) that tells most pairs of points apart while its values repeat and say most of the rest; -1 if none does. */
function chooseColumn(order: Uint32Array, start: number, end: number, powers: Float64Array, valueOf: (point: number, column: number) => number, counts: Uint32Array): number {
  const step = Math.max(1, Math.floor((end - start) / SPLIT_SAMPLE));
  let best = -1;
  let bestScore = 0;
  for (let column = 0; column < powers.length; column++) {
    let sampled = 0;
    let distinct = 0;
    let squares = 0;
    for (let i = start; i < end; i += step) {
      const value = valueOf(order[i]!, column);
      const count = counts[value]!++;
      if (count === 0) distinct++;
      squares += 2 * count + 1;
      sampled++;
    }
    for (let i = start; i < end; i += step) counts[valueOf(order[i]!, column)] = 0;
    const use = (1 - squares / (sampled * sampled)) * (1 - (distinct - 1) / (sampled - 1));
    if (use > LEAST_SPLIT && use * powers[column]! > bestScore) [best, bestScore] = [column, use * powers[column]!];
  }
  return best;
}

/** The bin whose counts vary most, as a key of points; the title where none varies; null if all titles are the same. */
function binKey(points: PointSet, titleBins: Uint16Array, order: Uint32Array, start: number, end: number): ((point: number) => number) | null {
  const step = Math.max(1, Math.floor((end - start) / SPLIT_SAMPLE));
  const sums = new Float64Array(BINS);
  const squares = new Float64Array(BINS);
  let sampled = 0;
  for (let i = start; i < end; i += step) {
    const at = points.titleOf[order[i]!]! * BINS;
    for (let bin = 0; bin < BINS; bin++) {
      const count = titleBins[at + bin]!;
      sums[bin]! += count;
      squares[bin]! += count * count;
    }
    sampled++;
  }
  let best = -1;
  let most = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const variance = squares[bin]! / sampled - (sums[bin]! / sampled) ** 2;
    if (variance > most + 1e-9) [best, most] = [bin, variance];
  }
  if (best >= 0) return (point) => titleBins[points.titleOf[point]! * BINS + best]!;
  const first = points.titleOf[order[start]!]!;
  for (let i = start + 1; i < end; i++) if (points.titleOf[order[i]!] !== first) return (point) => points.titleOf[point]!;
  return null;
}

/** Cuts a range between two values of a key, as near to the middle as its values allow; returns where. Keeps the order within both parts. */
function partition(order: Uint32Array, start: number, end: number, keyOf: (point: number) => number, spare: Uint32Array): number {
  const keys = new Uint32Array(end - start);
  for (let i = start; i < end; i++) keys[i - start] = keyOf(order[i]!);
  const sorted = keys.slice().sort();
  const half = sorted.length >> 1;
  const value = sorted[half]!;
  let below = half;
  while (below > 0 && sorted[below - 1] === value) below--;
  let above = half;
  while (above < sorted.length && sorted[above] === value) above++;
  // The cut goes before or after the value in the middle, wherever the smaller part is larger.
  const limit = below >= sorted.length - above ? value : value + 1;
  let left = start;
  let right = 0;
  for (let i = start; i < end; i++) {
    if (keys[i - start]! < limit) order[left++] = order[i]!;
    else spare[right++] = order[i]!;
  }
  order.set(spare.subarray(0, right), left);
  return left;
}
