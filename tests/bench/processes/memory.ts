// Heap of races in the store of a pipeline: fed through the declared graph, outputs dropped. Needs --expose-gc.
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { emptyUpdate, type RaceUpdate } from '../../../src/race/update.ts';
import { createLearnedPartition, foldHistory } from '../../../src/runtime/learned-partition.ts';
import { PartitionGraph } from '../../../src/runtime/partition-graph.ts';
import { initialPosition, PartitionStore } from '../../../src/runtime/race-store.ts';
import { fleetUpdates } from '../../support/fleet.ts';
import { childOptions, tellParent } from '../child.ts';
import { jsonRecord, UPDATES_PER_RACE } from '../mix.ts';

export type MemoryProcessOptions = { readonly kind: 'mix' | 'bare'; readonly races: number };

const { kind, races } = childOptions<MemoryProcessOptions>();
const startMs = Date.now();
let nowMs = startMs;
const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
await codec.register();
const learned = createLearnedPartition();
const store = new PartitionStore(initialPosition(0));
const graph = new PartitionGraph({
  store, codec, partitionCount: 1, graceMs: 3_600_000, finishedTtlMs: 24 * 3_600_000, clock: { nowMs: () => nowMs },
  models: { modelOf: (source) => learned.models.get(source), versionOf: () => `0@${learned.offset}` },
});
let offset = 0;

function take(update: RaceUpdate): void {
  nowMs = update.at;
  graph.accept({ topic: 'race-updates', partition: 0, offset: offset++, headers: [], appendedAtMs: nowMs, ...jsonRecord(update) });
  if (offset % 1_000 > 0) return;
  for (const record of graph.takeOutputs().history) {
    foldHistory(learned, record);
    learned.offset += 1;
  }
  store.takeChanges();
}

/** Half-way through the mix: submitted, two or three stages, six or seven reports. */
function* activeRaces(): Generator<RaceUpdate> {
  for (let first = 0; first < races; first += 1_000) {
    // Ids of their own; otherwise the same thousand races.
    const updates = fleetUpdates({ seed: 5, races: Math.min(1_000, races - first), startMs, spacingMs: 0, durationMs: 300_000, idPrefix: `race-${first}` });
    const seen = new Map<string, number>();
    for (const update of updates) {
      const count = (seen.get(update.race_id) ?? 0) + 1;
      seen.set(update.race_id, count);
      if (count <= UPDATES_PER_RACE / 2) yield update;
    }
  }
}

function* bareRaces(): Generator<RaceUpdate> {
  for (let index = 0; index < races; index++) {
    yield { ...emptyUpdate(`bare-${index}`, 'fleet/bare', startMs), title: `job ${index % 50}`, state: 'queued', metadata: { branch: 'main', commit: `c${index}` } };
  }
}

// What is learned does not count: it is per source, not per race.
for (const update of fleetUpdates({ seed: 9, races: 300, startMs, spacingMs: 1_000, durationMs: 300_000, idPrefix: 'past' })) take(update);
for (const race of store.values()) store.delete(race.race_id);
take({ ...emptyUpdate('settles', 'fleet/settled', startMs), state: 'passed', completed_at: startMs });
store.takeChanges();
const before = heapBytes();
for (const update of kind === 'mix' ? activeRaces() : bareRaces()) take(update);
graph.takeOutputs();
store.takeChanges();
tellParent({ bytesPerRace: (heapBytes() - before) / races, races: store.size });
process.once('disconnect', () => process.exit(0));

function heapBytes(): number {
  // The thorough kind, which also compacts: what is left is held.
  for (let i = 0; i < 2; i++) globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
