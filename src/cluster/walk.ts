import type { TreeSearch } from './tree-search.ts';

/**
 * Visits the leaves that may hold something within a limit of a place: its own first, where most of it is, then those
 * beside it, outwards. `visit` returns the limit that counts from then on; a negative one ends the walk.
 */
export type Walk = (place: number, limit: number, visit: (leaf: number) => number) => void;

export function createWalk(search: TreeSearch): Walk {
  const { left, right, parent, leafOf } = search.tree;
  const stack: number[] = [];
  return (place, limit, visit) => {
    let node = leafOf[place]!;
    let current = visit(node);
    if (limit < current) current = limit;
    while (current >= 0 && parent[node]! >= 0) {
      const above = parent[node]!;
      const first = left[above]!;
      stack.push(first === node ? right[above]! : first);
      while (stack.length > 0 && current >= 0) {
        const next = stack.pop()!;
        if (!search.mayReach(place, next, current)) continue;
        if (left[next]! < 0) current = visit(next);
        else stack.push(left[next]!, right[next]!);
      }
      node = above;
    }
    stack.length = 0;
  };
}
