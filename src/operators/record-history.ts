import type { OperatorFunction } from 'rxjs';
import { finishedRace, overdueRace, stageFacts } from '../forecast/finished-race.ts';
import type { Origin } from '../forecast/history-record.ts';
import type { RaceStore } from '../ports/state-store.ts';
import { forgottenSources } from '../race/forget-order.ts';
import { isFinished } from '../race/state.ts';
import { emitEach } from './emit-each.ts';
import type { FoldedItem, HistoryItem, RevisedItem } from './items.ts';
import { takePassage, type Vehicles } from './vehicles.ts';

/**
 * What race-history must learn of an input: stages that ended, a finish, a correction, a race forgotten; and that a race is overdue.
 * Each record but the last is numbered by the input that caused it, so that it teaches and counts once however often it is sent.
 */
export function recordHistory(store: RaceStore, vehicles: Vehicles): OperatorFunction<RevisedItem | FoldedItem, HistoryItem> {
  const nextOrigin = (): Origin => {
    const { position } = store;
    return { epoch: position.epoch, partition: position.partition, offset: position.applied_offset, index: position.history_index++ };
  };
  return emitEach((item, emit) => {
    if (item.kind === 'forgotten') {
      const { raceId: race_id, race, record } = item;
      vehicles.open.delete(race_id);
      const sources = new Set([...(race === undefined ? [] : [race.source]), ...forgottenSources(record.headers)]);
      for (const source of sources) emit({ kind: 'history', record: { kind: 'Forget', value: { origin: nextOrigin(), source, race_id, at: record.appendedAtMs } } });
    }
    if (item.kind === 'revised') {
      const { race, eta, changed: { change, asOfMs } } = item;
      if (change.finishedStages.length > 0 && !isFinished(race.state)) {
        const facts = stageFacts(race, change.finishedStages, nextOrigin, (stage) => takePassage(vehicles, race, stage));
        if (facts !== null) emit({ kind: 'history', record: { kind: 'StageFacts', value: facts } });
      }
      const overdue = eta !== null && change.reason === 'overdue' ? overdueRace(race, asOfMs) : null;
      if (overdue !== null) emit({ kind: 'history', record: { kind: 'OverdueRace', value: overdue } });
      if (change.finished) vehicles.open.delete(race.race_id);
      if (change.finished || change.corrected) emit({ kind: 'history', record: { kind: 'FinishedRace', value: finishedRace(race, nextOrigin()) } });
    }
  });
}
