import type { BoundTree } from './bound-tree.ts';

/** A stem gives way to a longer one only if it gains this many characters; more where there would be too many stems. Chosen by trial. */
const LEAST_GAIN = 6;
/** Stems whose bounds are kept, 2 bytes a pair: 32 MB. */
const MOST_STEMS = 4_000;
const UNKNOWN = 0xffff;

/**
 * The text that all titles of a node begin with, by node. Titles made from a template have it in common, and two
 * templates differ in it whatever follows: this bounds what counting characters cannot.
 */
export function findStems(tree: BoundTree): Pick<BoundTree, 'stem' | 'stems'> {
  const lengths = stemLengths(tree);
  for (let gain = LEAST_GAIN; ; gain *= 2) {
    const numbers = new Map([['', 0]]);
    const stems = [''];
    const stem = new Uint32Array(tree.nodeCount);
    for (let node = 0; node < tree.nodeCount && stems.length <= MOST_STEMS; node++) {
      const inherited = node === 0 ? 0 : stem[tree.parent[node]!]!;
      stem[node] = inherited;
      if (lengths[node]! < stems[inherited]!.length + gain) continue;
      const text = titleOf(tree, node).slice(0, lengths[node]);
      let number = numbers.get(text);
      if (number === undefined) {
        numbers.set(text, number = stems.length);
        stems.push(text);
      }
      stem[node] = number;
    }
    if (stems.length <= MOST_STEMS) return { stem, stems };
  }
}

/**
 * The least edits between any title that begins with one stem and any that begins with another, by their numbers. Once
 * a pair: O(product of their lengths).
 */
export function createStemBounds(stems: readonly string[]): (a: number, b: number) => number {
  const count = stems.length;
  const kept = new Uint16Array(count * count).fill(UNKNOWN);
  return (a, b) => {
    const at = a * count + b;
    const known = kept[at]!;
    if (known !== UNKNOWN) return known;
    return kept[at] = kept[b * count + a] = stemEdits(stems[a]!, stems[b]!);
  };
}

/**
 * The least edits between a + x and b + y over all x and y: one of both is consumed against a beginning of the other,
 * so it is the least number in the last row or column of the edit matrix.
 */
export function stemEdits(a: string, b: string): number {
  if (a.startsWith(b) || b.startsWith(a)) return 0;
  let row = Uint16Array.from({ length: b.length + 1 }, (_, j) => j);
  let next = new Uint16Array(b.length + 1);
  let least = b.length;
  for (let i = 1; i <= a.length; i++) {
    next[0] = i;
    const unit = a.charCodeAt(i - 1);
    for (let j = 1; j <= b.length; j++) {
      const diagonal = row[j - 1]! + (unit === b.charCodeAt(j - 1) ? 0 : 1);
      const side = (row[j]! < next[j - 1]! ? row[j]! : next[j - 1]!) + 1;
      next[j] = diagonal < side ? diagonal : side;
    }
    [row, next] = [next, row];
    if (row[b.length]! < least) least = row[b.length]!;
  }
  for (const edits of row) if (edits < least) least = edits;
  return least;
}

/** By node: how many characters all its titles have in common from the first. */
function stemLengths(tree: BoundTree): Uint32Array {
  const { titles } = tree.points;
  const lengths = new Uint32Array(tree.nodeCount);
  for (let node = tree.nodeCount - 1; node >= 0; node--) {
    const [left, right] = [tree.left[node]!, tree.right[node]!];
    const own = titleOf(tree, node);
    if (left >= 0) {
      lengths[node] = commonLength(own, titleOf(tree, right), Math.min(lengths[left]!, lengths[right]!));
      continue;
    }
    lengths[node] = own.length;
    for (let place = tree.start[node]! + 1; place < tree.end[node]!; place++) lengths[node] = commonLength(own, titles[tree.title[place]!]!, lengths[node]!);
  }
  return lengths;
}

/** Some title of a node. */
function titleOf(tree: BoundTree, node: number): string {
  return tree.points.titles[tree.title[tree.start[node]!]!]!;
}

function commonLength(a: string, b: string, most: number): number {
  let length = 0;
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}
