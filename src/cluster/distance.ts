import { distance as levenshtein } from 'fastest-levenshtein';

/** Share of the title in a distance. Specified. */
export const TITLE_SHARE = 0.6;
/** Share of the metadata in a distance. Specified. */
export const METADATA_SHARE = 0.4;
/** Races are neighbours if d <= eps + this: equal titles whose Jaccard index is 1/4 are 0.30000000000000004 apart. */
export const TIE_TOLERANCE = 1e-9;

/** What of a race decides how like another it is. */
export type RaceFacts = { readonly title: string; readonly metadata: Readonly<Record<string, string>> };

/**
 * 0.6 · Levenshtein / longer title + 0.4 · (1 − Jaccard index of the key=value pairs), in 0..1, from its parts: edits and
 * longer title in characters, pairs in both, pairs of each. Two empty titles are 0 apart, as are two empty sets of pairs.
 * No metric: the triangle inequality does not hold.
 */
export function mixDistance(edits: number, longest: number, shared: number, pairsA: number, pairsB: number): number {
  const union = pairsA + pairsB - shared;
  const title = longest === 0 ? 0 : edits / longest;
  const metadata = union === 0 ? 0 : 1 - shared / union;
  return TITLE_SHARE * title + METADATA_SHARE * metadata;
}

/** The distance of two races, 0..1. O(product of the titles' lengths / 32 + pairs). */
export function raceDistance(a: RaceFacts, b: RaceFacts, alphabet: Alphabet = createAlphabet()): number {
  const [titleA, titleB] = [alphabet.encode(a.title), alphabet.encode(b.title)];
  const keysA = Object.keys(a.metadata);
  let shared = 0;
  for (const key of keysA) if (Object.hasOwn(b.metadata, key) && a.metadata[key] === b.metadata[key]) shared++;
  return mixDistance(editsBetween(titleA, titleB), Math.max(titleA.length, titleB.length), shared, keysA.length, Object.keys(b.metadata).length);
}

/** Levenshtein distance in UTF-16 units: give it encoded titles where characters count. */
export function editsBetween(a: string, b: string): number {
  if (a === b) return 0;
  // Runs of one kind begin alike: what both share at either end costs nothing, and often leaves one machine word.
  const shorter = Math.min(a.length, b.length);
  let from = 0;
  while (from < shorter && a.charCodeAt(from) === b.charCodeAt(from)) from++;
  let tail = 0;
  while (tail < shorter - from && a.charCodeAt(a.length - 1 - tail) === b.charCodeAt(b.length - 1 - tail)) tail++;
  const restA = a.length - from - tail;
  const restB = b.length - from - tail;
  if (restA === 0 || restB === 0) return restA + restB;
  return levenshtein(a.substring(from, a.length - tail), b.substring(from, b.length - tail));
}

/** Gives every character one UTF-16 unit of its own, so that lengths and edits count characters. */
export type Alphabet = {
  /** The title with each character outside the basic plane, or in its private area, as one unit that stands for it. */
  encode(title: string): string;
  /** False once more such characters have been met than there are units: from then on the last unit stands for several. */
  isComplete(): boolean;
};

/** Surrogates, which never stand alone in well-formed text, and the private area after them, whose characters are moved too. */
const FIRST_UNIT = 0xd800;
const LAST_UNIT = 0xf8ff;

export function createAlphabet(): Alphabet {
  const units = new Map<number, number>();
  let isComplete = true;
  const unitOf = (point: number): number => {
    const known = units.get(point);
    if (known !== undefined) return known;
    if (units.size > LAST_UNIT - FIRST_UNIT) {
      isComplete = false;
      return LAST_UNIT;
    }
    const unit = FIRST_UNIT + units.size;
    units.set(point, unit);
    return unit;
  };
  return {
    encode(title) {
      if (!/[\ud800-\uf8ff]/.test(title)) return title;
      let encoded = '';
      for (const character of title) {
        const point = character.codePointAt(0)!;
        encoded += point > 0xffff || (point >= FIRST_UNIT && point <= LAST_UNIT) ? String.fromCharCode(unitOf(point)) : character;
      }
      return encoded;
    },
    isComplete: () => isComplete,
  };
}
