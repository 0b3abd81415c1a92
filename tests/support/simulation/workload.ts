import type { Codec } from '../../../src/ports/codec.ts';
import type { NewRecord } from '../../../src/ports/record-log.ts';
import { partitionOfKey } from '../../../src/race/partition.ts';
import { emptyUpdate, type RaceUpdate, type StageUpdate } from '../../../src/race/update.ts';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;
/** Not in schemas/registry.json. */
export const UNKNOWN_SCHEMA_ID = 424_242;

export type WorkloadOptions = {
  readonly world: World;
  readonly races: number;
  /** Over which the races start, ms of virtual time. */
  readonly spreadMs: number;
  readonly partitions: number;
  /** Probabilities per update. */
  readonly noise: { readonly late: number; readonly twice: number; readonly broken: number; readonly misplaced: number; readonly forgotten: number };
  /** Share of races whose producer's clock is hours or a day off, or that are imported long after. */
  readonly wrongClocks: number;
  /** Share of races of which nothing is heard before their end: only a wake-up will end them. */
  readonly silent: number;
  /** Share of races with hundreds of kilobytes of metadata in a script of three bytes a character. */
  readonly fat: number;
};

/** What is appended to race-updates (default) or another topic, and when. Times in the update are virtual until it is encoded. */
export type PlannedAppend = { readonly atMs: number; readonly topic?: 'race-updates' | 'telemetry' | 'routes'; readonly partition: number; encode(codec: Codec, wallOffsetMs: number): NewRecord };

/** Races of a few sources with all that goes wrong on their way into the log; in the order of the appends. */
export function planWorkload({ world, races, spreadMs, partitions, noise, wrongClocks, silent, fat }: WorkloadOptions): PlannedAppend[] {
  const planned: PlannedAppend[] = [];
  const sources = world.whole(1, 3);

  function plan(atMs: number, key: Buffer | null, encode: (codec: Codec, wallOffsetMs: number) => Buffer | null): void {
    const home = key === null ? 0 : partitionOfKey(key, partitions);
    const partition = world.chance(noise.misplaced) ? world.whole(0, partitions - 1) : home;
    let record: NewRecord | null = null;
    // Said again, it is the same bytes again.
    const once = (codec: Codec, wallOffsetMs: number): NewRecord => record ??= { key, value: encode(codec, wallOffsetMs) };
    planned.push({ atMs, partition, encode: once });
    if (world.chance(noise.twice)) planned.push({ atMs: atMs + world.between(0, 20_000), partition, encode: once });
  }

  for (let index = 0; index < races; index++) {
    const updates = planRace(world, `race-${index}`, `ci/repo-${index % sources}`, world.between(0, spreadMs), silent);
    const skewMs = world.chance(wrongClocks) ? world.pick([-DAY_MS, DAY_MS, -30 * DAY_MS, -2 * 3_600_000, 60_000]) : 0;
    const metadata = world.chance(fat) ? bigMetadata(world) : null;
    for (const [position, update] of updates.entries()) {
      const facts = position === 0 && metadata !== null ? { ...update, metadata } : update;
      const lateMs = world.chance(noise.late) ? world.between(0, 30_000) : 0;
      const asJson = world.chance(0.2);
      plan(update.at + lateMs, Buffer.from(update.race_id), (codec, wallOffsetMs) => {
        const shifted = shift(facts, wallOffsetMs + skewMs);
        return asJson ? Buffer.from(JSON.stringify(shifted)) : codec.encode('race-updates', shifted);
      });
      if (world.chance(noise.broken)) planBroken(update);
      if (world.chance(noise.forgotten)) plan(update.at + world.between(0, 10_000), Buffer.from(update.race_id), () => null);
    }
  }

  function planBroken(update: RaceUpdate): void {
    const atMs = update.at + world.between(0, 1_000);
    const key = Buffer.from(update.race_id);
    const unknownSchema = Buffer.alloc(12);
    unknownSchema.writeInt32BE(UNKNOWN_SCHEMA_ID, 1);
    const values: readonly ((offsetMs: number) => unknown)[] = [
      () => Buffer.from([1, 2, 3]), () => Buffer.alloc(0), () => Buffer.from('{"race_id": "'), () => unknownSchema,
      (offsetMs) => ({ ...shift(update, offsetMs), progress: 140 }),
      (offsetMs) => ({ ...shift(update, offsetMs), at: offsetMs + update.at + 3_600_000 }),
      (offsetMs) => ({ ...shift(update, offsetMs), source: 'somebody/else' }),
      (offsetMs) => ({ ...shift(update, offsetMs), race_id: 'another' }),
      (offsetMs) => ({ ...shift(update, offsetMs), started_at: offsetMs + update.at, completed_at: offsetMs + update.at - 60_000 }),
      (offsetMs) => ({ ...shift(update, offsetMs), title: 'x'.repeat(5_000) }),
    ];
    const value = world.pick(values);
    plan(atMs, world.chance(0.1) ? null : key, (_codec, offsetMs) => {
      const made = value(offsetMs);
      return Buffer.isBuffer(made) ? made : Buffer.from(JSON.stringify(made));
    });
  }

  return planned.sort((a, b) => a.atMs - b.atMs);
}

function planRace(world: World, raceId: string, source: string, startMs: number, silent: number): RaceUpdate[] {
  const updates: RaceUpdate[] = [];
  let atMs = Math.round(startMs);
  const say = (facts: Partial<RaceUpdate>): void => { updates.push({ ...emptyUpdate(raceId, source, atMs), ...facts }); };
  const attempts = world.chance(0.2) ? 2 : 1;
  const stages = world.pick([[], ['build', 'test'], ['checkout', 'compile', 'test', 'upload']]);
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const lengthMs = Math.round(world.between(2_000, 40_000));
    const title = world.pick(['build / linux', 'build / macos', 'lint']);
    const metadata = { branch: world.pick(['main', 'topic']), commit: `c${raceId}` };
    if (world.chance(0.4)) {
      say({ title, state: 'queued', queued_at: atMs, metadata });
      atMs += Math.round(world.between(10, 5_000));
    }
    say({ title, state: 'running', started_at: atMs, metadata, ...(world.chance(0.2) ? { eta_sec: 20, eta_kind: 'total' as const } : {}) });
    const startedAtMs = atMs;
    for (const [seq, name] of stages.entries()) {
      const beginMs = startedAtMs + Math.round((seq / stages.length) * lengthMs);
      const endMs = startedAtMs + Math.round(((seq + 1) / stages.length) * lengthMs);
      const stage: StageUpdate = { name, state: 'running', seq, started_at: beginMs, completed_at: null, planned_sec: null };
      atMs = beginMs;
      say({ stage });
      if (world.chance(0.5)) {
        atMs = Math.round((beginMs + endMs) / 2);
        say({ progress: Math.round(((seq + 0.5) / stages.length) * 100) });
      }
      atMs = endMs;
      if (world.chance(0.7)) say({ stage: { ...stage, state: world.chance(0.1) ? 'failed' : 'passed', completed_at: endMs } });
    }
    atMs = startedAtMs + lengthMs;
    if (world.chance(silent)) break;
    say({ state: world.pick(['passed', 'passed', 'passed', 'failed', 'canceled']), completed_at: atMs });
    // A step's webhook that comes after the end.
    if (world.chance(0.2) && stages[0] !== undefined) {
      atMs += 100;
      say({ stage: { name: stages[0], state: 'passed', seq: 0, started_at: startedAtMs, completed_at: startedAtMs + 1_000, planned_sec: null } });
    }
    atMs += Math.round(world.between(1_000, 10_000));
  }
  return updates;
}

function bigMetadata(world: World): Record<string, string> {
  const keys = world.whole(20, 90);
  return Object.fromEntries(Array.from({ length: keys }, (_, index) => [`key-${index}`, '長'.repeat(2_000)]));
}

function shift(update: RaceUpdate, byMs: number): RaceUpdate {
  const moved = (atMs: number | null): number | null => atMs === null ? null : atMs + byMs;
  return {
    ...update, at: update.at + byMs, queued_at: moved(update.queued_at), started_at: moved(update.started_at), completed_at: moved(update.completed_at),
    stage: update.stage === null ? null : { ...update.stage, started_at: moved(update.stage.started_at), completed_at: moved(update.stage.completed_at) },
  };
}
