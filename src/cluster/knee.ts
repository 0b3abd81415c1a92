/** Points that a curve is read at; more are thinned to these by interpolation, so that no single step makes a knee. Chosen. */
const CURVE_POINTS = 101;
/** How far, in mean steps, the curve must come back from a maximum. The paper's S; 1 as it recommends. */
const SENSITIVITY = 1;

export type Knee = { readonly index: number; readonly value: number };

/**
 * Where a convex, ascending curve turns up: Kneedle (Satopää et al. 2011). Values ascending, at equal steps.
 *
 * Both axes are scaled to 0..1; candidates are the local maxima of how far the curve runs below the diagonal; one
 * counts if the curve comes back by its threshold before the next maximum, towards the steep end. Of those the
 * greatest is the knee. Null for no knee: fewer than three values, a flat curve, one that is never below the
 * diagonal. O(values).
 */
export function findKnee(values: ArrayLike<number>): Knee | null {
  const curve = thinned(values);
  const last = curve.length - 1;
  const span = last < 2 ? 0 : curve[last]! - curve[0]!;
  if (!(span > 0)) return null;
  const below = curve.map((value, i) => i / last - (value - curve[0]!) / span);
  let best = -1;
  for (let i = 1; i < last; i++) {
    if (below[i]! <= 0 || below[i]! < below[i - 1]! || below[i]! < below[i + 1]!) continue;
    if ((best < 0 || below[i]! > below[best]!) && comesBack(below, i, SENSITIVITY / last)) best = i;
  }
  if (best < 0) return null;
  return { index: Math.round((best / last) * (values.length - 1)), value: curve[best]! };
}

function comesBack(below: readonly number[], from: number, threshold: number): boolean {
  for (let i = from + 1; i < below.length && below[i]! <= below[from]!; i++) if (below[i]! < below[from]! - threshold) return true;
  return false;
}

function thinned(values: ArrayLike<number>): number[] {
  if (values.length <= CURVE_POINTS) return Array.from(values);
  return Array.from({ length: CURVE_POINTS }, (_, i) => {
    const at = (i / (CURVE_POINTS - 1)) * (values.length - 1);
    const low = Math.floor(at);
    const high = Math.min(low + 1, values.length - 1);
    return values[low]! + (at - low) * (values[high]! - values[low]!);
  });
}

/** Eps is held within these. Specified: below, runs of one kind fall apart; above, kinds merge. */
export const EPS_MIN = 0.1;
export const EPS_MAX = 0.35;
/** Where no curve says anything. Chosen: what the distance's weights make of two of seven pairs and a tail of a title. */
export const EPS_DEFAULT = 0.3;
/** Distinct races that eps may leave without k neighbours, as a share: more would be over the limit of noise. Specified. */
const MOST_BEYOND = 0.15;
/** Share of a new knee in eps beside that of the model before. Specified. */
const NEW_SHARE = 0.2;

/**
 * How eps was found: asked for; at the knee; above the knee, which would have made too much noise; that was outside the
 * range; there was no knee; the curve was too dear.
 */
export type EpsRule = 'given' | 'knee' | 'noise_limit' | 'below_range' | 'above_range' | 'no_knee' | 'over_budget';

export type Eps = {
  /** In `EPS_MIN`..`EPS_MAX` unless given. */
  readonly eps: number;
  readonly rule: EpsRule;
  /** The knee itself, null for none. */
  readonly knee: number | null;
};

/**
 * Eps from a k-distance curve, ascending: at the knee, but not below the k-distance that 85 % of the races have, and moved
 * by a fifth only from that of the model before, if there is one. A fleet of two kinds of title has two bends in its
 * curve, and at the lower one half of it is noise.
 */
export function chooseEps(curve: ArrayLike<number>, previous: number | null): Eps {
  const knee = findKnee(curve)?.value ?? null;
  if (knee === null) return { eps: previous ?? EPS_DEFAULT, rule: 'no_knee', knee };
  const quiet = curve[Math.ceil((1 - MOST_BEYOND) * curve.length) - 1]!;
  const wanted = Math.max(knee, quiet);
  const held = Math.min(EPS_MAX, Math.max(EPS_MIN, wanted));
  const rule = wanted < EPS_MIN ? 'below_range' : wanted > EPS_MAX ? 'above_range' : quiet > knee ? 'noise_limit' : 'knee';
  return { eps: previous === null ? held : NEW_SHARE * held + (1 - NEW_SHARE) * previous, rule, knee };
}
