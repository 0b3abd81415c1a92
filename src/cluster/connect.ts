import type { TreeSearch } from './tree-search.ts';
import { createTicker, type Work } from './work.ts';

/**
 * By place: a place that stands for the component of cores it is in; for a place that is no core, itself.
 *
 * A walk over pairs of nodes from the leaves upwards, so that near pairs are joined first. Two nodes of one component
 * need no look, two nodes whose bounds keep them apart need no deeper one: what remains is certified by true distances.
 */
export function connectCores(search: TreeSearch, limit: number, isCore: Uint8Array, work: Work): Int32Array {
  const { start, end, left, right, nodeCount } = search.tree;
  const roots = Int32Array.from({ length: isCore.length }, (_, place) => place);
  const tick = createTicker(work, 'connect');
  let done = 0;
  const find = (place: number): number => {
    let root = place;
    while (roots[root] !== root) root = roots[root] = roots[roots[root]!]!;
    return root;
  };
  const someCore = findSomeCores(search, isCore);
  // By node: all its cores are known to be connected. Once so, it stays so.
  const isOne = new Uint8Array(nodeCount);
  const checkOne = (node: number): boolean => {
    if (isOne[node] === 1) return true;
    if (left[node]! >= 0) {
      const [a, b] = [left[node]!, right[node]!];
      const isJoined = someCore[a]! < 0 || someCore[b]! < 0 || find(someCore[a]!) === find(someCore[b]!);
      if (!isJoined || isOne[a] === 0 || isOne[b] === 0) return false;
    } else if (someCore[node]! >= 0) {
      const root = find(someCore[node]!);
      for (let place = start[node]!; place < end[node]!; place++) if (isCore[place] === 1 && find(place) !== root) return false;
    }
    isOne[node] = 1;
    return true;
  };
  const joinPlaces = (place: number, from: number, to: number): void => {
    let root = find(place);
    for (let other = from; other < to; other++) {
      if (isCore[other] === 0) continue;
      const otherRoot = find(other);
      if (otherRoot === root || search.distanceWithin(place, other, limit) > limit) continue;
      if (otherRoot < root) root = roots[root] = otherRoot;
      else roots[otherRoot] = root;
    }
  };
  const joinLeaves = (a: number, b: number): void => {
    const coreB = checkOne(b) ? someCore[b]! : -1;
    for (let place = start[a]!; place < end[a]!; place++) {
      if (isCore[place] === 0 || (coreB >= 0 && find(coreB) === find(place)) || !search.mayReach(place, b, limit)) continue;
      joinPlaces(place, start[b]!, end[b]!);
    }
  };
  const join = (a: number, b: number): void => {
    if (someCore[a]! < 0 || someCore[b]! < 0) return;
    if (checkOne(a) && checkOne(b) && find(someCore[a]!) === find(someCore[b]!)) return;
    if (!search.mayMeet(a, b, limit)) return;
    tick(done / nodeCount);
    const isLeafA = left[a]! < 0;
    const isLeafB = left[b]! < 0;
    if (isLeafA && isLeafB) {
      joinLeaves(a, b);
    } else if (isLeafB || (!isLeafA && end[a]! - start[a]! >= end[b]! - start[b]!)) {
      join(left[a]!, b);
      join(right[a]!, b);
    } else {
      join(a, left[b]!);
      join(a, right[b]!);
    }
  };
  // Children have higher numbers than their parent.
  for (let node = nodeCount - 1; node >= 0; node--) {
    if (left[node]! >= 0) join(left[node]!, right[node]!);
    else for (let place = start[node]!; place < end[node]!; place++) if (isCore[place] === 1) joinPlaces(place, place + 1, end[node]!);
    checkOne(node);
    done++;
  }
  for (let place = 0; place < roots.length; place++) roots[place] = find(place);
  return roots;
}

/** By node: a core in it, -1 for none. */
function findSomeCores({ tree }: TreeSearch, isCore: Uint8Array): Int32Array {
  const { start, end, left, right, nodeCount } = tree;
  const someCore = new Int32Array(nodeCount).fill(-1);
  for (let node = nodeCount - 1; node >= 0; node--) {
    if (left[node]! >= 0) someCore[node] = Math.max(someCore[left[node]!]!, someCore[right[node]!]!);
    else for (let place = start[node]!; place < end[node]!; place++) if (isCore[place] === 1) someCore[node] = place;
  }
  return someCore;
}
