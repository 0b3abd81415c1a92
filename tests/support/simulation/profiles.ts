import type { Faults } from './cluster.ts';
import type { WorkloadOptions } from './workload.ts';
import type { World } from './world.ts';

/** What a family of seeds is about. */
export type Kind = 'crashes' | 'take-overs' | 'clocks' | 'journeys';
export type Chaos = 'crash' | 'stop' | 'rebalance' | 'clock' | 'maintain' | 'recreate' | 'nothing';

/** What a seed has drawn to go wrong. */
export type Profile = {
  readonly instances: number;
  readonly partitions: { readonly races: number; readonly sources: number };
  readonly maxDeaths: number;
  readonly meanEffectsToCrash: number;
  readonly faults: Faults;
  readonly chaos: readonly Chaos[];
  readonly chaosEveryMs: number;
  /** Share of rebalances of which the old owner hears late. */
  readonly abrupt: number;
  /** Share of instances whose clock is off. */
  readonly skewed: number;
  readonly finishedTtlMs: number;
  /** Nothing is closed or expired by a clock. */
  readonly isTimeless: boolean;
  readonly historianRows: number;
  /** Appends within so many ms come at once. */
  readonly burstMs: number;
  readonly workload: Omit<WorkloadOptions, 'world' | 'partitions'>;
  /** Vehicles under way; 0 = the role journeys does not run. */
  readonly vehicles: number;
};

const DAY_MS = 86_400_000;

export function drawProfile(world: World, kind: Kind): Profile {
  const some = (share: number, low: number, high: number): number => world.chance(share) ? world.between(low, high) : 0;
  const isClocks = kind === 'clocks';
  const isTakeOvers = kind === 'take-overs';
  return {
    instances: isTakeOvers ? world.whole(2, 4) : world.whole(1, 3),
    partitions: { races: world.whole(1, 3), sources: world.whole(1, 2) },
    maxDeaths: world.whole(1, 6),
    meanEffectsToCrash: world.pick([8, 25, 80, 300]),
    faults: {
      refused: some(0.6, 0.01, 0.15), unknown: some(0.6, 0.01, 0.15), slow: isTakeOvers ? world.between(0.2, 0.6) : some(0.5, 0.02, 0.3),
      readBreaks: some(0.4, 0.02, 0.2), redelivered: some(0.5, 0.02, 0.2),
    },
    chaos: [
      'nothing', 'rebalance', 'stop', 'crash', 'maintain', ...(isTakeOvers ? ['rebalance', 'rebalance'] as const : []), ...(isClocks ? ['clock', 'clock'] as const : []),
      ...(kind === 'crashes' && world.chance(0.15) ? ['recreate', 'recreate'] as const : []),
    ],
    chaosEveryMs: isTakeOvers ? world.pick([2_000, 5_000, 15_000]) : world.pick([4_000, 12_000, 30_000]),
    abrupt: isTakeOvers ? 0.8 : kind === 'journeys' ? 0.4 : 0,
    skewed: isClocks ? 0.4 : 0,
    finishedTtlMs: isClocks ? world.pick([5_000, 30_000, DAY_MS]) : 300 * DAY_MS,
    isTimeless: !isClocks,
    historianRows: world.pick([3, 20, 5_000]),
    burstMs: world.pick([5, 1_000, 5_000]),
    workload: {
      races: world.whole(3, 12), spreadMs: world.pick([20_000, 60_000]),
      noise: { late: some(0.7, 0.05, 0.4), twice: some(0.7, 0.02, 0.2), broken: some(0.7, 0.02, 0.15), misplaced: some(0.5, 0.02, 0.15), forgotten: some(0.4, 0.02, 0.15) },
      wrongClocks: some(0.4, 0.1, 0.4),
      silent: isClocks ? world.pick([0.1, 0.6]) : 0.1,
      fat: some(0.04, 0.3, 1),
    },
    vehicles: kind === 'journeys' ? world.whole(1, 4) : 0,
  };
}
