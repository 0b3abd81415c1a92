/** The two of these ascending knots around a value, and how far it is from the first to the second, 0..1; beyond the last: the last alone. O(knots). */
export function around(knots: readonly number[], value: number): readonly [low: number, high: number, share: number] {
  const last = knots.length - 1;
  if (value >= knots[last]!) return [last, last, 0];
  let i = 1;
  while (knots[i]! <= value) i++;
  return [i - 1, i, Math.max(0, value - knots[i - 1]!) / (knots[i]! - knots[i - 1]!)];
}
