/** Pairs that are kept, some 100 bytes each: those of a few thousand titles. Chosen, not tuned. */
const MOST_PAIRS = 50_000;
/** Longer ones are not worth the memory. */
const LONGEST = 256;

const pairs = new Map<string, Map<string, string>>();
let count = 0;

/**
 * Two texts on lines of their own, as the one copy of them: those that name a context come again with every forecast, and
 * to find a text that was just joined takes several times as long as to find one that was found before.
 */
export function joinedText(first: string, last: string): string {
  const known = pairs.get(first)?.get(last);
  if (known !== undefined) return known;
  const joined = `${first}\n${last}`;
  if (joined.length <= LONGEST) keep(first, last, joined);
  return joined;
}

function keep(first: string, last: string, joined: string): void {
  if (count === MOST_PAIRS) {
    pairs.clear();
    count = 0;
  }
  count += 1;
  const ofFirst = pairs.get(first);
  if (ofFirst === undefined) pairs.set(first, new Map([[last, joined]]));
  else ofFirst.set(last, joined);
}
