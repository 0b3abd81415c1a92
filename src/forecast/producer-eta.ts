import type { FinishedRace } from './history-record.ts';

/** Two readings of a producer's estimate: the total, or what remained when it was given. */
const READINGS = ['total', 'remaining'] as const;
/** Numbers of a record: races, then bias (mean log of truth over estimate) and error of each reading. */
export const CLAIM_NUMBERS = 1 + 2 * READINGS.length;
const FORGETS = 0.1;
/** A wild estimate counts as one that is off by this, in log. */
const MOST_BIAS = 5;

/** What a producer's estimates turned out to be worth, of a title or of a source. */
export type Claims = Float64Array;

export function createClaims(): Claims {
  return new Float64Array(CLAIM_NUMBERS);
}

/** Learns from a finished race that was given an estimate by its producer. O(1). */
export function learnClaims(claims: Claims, { client_eta_sec, client_eta_elapsed_sec, duration_sec }: FinishedRace): void {
  if (client_eta_sec === null || !(client_eta_sec > 0) || !(duration_sec > 0)) return;
  const saidAtSec = client_eta_elapsed_sec ?? 0;
  // What was said at the very end says nothing.
  if (saidAtSec >= duration_sec) return;
  const count = claims[0]! + 1;
  claims[0] = count;
  const rate = Math.max(FORGETS, 1 / count);
  READINGS.forEach((reading, i) => {
    const truthSec = reading === 'total' ? duration_sec : duration_sec - saidAtSec;
    const ratio = Math.min(Math.max(Math.log(truthSec / client_eta_sec), -MOST_BIAS), MOST_BIAS);
    const at = 1 + 2 * i;
    const error = count === 1 ? Math.min(1, Math.abs(ratio)) : Math.abs(ratio - claims[at]!);
    claims[at + 1] = claims[at + 1]! + rate * (error - claims[at + 1]!);
    claims[at] = claims[at]! + rate * (ratio - claims[at]!);
  });
}

/**
 * The total that an estimate means by its producer's record, with how far off such totals have been in log duration;
 * the likelier reading where the producer does not say which it is. null = no record. O(1).
 * @param saidAtSec age of the race when it was given.
 */
export function readClaim(claims: Claims, etaSec: number, kind: 'total' | 'remaining' | null, saidAtSec: number): { totalSec: number; error: number } | null {
  if (claims[0] === 0) return null;
  const of = (i: number) => {
    const remainingOrTotalSec = etaSec * Math.exp(claims[1 + 2 * i]!);
    const totalSec = i === 0 ? remainingOrTotalSec : saidAtSec + remainingOrTotalSec;
    // An error of what remains is a smaller one of the total.
    return { totalSec, error: (claims[2 + 2 * i]! * remainingOrTotalSec) / totalSec };
  };
  if (kind !== null) return of(kind === 'total' ? 0 : 1);
  return claims[2]! <= claims[4]! ? of(0) : of(1);
}
