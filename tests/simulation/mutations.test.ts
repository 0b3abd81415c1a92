import { describe, expect, it } from 'vitest';
import type { Mutation } from '../support/simulation/mutations.ts';
import type { Kind } from '../support/simulation/profiles.ts';
import { simulate } from '../support/simulation/simulate.ts';

const MOST_SEEDS = 400;

async function firstCaught(kind: Kind, mutation: Mutation): Promise<readonly string[]> {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    const { violations } = await simulate({ seed, kind, mutation });
    if (violations.length > 0) return violations;
  }
  return [];
}

describe('the simulation notices a service that', () => {
  it.each([
    ['commits before the changelog is stored', 'commit-before-changelog', 'crashes', /is committed, the changelog has applied/],
    ['does not look at origins', 'no-origin-check', 'crashes', /a learner has learned|too many of/],
    ['does not look for former owners', 'no-take-over', 'take-overs', /a former owner's|differs between what the owner holds/],
    ['drops the slice that it could not send', 'drop-unsent', 'crashes', /was never sent|was sent, \d+ never|is committed, the changelog has applied/],
  ] as const)('%s', { timeout: 300_000 }, async (_, mutation, kind, words) => {
    const violations = await firstCaught(kind, mutation);
    expect(violations.join('\n')).toMatch(words);
  });
});

describe('a seed', () => {
  it.each(['crashes', 'take-overs', 'clocks', 'journeys'] as const)('of %s does the same twice', async (kind) => {
    const traceOf = async (): Promise<string[]> => {
      const lines: string[] = [];
      await simulate({ seed: 7, kind, onTrace: (line) => lines.push(line) });
      return lines;
    };
    const first = await traceOf();
    expect(first.length).toBeGreaterThan(50);
    expect(await traceOf()).toEqual(first);
  });
});
