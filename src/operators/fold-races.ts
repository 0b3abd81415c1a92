import type { OperatorFunction } from 'rxjs';
import type { RaceStore } from '../ports/state-store.ts';
import { abandon, wasSilentForADay } from '../race/abandon.ts';
import { evolve } from '../race/evolve.ts';
import { isFinished, type RaceState } from '../race/state.ts';
import type { RaceUpdate } from '../race/update.ts';
import { emitEach } from './emit-each.ts';
import type { FoldedItem, GivingUp, NormalizedItem } from './items.ts';

export type FoldOptions = {
  readonly store: RaceStore;
  /** An update appended more than this after its `at` is history. Milliseconds. */
  readonly graceMs: number;
};

/**
 * Folds updates, and what wake-ups asked for, into the races of the store: each input becomes applied, late, duplicate,
 * forgotten or rejected. A changed race is put by `reviseEtas`, once, with what was said of it.
 */
export function foldRaces(options: FoldOptions): OperatorFunction<NormalizedItem, FoldedItem> {
  return emitEach((item, emit) => {
    if (item.kind !== 'rejected') emit(fold(item, options));
  });
}

function fold(item: Exclude<NormalizedItem, { kind: 'rejected' }>, { store, graceMs }: FoldOptions): FoldedItem {
  const { record } = item;
  if (item.kind === 'forget') {
    const race = store.get(item.raceId);
    if (race !== undefined) store.delete(item.raceId);
    return { kind: 'forgotten', record, raceId: item.raceId, race };
  }
  const { epoch } = store.position;
  if (item.kind === 'giving-up') return giveUp(store, item);
  const known = store.get(item.update.race_id);
  // A slice whose changelog was cut in two by a crash: the race has it, the totals do not.
  if (known !== undefined && known.epoch === epoch && known.applied_offset >= record.offset) return { kind: 'skipped', record };
  if (known === undefined && isStray(item.update)) return { kind: 'late', record };
  const result = evolve(known, item.update, { epoch, offset: record.offset, appendedAtMs: record.appendedAtMs });
  switch (result.outcome) {
    case 'applied':
      return {
        kind: 'changed', record, race: result.race, change: result.change, asOfMs: item.update.at,
        isHistory: isHistory(result.race, item.update.at, record.appendedAtMs, graceMs),
      };
    case 'rejected':
      return { kind: 'rejected', record, rejection: result.rejection };
    default:
      return { kind: result.outcome, record };
  }
}

/**
 * Closes a race that an instance found silent. As an input, this comes to the same for whoever reads it: an instance that
 * asks and dies, another that asks again, clocks that are a day off. Late when anything was heard of the race since, or
 * when by the log's own clock a day has not passed.
 */
function giveUp(store: RaceStore, { record, raceId, heard }: GivingUp): FoldedItem {
  const { epoch } = store.position;
  const race = store.get(raceId);
  if (race !== undefined && race.epoch === epoch && race.applied_offset >= record.offset) return { kind: 'skipped', record };
  const isStale = race === undefined || isFinished(race.state) || race.epoch !== heard.epoch || race.applied_offset !== heard.offset;
  if (isStale || !wasSilentForADay(race, record.appendedAtMs)) return { kind: 'late', record };
  const closed = { ...abandon(race, record.appendedAtMs), epoch, applied_offset: record.offset };
  return {
    kind: 'changed', record, race: closed, asOfMs: record.appendedAtMs, isHistory: race.revision === 0,
    change: { reason: 'abandoned', significant: true, started: false, restarted: false, finished: true, corrected: false, finishedStages: [] },
  };
}

/** What may come after a finished race has left the store: it must not open a new race. */
function isStray(update: RaceUpdate): boolean {
  return update.state === null && update.started_at === null && update.queued_at === null;
}

function isHistory(race: RaceState, at: number, appendedAtMs: number, graceMs: number): boolean {
  return race.revision === 0 && appendedAtMs - at > graceMs;
}
