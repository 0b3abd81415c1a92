import { execFile } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { openRebuildPool } from '../../src/adapters/piscina/rebuild-pool.ts';
import { adjustedRandIndex } from '../../src/cluster/agreement.ts';
import { clusterByDefinition } from '../../src/cluster/brute-force.ts';
import { defaultRebuildOptions } from '../../src/cluster/rebuild.ts';
import { packRaces } from '../support/cluster-sets.ts';
import { raceFleet, raceFleetCsv, repeatedFleet, type FleetRace } from '../support/race-fleet.ts';
import { rounded, type Figure } from './bench.ts';

const run = promisify(execFile);
const SEED = 7;
const EPS = [0.2, 0.3, 0.35] as const;
/** Distinct races of the million. */
const DISTINCT = 50_000;

/**
 * `raceline cluster` over made-up fleets, process start and files included: cost by size and eps; beside FISHDBC where
 * RACELINE_BENCH_PYTHON names a Python that has it, else beside every pair compared; and the caller's event loop during a
 * rebuild in the pool.
 */
export async function clusters(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'raceline-clusters-'));
  try {
    const figures: Figure[] = [];
    for (const [name, races] of [['1k', 1_000], ['10k', 10_000], ['100k', 100_000], ['1m', 1_000_000]] as const) {
      const path = join(folder, `${name}.csv`);
      const fleet = raceFleet({ seed: SEED, races: Math.min(races, races > 100_000 ? DISTINCT : races) });
      await pipeline(Readable.from(raceFleetCsv(races > fleet.length ? repeatedFleet(fleet, races, SEED) : fleet)), createWriteStream(path));
      for (const eps of EPS) figures.push(...await curveOf(path, name, eps));
      rmSync(path);
    }
    figures.push(...await besidePeer(folder), ...await loopDelays());
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function curveOf(path: string, name: string, eps: number): Promise<Figure[]> {
  const found = await raceline(path, eps);
  const says = `eps ${eps}: ${found.clusters} clusters of ${found.distinct.toLocaleString('en-US')} distinct, ${found.exact ? 'exact' : 'sampled'}, ${found.distance_calls.toLocaleString('en-US')} distance calls, ${(found.ms.total / 1_000).toFixed(1)} s by the clock`;
  const key = `${name}_eps${String(eps).replace('0.', '')}`;
  return [{ name: `${key}_cpu_sec`, value: rounded(found.cpu_ms / 1_000), says }, { name: `${key}_peak_mb`, value: found.peak_memory_mb, says: 'peak memory' }];
}

/** The same fleet by a peer: FISHDBC at 20,000, the definition at 2,000. */
async function besidePeer(folder: string): Promise<Figure[]> {
  const python = process.env['RACELINE_BENCH_PYTHON'];
  const fleet = raceFleet({ seed: SEED + 1, races: python === undefined ? 2_000 : 20_000 });
  const path = join(folder, 'peer.csv');
  await pipeline(Readable.from(raceFleetCsv(fleet)), createWriteStream(path));
  const own = await raceline(path, 0.3);
  const peer = python === undefined ? byDefinition(fleet) : await byFishdbc(python, path);
  const ownSec = (own.ms.total - own.ms.read - own.ms.write) / 1_000;
  const says = `${fleet.length.toLocaleString('en-US')} distinct, eps 0.3`;
  return [
    { name: 'raceline_sec', value: rounded(ownSec), says: `${says}, by the clock, without start, reading and writing; the whole process took ${rounded(own.cpu_ms / 1_000)} s of CPU` },
    { name: 'peer_sec', value: rounded(peer.sec), says: `${peer.name}: likewise` },
    { name: 'peer_ratio', value: rounded(peer.sec / ownSec), says: 'time of the peer / ours' },
    { name: 'peer_ari', value: rounded(adjustedRandIndex(peer.labels, own.labels)), says: 'agreement of its labels with ours, which are exact' },
  ];
}

type Peer = { readonly name: string; readonly sec: number; readonly labels: ArrayLike<number> };

function byDefinition(fleet: readonly FleetRace[]): Peer {
  const startedAtMs = performance.now();
  const labels = clusterByDefinition(fleet, { eps: 0.3, minPts: 3 });
  return { name: 'every pair compared', sec: (performance.now() - startedAtMs) / 1_000, labels };
}

async function byFishdbc(python: string, path: string): Promise<Peer> {
  const { stdout } = await run(python, [new URL('peers/run_fishdbc.py', import.meta.url).pathname, path], { maxBuffer: 2 ** 26 });
  const { wall_sec, labels } = JSON.parse(stdout) as { wall_sec: number; labels: number[] };
  return { name: 'fishdbc', sec: wall_sec, labels };
}

/** The caller's event loop while 100,000 distinct races are rebuilt in a thread. */
async function loopDelays(): Promise<Figure[]> {
  const pool = openRebuildPool({ threads: 1, maxWaiting: 0, maxHeapMb: 1_024 });
  await pool.rebuild('warm', { races: packRaces(raceFleet({ seed: 1, races: 100 })), unseen: null, options: defaultRebuildOptions });
  const races = packRaces(raceFleet({ seed: SEED, races: 100_000 }));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedAtMs = performance.now();
  const outcome = await pool.rebuild('fleet', { races, unseen: null, options: { ...defaultRebuildOptions, mask: false } });
  delay.disable();
  const elapsedMs = performance.now() - startedAtMs;
  await pool.close();
  if (outcome.kind !== 'rebuilt') throw new Error(`The rebuild ended as ${outcome.kind}`);
  return [
    { name: 'loop_delay_p99_ms', value: rounded(delay.percentile(99) / 1e6), says: `the caller's event loop during a rebuild of 100,000 distinct races, knee included, in ${(elapsedMs / 1_000).toFixed(1)} s` },
    { name: 'loop_delay_max_ms', value: rounded(delay.max / 1e6), says: 'the same, worst' },
  ];
}

type Printed = { distinct: number; clusters: number; exact: boolean; distance_calls: number; cpu_ms: number; peak_memory_mb: number; ms: { total: number; read: number; write: number }; labels: Int32Array };

async function raceline(path: string, eps: number): Promise<Printed> {
  const labels = `${path}.labels`;
  const launcher = new URL('../../src/cli/raceline.mjs', import.meta.url).pathname;
  const { stdout } = await run(process.execPath, [launcher, 'cluster', '--races', path, '--labels', labels, '--eps', String(eps), '--keys', 'all', '--mask', 'off']);
  const rows = readFileSync(labels, 'utf8').split('\n').slice(1, -1);
  return { ...JSON.parse(stdout) as Printed, labels: Int32Array.from(rows, (row) => Number(row.slice(row.lastIndexOf(',') + 1))) };
}
