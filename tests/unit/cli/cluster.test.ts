import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/main.ts';
import { clusterByDefinition } from '../../../src/cluster/brute-force.ts';
import { raceFleet, raceFleetCsv } from '../../support/race-fleet.ts';

const folder = mkdtempSync(join(tmpdir(), 'raceline-cluster-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const asTheyStand = ['--eps', '0.3', '--min-pts', '3', '--keys', 'all', '--mask', 'off'];

async function raceline(...args: string[]): Promise<{ outcome: unknown; out: string; err: string }> {
  const [out, err] = [[] as string[], [] as string[]];
  const collect = (into: string[]) => ({ write: (text: string | Uint8Array): boolean => into.push(String(text)) > 0 });
  const outcome = await run(['cluster', ...args], {}, { out: collect(out), err: collect(err) });
  return { outcome, out: out.join(''), err: err.join('') };
}

const races = raceFleet({ seed: 6, races: 300 });
writeFileSync(at('races.csv'), [...raceFleetCsv(races)].join(''));

describe('raceline cluster', () => {
  it('writes the label of each race in the order of the file and prints what it found', async () => {
    const { outcome, out } = await raceline('--races', at('races.csv'), '--labels', at('labels.csv.gz'), ...asTheyStand);
    expect(outcome).toBe(0);
    const labels = clusterByDefinition(races, { eps: 0.3, minPts: 3 });
    expect(gunzipSync(readFileSync(at('labels.csv.gz'))).toString()).toBe(`race_id,label\n${races.map(({ id }, row) => `${id},${labels[row]}\n`).join('')}`);
    expect(JSON.parse(out)).toMatchObject({
      races: 300, distinct: 300, eps: 0.3, rule: 'given', knee: null, min_pts: 3, mask: false, dropped_keys: [], exact: true, sampled_points: null,
      clusters: Math.max(...labels) + 1, noise: labels.filter((label) => label === -1).length, rows_without_id: 0, rows_with_unreadable_metadata: 0,
    });
    const { ms, peak_memory_mb, distance_calls } = JSON.parse(out) as { ms: Record<string, number>; peak_memory_mb: number; distance_calls: number };
    expect(Object.keys(ms)).toEqual(['read', 'collapse', 'index', 'cores', 'connect', 'measure', 'write', 'total']);
    expect(ms['total']).toBeGreaterThan(0);
    expect(peak_memory_mb).toBeGreaterThan(10);
    expect(distance_calls).toBeGreaterThan(0);
  });

  it('looks for eps by itself', async () => {
    const { out } = await raceline('--races', at('races.csv'), '--labels', at('labels.csv'));
    const { rule, eps, mask } = JSON.parse(out) as { rule: string; eps: number; mask: boolean };
    expect(['knee', 'noise_limit', 'below_range', 'above_range']).toContain(rule);
    expect(eps).toBeGreaterThanOrEqual(0.1);
    expect(eps).toBeLessThanOrEqual(0.35);
    expect(mask).toBe(true);
  });

  it('labels rows that say little, and counts them', async () => {
    writeFileSync(at('odd.csv'), 'id,title,metadata\na,,\nb,,{}\nc,,null\nd,,{"n":1}\n,x,\n"e,1",,"{""n"":""1""}"\n');
    const { out } = await raceline('--races', at('odd.csv'), '--labels', at('odd-labels.csv'), ...asTheyStand, '--min-pts', '2');
    expect(readFileSync(at('odd-labels.csv'), 'utf8')).toBe('race_id,label\na,0\nb,0\nc,0\nd,1\n"e,1",1\n');
    expect(JSON.parse(out)).toMatchObject({ rows_without_id: 1, rows_with_unreadable_metadata: 1 });
  });

  it.each([
    [['--eps', '1.5'], 2, 'It must be auto or a number in (0, 1]'],
    [['--eps', ''], 2, 'It must be auto'],
    [['--min-pts', '0'], 2, 'whole number in 1..'],
    [['--keys', 'some'], 2, 'Allowed choices are auto, all'],
    [['--races', at('none.csv')], 1, 'raceline: not_found: Cannot read'],
    [['--labels', join(at('no-folder'), 'labels.csv')], 1, 'Cannot write'],
  ])('refuses %j', async (args, outcome, message) => {
    const result = await raceline('--races', at('races.csv'), '--labels', at('labels.csv'), ...args);
    expect(result.outcome).toBe(outcome);
    expect(result.err).toContain(message);
  });
});
