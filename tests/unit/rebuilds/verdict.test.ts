import { describe, expect, test } from 'vitest';
import { createRacePacker } from '../../../src/cluster/packed-races.ts';
import { defaultRebuildOptions, rebuildClusters, type Rebuilt } from '../../../src/cluster/rebuild.ts';
import { candidateOf, type Candidate } from '../../../src/rebuilds/candidate.ts';
import { runTrial, type TrialRace, type TrialResult } from '../../../src/rebuilds/trial.ts';
import { judgeCandidate, type Verdict } from '../../../src/rebuilds/verdict.ts';
import { raceFleet } from '../../support/race-fleet.ts';
import { seededRandom } from '../../support/random.ts';

type Past = Omit<TrialRace, 'candidateId' | 'inForceId'>;

/** Distinct titles, few metadata: a template has its own duration, and only clusters tell templates apart. */
function fleet(count: number, seed: number): Past[] {
  const random = seededRandom(seed);
  return raceFleet({ seed, races: count, metadata: 'weak' }).map(({ title, metadata, template }, n) => {
    const durationSec = 20 * 1.7 ** (template % 9) * Math.exp(0.1 * (random() - 0.5));
    return { title, metadata: Object.keys(metadata).sort().map((key) => ({ key, value: metadata[key]! })), startedAtMs: n * 60_000, completedAtMs: n * 60_000 + durationSec * 1_000, durationSec, hasPassed: true };
  });
}

const races = fleet(1_000, 7);
const [seen, unseen] = [races.slice(0, 800), races.slice(800)];
const rebuilt = rebuild();

function rebuild(): Rebuilt {
  const pack = (some: readonly Past[]) => {
    const packer = createRacePacker();
    for (const { title, metadata } of some) packer.add(title, Object.fromEntries(metadata.map(({ key, value }) => [key, value!])));
    return packer.pack();
  };
  const outcome = rebuildClusters({ races: pack(seen), unseen: pack(unseen), options: defaultRebuildOptions }, { report: () => true, nowMs: () => 0 });
  if (outcome.kind !== 'rebuilt') throw new Error(outcome.kind);
  return outcome.rebuilt;
}

function candidate(changes: Partial<Parameters<typeof candidateOf>[0]> = {}): Candidate {
  return candidateOf({ source: 'ci', version: 'v2', builtAtMs: 0, rebuilt, durationsSec: seen.map(({ durationSec }) => durationSec), unseenDurationsSec: [], previous: null, ...changes });
}

function tried({ model, ids, unseenIds }: Candidate, inForce: { readonly ids: readonly (string | null)[]; readonly unseenIds: readonly (string | null)[] } | null = null): TrialResult {
  const steps = runTrial({
    candidate: model,
    seen: seen.map((race, i) => ({ ...race, candidateId: ids[i]!, inForceId: inForce?.ids[i] ?? null })),
    unseen: unseen.map((race, i) => ({ ...race, candidateId: unseenIds[i]!, inForceId: inForce?.unseenIds[i] ?? null })),
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function judge(proposed: Candidate, trial: TrialResult): Verdict {
  return judgeCandidate({ noiseRatio: rebuilt.noiseRatio, clusterSizes: rebuilt.clusters.map(({ size }) => size), agreement: proposed.model.agreement, trial });
}

const failed = ({ checks }: Verdict): string[] => checks.filter(({ passed }) => !passed).map(({ check }) => check);

function shuffled<T>(values: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}

describe('a candidate', () => {
  test('that is right is accepted, and every check says why', () => {
    const proposed = candidate();
    const verdict = judge(proposed, tried(proposed));
    expect(verdict.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(verdict.checks.map(({ check }) => check)).toEqual(['evidence', 'noise', 'cluster_size', 'error', 'coverage', 'usefulness']);
    expect(verdict.checks.every(({ reason }) => reason.length > 20)).toBe(true);
  });

  test('that is rebuilt from the same races agrees with itself, keeps its ids and is accepted', () => {
    const before = candidate({ version: 'v1' });
    const again = candidate({ previous: before.ids });
    expect(again.model.agreement).toBe(1);
    expect(again.ids).toEqual(before.ids);
    expect(failed(judge(again, tried(again, before)))).toEqual([]);
  });

  test('whose labels were shuffled is refused: with a model in force it does not agree, without one it tells nothing', () => {
    const before = candidate({ version: 'v1' });
    const labels = Int32Array.from(shuffled([...rebuilt.labels], 3));
    const unseenLabels = Int32Array.from(shuffled([...rebuilt.unseenLabels!], 4));
    const worse = candidate({ rebuilt: { ...rebuilt, labels, unseenLabels }, previous: before.ids });
    expect(worse.model.agreement!).toBeLessThan(0.1);
    expect(failed(judge(worse, tried(worse, before)))).toEqual(expect.arrayContaining(['agreement', 'error', 'usefulness']));
    const first = candidate({ rebuilt: { ...rebuilt, labels, unseenLabels } });
    expect(failed(judge(first, tried(first)))).toContain('usefulness');
  });

  test('whose durations were scrambled is refused for its error, though its clusters are the right ones', () => {
    const before = candidate({ version: 'v1' });
    const scrambled = candidate({ durationsSec: shuffled(seen.map(({ durationSec }) => durationSec), 5), previous: before.ids });
    expect(scrambled.model.agreement).toBe(1);
    const verdict = judge(scrambled, tried(scrambled, before));
    expect(failed(verdict)).toContain('error');
    expect(verdict.checks.find(({ check }) => check === 'error')!.reason).toMatch(/mean error .* of 200 races is \d/);
  });

  test('is not judged by itself: what it is held against are races that it has not seen, as they ended', () => {
    const proposed = candidate();
    const result = tried(proposed);
    expect(result.races).toBe(unseen.length);
    // A model of nothing but its own representatives would miss nothing.
    expect(result.candidate.maeSec).toBeGreaterThan(0);
    const slower = unseen.map((race) => ({ ...race, durationSec: race.durationSec * 3, completedAtMs: race.startedAtMs + 3_000 * race.durationSec }));
    const steps = runTrial({ candidate: proposed.model, seen: seen.map((race, i) => ({ ...race, candidateId: proposed.ids[i]!, inForceId: null })), unseen: slower.map((race, i) => ({ ...race, candidateId: proposed.unseenIds[i]!, inForceId: null })) });
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    expect(step.value.candidate.loss).toBeGreaterThan(2 * result.candidate.loss);
  });

  test('too noisy or too small is refused', () => {
    const proposed = candidate();
    const trial = tried(proposed);
    expect(failed(judgeCandidate({ noiseRatio: 0.31, clusterSizes: [5, 5], agreement: null, trial }))).toEqual(['noise']);
    expect(failed(judgeCandidate({ noiseRatio: 0.3, clusterSizes: [5, 1], agreement: null, trial }))).toEqual(['cluster_size']);
    expect(failed(judgeCandidate({ noiseRatio: 0, clusterSizes: [], agreement: null, trial }))).toEqual(['cluster_size']);
  });
});
