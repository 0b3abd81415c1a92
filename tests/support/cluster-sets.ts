import type { RaceFacts } from '../../src/cluster/distance.ts';
import { createRacePacker, type PackedRaces } from '../../src/cluster/packed-races.ts';
import { seededRandom } from './random.ts';

export function packRaces(races: readonly RaceFacts[]): PackedRaces {
  const packer = createRacePacker();
  for (const { title, metadata } of races) packer.add(title, metadata);
  return packer.pack();
}

/** The same items in another order, the same for the same seed. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const order = items.slice();
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

export type TangleOptions = {
  readonly seed: number;
  readonly races: number;
  /** Distinct keys; each race has some of them. */
  readonly keys: number;
  /** Values of a key. */
  readonly values: number;
};

const PARTS = ['build', 'test', 'deploy', 'lint', 'αβγ', '🚀', 'a', '', 'release candidate', '#12', '#13'];

/** Races without any order in them: few words and values, so that repeats, ties at eps, borders and empty titles abound. */
export function tangledRaces({ seed, races, keys, values }: TangleOptions): RaceFacts[] {
  const random = seededRandom(seed);
  const whole = (below: number): number => Math.floor(random() * below);
  return Array.from({ length: races }, () => {
    const title = Array.from({ length: whole(4) }, () => PARTS[whole(PARTS.length)] ?? '').join(' ');
    const names = Array.from({ length: keys }, (_, key) => `k${key}`).filter(() => random() < 0.7);
    return { title, metadata: Object.fromEntries(names.map((name) => [name, `v${whole(values)}`])) };
  });
}

/** The origin's fixture of sixteen jobs: those of cargo and of npm, all of one project, titles as it compared them, without punctuation. */
export const cargoTitles = [
  'cargo build', 'cargo build release', 'cargo build features foo', 'cargo build', 'cargo build release', 'cargo test', 'cargo test all', 'cargo test integration',
  'cargo test unit', 'cargo doc open', 'cargo clippy w warnings',
] as const;
/** Names of `cargoTitles` in the fixture. */
export const cargoNames = ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r14', 'r16'] as const;
export const npmTitles = ['npm install', 'npm install save dev', 'npm build', 'npm run build', 'npm audit fix'] as const;
export const npmNames = ['r10', 'r11', 'r12', 'r13', 'r15'] as const;

export function ofProject(titles: readonly string[]): RaceFacts[] {
  return titles.map((title) => ({ title, metadata: { project: 'test-project' } }));
}
