import type { Corrections } from './corrections.ts';
import { LEG_NUMBERS } from './legs.ts';
import { createJourneyModel, type JourneyModel } from './model.ts';

/** What of a model is no column of numbers. Legs are in the order of their last teaching, which is that of eviction. */
export type JourneyHeader = { readonly legs: readonly string[]; readonly totals: readonly [sec: number, nominalSec: number, metres: number, metresSec: number]; readonly votes: readonly number[]; readonly counts: readonly number[] };

/** A model for storage: equal models give equal bytes. */
export function storeJourneys(model: JourneyModel): { readonly header: JourneyHeader; readonly columns: readonly Float64Array[] } {
  const { legs, votes } = model;
  return {
    header: { legs: [...legs.legs.keys()], totals: [legs.sec, legs.nominalSec, legs.metres, legs.metresSec], votes, counts: correctionsOf(model).flatMap(({ knots }) => knots.map(({ count }) => count)) },
    columns: [...fixedColumns(model), ...legs.legs.values()],
  };
}

/** A model that goes on as if it had never been stored. @param take the bytes of the next so many. */
export function restoreJourneys({ legs, totals, votes, counts }: JourneyHeader, take: (bytes: number) => ArrayBuffer): JourneyModel {
  const model = createJourneyModel();
  for (const column of fixedColumns(model)) column.set(new Float64Array(take(column.byteLength)));
  const [sec, nominalSec, metres, metresSec] = totals;
  Object.assign(model.legs, { sec, nominalSec, metres, metresSec });
  for (const key of legs) model.legs.legs.set(key, new Float64Array(take(8 * LEG_NUMBERS)));
  const knots = correctionsOf(model).flatMap((corrections) => corrections.knots);
  for (const [i, knot] of knots.entries()) knot.count = counts[i] ?? 0;
  model.votes = votes;
  return model;
}

function correctionsOf({ corrections }: JourneyModel): Corrections[] {
  return [corrections.before, corrections.underWay];
}

/** Columns whose lengths do not depend on what was learned. */
function fixedColumns(model: JourneyModel): Float64Array[] {
  const { legs, ranges } = model;
  return [
    legs.hourExcess, legs.hourExpected,
    ...correctionsOf(model).flatMap(({ knots }) => knots.flatMap(({ gram, moment, weights }) => [gram, moment, weights])),
    ...[ranges.before, ranges.underWay, ranges.unsettled].flatMap(({ bounds }) => bounds),
  ];
}
