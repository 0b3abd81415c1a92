import type { EtaView } from '../../bridge/frames.ts';
import { withMoves, type StageMove } from '../../bridge/stage-moves.ts';
import type { EtaUpdate } from '../../forecast/eta-update.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Codec } from '../../ports/codec.ts';
import type { Logger } from '../../ports/logger.ts';
import type { LogRecord, RecordLog } from '../../ports/record-log.ts';
import type { PartitionState, RaceState } from '../../race/state.ts';
import { followTopic, type Follower } from '../../runtime/follow-topic.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { beginTurn } from '../../runtime/turns.ts';
import { etaViewOf, etaViewOfPublished, factsOf, factsOfEta, raceChangeOf, raceViewOf, type RaceFacts } from './facts.ts';
import type { ResumePoint } from './resume-token.ts';
import { movesSince } from './stage-moves.ts';

/** A race in the view. Replaced parts, never edited ones: a reader may keep what it was given. */
export type ViewedRace = {
  facts: RaceFacts;
  eta: EtaView | null;
  readonly partition: number;
  /** Offset of the last record of each topic that changed it; -1 = none. */
  etaOffset: number;
  stateOffset: number;
  /** No RaceState yet: made from an EtaUpdate, dropped when none follows. */
  provisional: boolean;
  /** Wall clock of the last change here. */
  changedAtMs: number;
  /** `raceViewOf` as JSON, made when first asked for after a change: the same bytes for all subscribers. */
  json: Buffer | null;
  /** `raceChangeOf` as JSON, likewise. */
  changeJson: string | null;
  /** What movesSince says, made when first asked for after a change. */
  moves: readonly StageMove[] | null;
};

type Removal = { readonly raceId: string; readonly source: string; readonly partition: number; readonly offset: number; readonly removedAtMs: number };

/**
 * `race` is null when the race left the view; `source` is its last known one. `isRevised` = more has changed than a
 * RaceChange tells.
 */
type ViewListener = (raceId: string, race: ViewedRace | null, source: string, isRevised: boolean) => void;

/** The live races as race-states and eta-updates tell them. Restored from the log, needs no database. */
export type RaceLiveView = {
  readonly partitions: number;
  /** Resolves when both topics have been read to the ends they had at the start. */
  readonly restored: Promise<void>;
  isRestored(): boolean;
  get(raceId: string): ViewedRace | undefined;
  /** In order of first appearance. */
  races(): Iterable<ViewedRace>;
  size(): number;
  /** The last offset of race-updates that the pipeline has dealt with, by its own word; -1 = not known. */
  appliedOffset(partition: number): number;
  /** Called synchronously after each change. Returns the way to stop it. */
  onChange(listener: ViewListener): () => void;
  /** How far the view has read. */
  position(): ResumePoint;
  /** Removals since the point, oldest first; null = more has happened than is remembered. */
  removalsSince(point: ResumePoint): Removal[] | null;
  /** Forgets what is too old to be needed; called every 30 s by the server, by tests at will. */
  sweep(): void;
  close(): Promise<void>;
};

export type ViewOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly logger: Logger;
};

export const REMOVAL_MEMORY_MS = 600_000;
const MAX_REMOVALS = 100_000;
const PROVISIONAL_MS = 60_000;
/** Chosen: so many take as many bytes as two milestones. More become part of what is sent whole. */
const MOST_MOVES = 16;

/**
 * Opens the view and starts to read.
 *
 * **Memory.** One entry a race of race-states (finished ones leave it 24 h after their end), about its RaceState without
 * checkpoints plus its last EtaUpdate. eta-updates holds 7 days, so states are read first and an EtaUpdate of a race that
 * they do not know counts only when it is fresh. Removals: the last 10 minutes, at most 100,000.
 */
export async function openView(options: ViewOptions): Promise<RaceLiveView> {
  const { log, codec, clock, logger } = options;
  const partitions = await log.partitionCount('race-states');
  const races = new Map<string, ViewedRace>();
  const removals = new Map<string, Removal>();
  // Removals up to these offsets of race-states are no longer remembered.
  const removalFloors = Array.from({ length: partitions }, () => -1);
  const applied = Array.from({ length: partitions }, () => -1);
  const listeners = new Set<ViewListener>();
  const openedAtMs = clock.nowMs();
  let restored = false;

  const changed = (race: ViewedRace, isRevised: boolean): void => {
    const toldMoves = race.moves;
    race.json = null;
    race.changeJson = null;
    race.moves = null;
    race.changedAtMs = clock.nowMs();
    const isWhole = isRevised || (toldMoves !== null && toldMoves.length > 0 && outgrows(race, toldMoves));
    for (const listener of listeners) listener(race.facts.race_id, race, race.facts.source, isWhole);
  };

  const remove = (race: ViewedRace): void => {
    races.delete(race.facts.race_id);
    for (const listener of listeners) listener(race.facts.race_id, null, race.facts.source, true);
  };

  const forgetRemoval = (removal: Removal): void => {
    removals.delete(removal.raceId);
    removalFloors[removal.partition] = Math.max(removalFloors[removal.partition]!, removal.offset);
  };

  const onState = (record: LogRecord, state: RaceState): void => {
    removals.delete(state.race_id);
    const known = races.get(state.race_id);
    if (known === undefined) {
      const race: ViewedRace = {
        facts: factsOf(state), eta: state.published === null ? null : etaViewOfPublished(state, state.published),
        partition: record.partition, etaOffset: -1, stateOffset: record.offset, provisional: false, changedAtMs: 0, json: null, changeJson: null, moves: null,
      };
      races.set(state.race_id, race);
      changed(race, true);
      return;
    }
    // A former owner's late send must not undo a newer state.
    const old = known.facts;
    if (!known.provisional && (state.epoch < old.epoch || (state.epoch === old.epoch && state.applied_offset < old.applied_offset))) return;
    known.facts = factsOf(state);
    known.provisional = false;
    known.stateOffset = record.offset;
    const isRevised = state.published !== null && (known.eta === null || known.eta.revision < state.revision);
    if (isRevised) known.eta = etaViewOfPublished(state, state.published!);
    changed(known, isRevised);
  };

  const onStateTombstone = (record: LogRecord, raceId: string): void => {
    const known = races.get(raceId);
    const removal: Removal = { raceId, source: known?.facts.source ?? '', partition: record.partition, offset: record.offset, removedAtMs: record.appendedAtMs };
    // Re-inserted, so that the map stays in order of removal.
    removals.delete(raceId);
    removals.set(raceId, removal);
    if (removals.size > MAX_REMOVALS) forgetRemoval(removals.values().next().value!);
    if (known !== undefined) remove(known);
  };

  const onEta = (record: LogRecord, eta: EtaUpdate): void => {
    const known = races.get(eta.race_id);
    if (known !== undefined) {
      if (known.eta !== null && known.eta.revision > eta.revision) return;
      known.eta = etaViewOf(eta);
      known.etaOffset = record.offset;
      // The changelog record follows the revision: until then the revision knows better.
      if (known.provisional) known.facts = factsOfEta(eta);
      else if (eta.revision > known.facts.revision) {
        known.facts = {
          ...known.facts,
          state: eta.state, attempt: eta.attempt, queued_at: eta.queued_at, started_at: eta.started_at, completed_at: eta.completed_at,
        };
      }
      changed(known, true);
      return;
    }
    const removal = removals.get(eta.race_id);
    const isOld = record.appendedAtMs < openedAtMs - PROVISIONAL_MS;
    if (isOld || (removal !== undefined && record.appendedAtMs <= removal.removedAtMs)) return;
    const race: ViewedRace = {
      facts: factsOfEta(eta), eta: etaViewOf(eta), partition: record.partition, etaOffset: record.offset, stateOffset: -1,
      provisional: true, changedAtMs: 0, json: null, changeJson: null, moves: null,
    };
    races.set(eta.race_id, race);
    changed(race, true);
  };

  const onEtaTombstone = (record: LogRecord, raceId: string): void => {
    const known = races.get(raceId);
    if (known === undefined) return;
    if (known.provisional) {
      remove(known);
      return;
    }
    known.eta = null;
    known.etaOffset = record.offset;
    changed(known, true);
  };

  const reader = (topic: 'race-states' | 'eta-updates'): Follower => followTopic({
    log, topic, partitions: applied.map((_, partition) => partition), logger,
    async onRecords(records) {
      await codec.prepare(topic, records.map((record) => record.value));
      const turn = beginTurn(systemTimers);
      for (const record of records) {
        if (turn.isOver()) await turn.next();
        if (record.key === null) continue;
        const key = record.key.toString();
        if (record.value === null) {
          if (topic === 'race-states') onStateTombstone(record, key);
          else onEtaTombstone(record, key);
          continue;
        }
        const result = codec.decode(topic, record.value);
        if ('error' in result) {
          logger.error({ topic, partition: record.partition, offset: record.offset, ...result.error }, 'The view skips a record that it cannot read');
          continue;
        }
        const { kind, value } = result.decoded;
        if (topic === 'eta-updates') onEta(record, value as EtaUpdate);
        else if (kind === 'PartitionState') {
          const totals = value as PartitionState;
          applied[totals.partition] = totals.applied_offset;
        } else onState(record, value as RaceState);
      }
    },
  });

  const states = reader('race-states');
  let etas: Follower | null = null;
  let closed = false;
  const whenRestored = (async () => {
    await states.caughtUp;
    if (closed) return;
    etas = reader('eta-updates');
    await etas.caughtUp;
    restored = true;
  })();

  return {
    partitions,
    restored: whenRestored,
    isRestored: () => restored,
    get: (raceId) => races.get(raceId),
    races: () => races.values(),
    size: () => races.size,
    appliedOffset: (partition) => applied[partition] ?? -1,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    position: () => ({
      etaOffsets: etas === null ? applied.map(() => 0) : [...etas.positions],
      stateOffsets: [...states.positions],
      issuedAtMs: clock.nowMs(),
    }),
    removalsSince(point) {
      if (clock.nowMs() - point.issuedAtMs > REMOVAL_MEMORY_MS) return null;
      if (point.stateOffsets.some((offset, partition) => offset <= removalFloors[partition]!)) return null;
      return [...removals.values()].filter((removal) => removal.offset >= point.stateOffsets[removal.partition]!);
    },
    sweep() {
      const nowMs = clock.nowMs();
      for (const removal of removals.values()) {
        if (nowMs - removal.removedAtMs <= REMOVAL_MEMORY_MS) break;
        forgetRemoval(removal);
      }
      for (const race of races.values()) if (race.provisional && nowMs - race.changedAtMs > PROVISIONAL_MS) remove(race);
    },
    async close() {
      closed = true;
      listeners.clear();
      await Promise.all([states.close(), etas?.close()]);
    },
  };
}

/** The race as frames carry it, made once per change. */
export function jsonOf(race: ViewedRace): Buffer {
  race.json ??= Buffer.from(JSON.stringify(raceViewOf(race.facts, race.eta, movesOf(race))));
  return race.json;
}

/** The same for one who holds its last revision. */
export function changeJsonOf(race: ViewedRace): string {
  race.changeJson ??= JSON.stringify(raceChangeOf(race.facts, race.eta, movesOf(race)));
  return race.changeJson;
}

function movesOf(race: ViewedRace): readonly StageMove[] {
  race.moves ??= movesSince(race.facts, race.eta);
  return race.moves;
}

/**
 * Whether the moves of a race have become too many to be sent each time, or one of `told` was taken back. Then they are
 * made part of the revision, which is to be sent whole.
 */
function outgrows(race: ViewedRace, told: readonly StageMove[]): boolean {
  const moves = movesOf(race);
  const isTakenBack = told.some(([name, occurrence]) => !moves.some((move) => move[0] === name && move[1] === occurrence));
  if (moves.length <= MOST_MOVES && !isTakenBack) return false;
  if (race.eta !== null) race.eta = { ...race.eta, milestones: withMoves(race.eta.milestones, moves) };
  race.moves = null;
  return true;
}
