import { describe, expect, it } from 'vitest';
import type { Kind } from './profiles.ts';
import { simulate } from './simulate.ts';

/** Seeds of each kind in an ordinary run, unless a kind says otherwise: 2,100 in all, 50 to 60 ms of CPU each, about a minute on two idle cores. */
const DEFAULT_SEEDS = 700;
/** A defect shows in many seeds; the first few are enough to look at. */
const MOST_FAILURES = 3;
const SLOWEST_SEED_MS = 2_000;

/**
 * Tests of one kind of seeds. RACELINE_SIM_SEEDS=N runs seeds 1..N; RACELINE_SIM_SEED=S runs that one alone and prints
 * all that happened in it.
 *
 * What is real: runPipeline, runLearner, runHistorian, runJourneys and all below them, the codec, the memory storage. What is not:
 * the network and the group coordinator (cluster.ts, group.ts, member.ts), ClickHouse (sim-history-store.ts), time.
 */
export function testSeeds(kind: Kind, mustHappen: readonly string[], seedsOfRun = DEFAULT_SEEDS): void {
  const replayed = process.env['RACELINE_SIM_SEED'];
  const count = Number(process.env['RACELINE_SIM_SEEDS'] ?? seedsOfRun);
  const seeds = replayed === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(replayed)];
  describe(`simulation: ${kind}`, () => {
    it(`every promise holds for ${replayed === undefined ? `${count} seeds` : `seed ${replayed}`}`, { timeout: 60_000 + SLOWEST_SEED_MS * seeds.length }, async () => {
      const startedAtMs = performance.now();
      const failures: string[] = [];
      const totals: Record<string, number> = {};
      for (const seed of seeds) {
        const { violations, counts } = await simulate({ seed, kind, ...(replayed === undefined ? {} : { onTrace: (line) => process.stdout.write(`${line}\n`) }) });
        for (const [name, value] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + value;
        if (violations.length === 0) continue;
        failures.push(`Seed ${seed} broke a promise; to see it again: RACELINE_SIM_SEED=${seed} npm test tests/simulation/${kind}.test.ts\n${violations.map((what) => `  - ${what}`).join('\n')}`);
        if (failures.length === MOST_FAILURES) break;
      }
      process.stdout.write(`simulation ${kind}: ${(seeds.length / ((performance.now() - startedAtMs) / 1_000)).toFixed(1)} seeds/s, ${JSON.stringify(totals)}\n`);
      expect(failures.join('\n')).toBe('');
      // A simulation in which nothing goes wrong proves nothing.
      if (seeds.length >= seedsOfRun) for (const name of mustHappen) expect(totals[name], name).toBeGreaterThan(0);
    });
  });
}
