import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import { createChangelogWatch } from './changelog-watch.ts';
import { createCluster } from './cluster.ts';
import { conclude } from './conclude.ts';
import { describeRecords } from './describe-records.ts';
import { createFleet } from './fleet.ts';
import type { Mutation } from './mutations.ts';
import { play } from './play.ts';
import { drawProfile, type Kind } from './profiles.ts';
import { createDatabase } from './sim-history-store.ts';
import { UNKNOWN_SCHEMA_ID } from './workload.ts';
import { createWorld } from './world.ts';

const START_MS = Date.UTC(2026, 0, 5);
const ZOMBIE_WINDOW_MS = 4_000;

export type Simulation = {
  readonly seed: number;
  readonly kind: Kind;
  /** What was broken, in sentences; empty = every promise held. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
};

export type SimulateOptions = {
  readonly seed: number;
  readonly kind: Kind;
  readonly mutation?: Mutation;
  /** Hears what the service logs and what is done to it: for looking at one seed. */
  readonly onTrace?: (line: string) => void;
};

let sharedCodec: Promise<Codec> | null = null;

async function codecOnce(): Promise<Codec> {
  // Its clock stands still: what it has learned of unknown schemas must not depend on how long other seeds took.
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro', clock: { nowMs: () => 0 } });
  await codec.register();
  const unknown = Buffer.alloc(12);
  unknown.writeInt32BE(UNKNOWN_SCHEMA_ID, 1);
  await codec.prepare('race-updates', [unknown]);
  return codec;
}

/** Runs the service of one seed from its first update to silence, and checks what it promised. */
export async function simulate({ seed, kind, mutation = 'none', onTrace }: SimulateOptions): Promise<Simulation> {
  const codec = await (sharedCodec ??= codecOnce());
  const world = createWorld(seed, START_MS);
  const profile = drawProfile(world, kind);
  const violations: string[] = [];
  const report = (what: string): void => {
    const sentence = what.slice(0, 600);
    onTrace?.(`VIOLATION ${sentence}`);
    if (violations.length < 30) violations.push(sentence);
  };
  const trace = (line: string): void => onTrace?.(`${(world.elapsedMs / 1_000).toFixed(3).padStart(9)} ${line}`);
  const changelog = createChangelogWatch(codec);
  const cluster = createCluster({
    world, partitions: profile.partitions, zombieWindowMs: ZOMBIE_WINDOW_MS, trace,
    onStored(topic, partition, records, process) {
      if (onTrace !== undefined) trace(`  ${process?.name ?? 'producer'} stores in ${topic}/${partition}: ${describeRecords(codec, topic, records)}`);
      if (topic === 'race-states') changelog.see(partition, records);
      if (profile.isTimeless) return;
      for (const { key, value } of records) {
        if (topic === 'race-states' && key !== null && value === null) fleet.counts.expired += 1;
        if (topic === 'race-history' && value !== null && outcomeOf(codec, value) === 'abandoned') fleet.counts.abandoned += 1;
      }
    },
  });
  const database = createDatabase();
  const fleet = createFleet({ world, cluster, codec, database, profile, mutation, changelog, report, trace });
  const realRandom = Math.random;
  // The historian spreads its retries by chance.
  Math.random = world.random;
  try {
    await play(world, cluster, fleet, profile, codec, trace);
    await conclude({ world, cluster, fleet, profile, codec, database, changelog, report, trace });
  } finally {
    Math.random = realRandom;
  }
  return { seed, kind, violations, counts: { ...fleet.counts, events: world.eventCount, ...cluster.counts } };
}

function outcomeOf(codec: Codec, bytes: Buffer): string | null {
  const result = codec.decode('race-history', bytes);
  return 'error' in result ? null : (result.decoded.value as Partial<FinishedRace>).outcome ?? null;
}
