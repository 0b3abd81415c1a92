import { BINS, type BoundTree } from './bound-tree.ts';
import { editsBetween, METADATA_SHARE, mixDistance, TITLE_SHARE } from './distance.ts';
import { createStemBounds } from './stems.ts';
import type { Work } from './work.ts';

/** Distinct titles up to which the edits between any two are kept: 2 bytes a pair, 18 MB. */
const MOST_KEPT_TITLES = 3_000;
const UNKNOWN = 0xffff;
/** Bounds and distances are rounded apart; a bound must err on the side of looking. */
const ROUNDING = 1e-12;

/** What can be asked of a tree. Places, not points. `limit` = the greatest distance that counts, tolerance included. */
export type TreeSearch = {
  readonly tree: BoundTree;
  /** The distance of two places if it is at most `limit`, else Infinity; cheap for most that are farther. */
  distanceWithin(a: number, b: number, limit: number): number;
  /** False if no place of one node is within `limit` of any of the other. */
  mayMeet(nodeA: number, nodeB: number, limit: number): boolean;
  /** False if the place is not within `limit` of any in the node. */
  mayReach(place: number, node: number, limit: number): boolean;
};

export function createTreeSearch(tree: BoundTree, work: Work): TreeSearch {
  const { points, masks, binMin, binMax, lengthMin, lengthMax, pairsMin, restMax, oneTitle, stem, leafOf, columns, bits, bins, order } = tree;
  const { titles, columnCount: width, restEnds, restPairs } = points;
  const { title: titleOf, length: lengthOf, pairs: pairsOf, rest: restOf } = tree;
  const kept = titles.length <= MOST_KEPT_TITLES ? new Uint16Array(titles.length * titles.length).fill(UNKNOWN) : null;

  const stemEdits = createStemBounds(tree.stems);
  const edits = (a: number, b: number): number => {
    if (a === b) return 0;
    if (kept === null) return editsBetween(titles[a]!, titles[b]!);
    const at = a < b ? a * titles.length + b : b * titles.length + a;
    if (kept[at] !== UNKNOWN) return kept[at]!;
    return kept[at] = editsBetween(titles[a]!, titles[b]!);
  };
  const sharedOf = (a: number, b: number): number => {
    let shared = 0;
    for (let i = a * width, j = b * width, end = i + width; i < end; i++, j++) if (columns[i] === columns[j] && columns[i] !== 0) shared++;
    return restOf[a] === 0 || restOf[b] === 0 ? shared : shared + sharedRest(restPairs, restEnds[order[a]!]! - restOf[a]!, restOf[a]!, restEnds[order[b]!]! - restOf[b]!, restOf[b]!);
  };
  /** The most that titles may differ, as a share of the longer one, given what their metadata may have in common at most. */
  const titleRoom = (shared: number, pairsA: number, pairsB: number, limit: number): number => {
    const union = Math.max(pairsA, shared) + Math.max(pairsB, shared) - shared;
    return (limit + ROUNDING - (union === 0 ? 0 : METADATA_SHARE * (1 - shared / union))) / TITLE_SHARE;
  };

  return {
    tree,
    distanceWithin(a, b, limit) {
      work.checks++;
      const shared = sharedOf(a, b);
      const room = titleRoom(shared, pairsOf[a]!, pairsOf[b]!, limit);
      if (room < 0) return Infinity;
      const titleA = titleOf[a]!;
      const titleB = titleOf[b]!;
      if (titleA === titleB) {
        const distance = mixDistance(0, 0, shared, pairsOf[a]!, pairsOf[b]!);
        return distance <= limit ? distance : Infinity;
      }
      const [lengthA, lengthB] = [lengthOf[a]!, lengthOf[b]!];
      const longest = lengthA > lengthB ? lengthA : lengthB;
      const most = room * longest;
      if (longest - (lengthA < lengthB ? lengthA : lengthB) > most) return Infinity;
      let common = 0;
      for (let i = a * BINS, j = b * BINS, end = i + BINS; i < end; i++, j++) common += bins[i]! < bins[j]! ? bins[i]! : bins[j]!;
      if (longest - common > most || stemEdits(stem[leafOf[a]!]!, stem[leafOf[b]!]!) > most) return Infinity;
      work.distanceCalls++;
      const distance = mixDistance(edits(titleA, titleB), longest, shared, pairsOf[a]!, pairsOf[b]!);
      return distance <= limit ? distance : Infinity;
    },
    mayMeet(a, b, limit) {
      work.checks++;
      let shared = restMax[a]! < restMax[b]! ? restMax[a]! : restMax[b]!;
      for (let i = a * width, j = b * width, end = i + width; i < end; i++, j++) if ((masks[i]! & masks[j]!) !== 0) shared++;
      const room = titleRoom(shared, pairsMin[a]!, pairsMin[b]!, limit);
      if (room < 0) return false;
      if (oneTitle[a] === oneTitle[b] && oneTitle[a]! >= 0) return true;
      // The longer of any two titles is at least `longest`; a gap in length alone may decide.
      const longest = lengthMin[a]! > lengthMin[b]! ? lengthMin[a]! : lengthMin[b]!;
      const shortest = lengthMax[a]! < lengthMax[b]! ? lengthMax[a]! : lengthMax[b]!;
      if (longest - shortest > room * longest) return false;
      const longestMax = lengthMax[a]! > lengthMax[b]! ? lengthMax[a]! : lengthMax[b]!;
      let common = 0;
      let onlyA = 0;
      let onlyB = 0;
      for (let i = a * BINS, j = b * BINS, end = i + BINS; i < end; i++, j++) {
        const [maxA, maxB] = [binMax[i]!, binMax[j]!];
        common += maxA < maxB ? maxA : maxB;
        if (binMin[i]! > maxB) onlyA += binMin[i]! - maxB;
        if (binMin[j]! > maxA) onlyB += binMin[j]! - maxA;
      }
      if (longest - common > room * longest) return false;
      return (onlyA > onlyB ? onlyA : onlyB) <= room * longestMax && stemEdits(stem[a]!, stem[b]!) <= room * longestMax;
    },
    mayReach(place, node, limit) {
      work.checks++;
      let shared = restMax[node]! < restOf[place]! ? restMax[node]! : restOf[place]!;
      for (let i = place * width, j = node * width, end = i + width; i < end; i++, j++) if ((bits[i]! & masks[j]!) !== 0) shared++;
      const room = titleRoom(shared, pairsOf[place]!, pairsMin[node]!, limit);
      if (room < 0) return false;
      const length = lengthOf[place]!;
      const longest = length > lengthMin[node]! ? length : lengthMin[node]!;
      const shortest = length < lengthMax[node]! ? length : lengthMax[node]!;
      const longestMax = length > lengthMax[node]! ? length : lengthMax[node]!;
      if (longest - shortest > room * longest) return false;
      let common = 0;
      let missing = 0;
      for (let i = place * BINS, j = node * BINS, end = i + BINS; i < end; i++, j++) {
        const own = bins[i]!;
        common += own < binMax[j]! ? own : binMax[j]!;
        if (binMin[j]! > own) missing += binMin[j]! - own;
      }
      if (longest - common > room * longest) return false;
      return missing <= room * longestMax && stemEdits(stem[leafOf[place]!]!, stem[node]!) <= room * longestMax;
    },
  };
}

function sharedRest(pairs: Uint32Array, fromA: number, countA: number, fromB: number, countB: number): number {
  let shared = 0;
  let i = 0;
  let j = 0;
  while (i < countA && j < countB) {
    const order = pairs[fromA + i]! - pairs[fromB + j]!;
    if (order === 0) shared++;
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return shared;
}
