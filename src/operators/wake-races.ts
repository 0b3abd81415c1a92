import type { OperatorFunction } from 'rxjs';
import { decideWake, nextWakeAtMs } from '../forecast/wake.ts';
import type { RaceStore } from '../ports/state-store.ts';
import { abandon } from '../race/abandon.ts';
import type { Change } from '../race/change.ts';
import type { Reason } from '../race/state.ts';
import { emitEach } from './emit-each.ts';
import type { ChangedRace, WakeUp } from './items.ts';

export type WakeOptions = {
  readonly store: RaceStore;
  /** How long a finished race stays in the store, ms. */
  readonly finishedTtlMs: number;
};

/** Wake-ups that fell due: overdue races are looked at again, silent ones abandoned, finished ones leave the store. */
export function wakeRaces({ store, finishedTtlMs }: WakeOptions): OperatorFunction<WakeUp, ChangedRace> {
  return emitEach(({ raceId, nowMs }, emit) => {
    const race = store.get(raceId);
    if (race === undefined || race.wake_at === null || race.wake_at > nowMs) return;
    const changed = (reason: Reason, state = race, extra: Partial<Change> = {}): ChangedRace => ({
      kind: 'changed', record: null, race: state, asOfMs: nowMs, isHistory: race.revision === 0,
      change: { reason, significant: false, started: false, restarted: false, finished: false, corrected: false, finishedStages: [], ...extra },
    });
    switch (decideWake(race, nowMs, { finishedTtlMs })) {
      case 'reforecast-overdue': return emit(changed('overdue'));
      case 'reforecast-progress': return emit(changed('rate_change'));
      case 'abandon': return emit(changed('abandoned', abandon(race, nowMs), { finished: true, significant: true }));
      case 'expire':
        return store.delete(raceId);
      case 'wait':
        return store.put({ ...race, wake_at: nextWakeAtMs(race, { finishedTtlMs, nowMs }) });
    }
  });
}
