import type { OperatorFunction } from 'rxjs';
import { decideWake, nextWakeAtMs } from '../forecast/wake.ts';
import type { RaceStore } from '../ports/state-store.ts';
import type { Reason } from '../race/state.ts';
import { emitEach } from './emit-each.ts';
import type { ChangedRace, WakeUp, WokenItem } from './items.ts';

export type WakeOptions = {
  readonly store: RaceStore;
  /** How long a finished race stays in the store, ms. */
  readonly finishedTtlMs: number;
};

/** A race whose giving up was asked for and did not come about is looked at again after this. Chosen, not tuned. */
const ASK_AGAIN_MS = 600_000;

/** Wake-ups that fell due: overdue races are looked at again, silent ones asked to be given up, finished ones leave the store. */
export function wakeRaces({ store, finishedTtlMs }: WakeOptions): OperatorFunction<WakeUp, WokenItem> {
  return emitEach(({ raceId, nowMs }, emit) => {
    const race = store.get(raceId);
    if (race === undefined || race.wake_at === null || race.wake_at > nowMs) return;
    const changed = (reason: Reason): ChangedRace => ({
      kind: 'changed', record: null, race, asOfMs: nowMs, isHistory: race.revision === 0,
      change: { reason, significant: false, started: false, restarted: false, finished: false, corrected: false, finishedStages: [] },
    });
    switch (decideWake(race, nowMs, { finishedTtlMs })) {
      case 'reforecast-overdue': return emit(changed('overdue'));
      case 'reforecast-progress': return emit(changed('rate_change'));
      case 'abandon':
        store.put({ ...race, wake_at: nowMs + ASK_AGAIN_MS });
        return emit({ kind: 'give-up', raceId, source: race.source, lastAtMs: race.last_at, heard: { epoch: race.epoch, offset: race.applied_offset } });
      case 'expire':
        return store.delete(raceId);
      case 'wait':
        return store.put({ ...race, wake_at: nextWakeAtMs(race, { finishedTtlMs, nowMs }) });
    }
  });
}
