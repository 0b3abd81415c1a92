import type { Basis, RaceState } from '../race/state.ts';
import { bootstrapDistribution } from './bootstrap.ts';
import type { Distribution } from './distribution.ts';
import { blend } from './mixture.ts';
import type { SourceModel } from './model.ts';

export type Base = {
  readonly distribution: Distribution;
  readonly basis: Basis;
  /** Finished runs of its title, else of its masked title, else of its source (at most 20); 0 = only the bootstrap table. */
  readonly support: number;
};

/** What the history says of a race at submission: the mixture of all contexts it is in, without any the bootstrap table. */
export function baseOf(model: SourceModel | undefined, race: RaceState, asOfMs: number): Base {
  const { source, title, metadata } = race;
  const blended = model === undefined ? null : blend(model.mixture, { title, metadata, startedAtMs: race.started_at ?? asOfMs });
  if (blended === null) return { distribution: bootstrapDistribution(source, title), basis: 'bootstrap', support: 0 };
  const runs = blended.titleRuns || blended.kindRuns;
  return { distribution: blended.distribution, basis: runs > 0 ? 'key' : 'source', support: Math.max(1, runs) };
}
