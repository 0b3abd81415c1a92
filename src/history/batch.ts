import type { HistoryRecord } from '../forecast/history-record.ts';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import { advance, isNew, type OriginGate } from '../forecast/origin-gate.ts';
import { normalizeTelemetry } from '../journey/telemetry.ts';
import type { PartitionState } from '../race/state.ts';
import { etaUpdateChecks, finishedRaceChecks, forgetChecks, misfit, partitionStateChecks } from './fits.ts';
import {
  auditRow, etaRevisionRow, forecastErrorRows, raceRow, stageRows, telemetryRow,
  type AuditRow, type EtaRevisionRow, type ForecastErrorRow, type RaceRow, type RecordPosition, type StageRow, type TelemetryRow,
} from './rows.ts';

/** A race whose rows from records before `offset` must go. */
export type ForgottenRace = { readonly raceId: string; readonly offset: number; readonly atMs: number };

/** Rows of consecutive records of one partition, by table, in the order they are inserted: a race after its parts. */
export type RowBatch = {
  readonly tables: {
    readonly stages: StageRow[];
    readonly forecast_errors: ForecastErrorRow[];
    readonly races: RaceRow[];
    readonly eta_revisions: EtaRevisionRow[];
    readonly audit: AuditRow[];
    readonly telemetry: TelemetryRow[];
  };
  /** Where in its table the position of a race and slot is. */
  readonly slots: Map<string, number>;
  readonly forgotten: ForgottenRace[];
};

export function emptyBatch(): RowBatch {
  return { tables: { stages: [], forecast_errors: [], races: [], eta_revisions: [], audit: [], telemetry: [] }, slots: new Map(), forgotten: [] };
}

export function rowCount({ tables }: RowBatch): number {
  return Object.values(tables).reduce((sum, rows) => sum + rows.length, 0);
}

/** What became of a record: rows, nothing to store, a finish stored before, or a value that does not fit. */
export type Added = 'added' | 'ignored' | 'repeated' | { readonly misfit: string };

/**
 * Adds what a decoded record says. A finish whose origin is not above the gate was sent again after a crash and is left
 * out; the gate advances with each that is not.
 */
export function addRecord(batch: RowBatch, decoded: { readonly kind: string; readonly value: unknown }, position: RecordPosition, gate: OriginGate): Added {
  switch (position.topic) {
    case 'race-history': return addHistory(batch, decoded, position, gate);
    case 'eta-updates': return addChecked(etaUpdateChecks, decoded.value, (eta: EtaUpdate) => batch.tables.eta_revisions.push(etaRevisionRow(eta, position)));
    case 'race-states':
      if (decoded.kind !== 'PartitionState') return 'ignored';
      return addChecked(partitionStateChecks, decoded.value, (state: PartitionState) => batch.tables.audit.push(auditRow(state, position)));
    case 'telemetry': return addPosition(batch, decoded.value, position);
    default: return 'ignored';
  }
}

function addHistory({ tables, forgotten }: RowBatch, decoded: { readonly kind: string; readonly value: unknown }, position: RecordPosition, gate: OriginGate): Added {
  const record = decoded as HistoryRecord;
  if (record.kind === 'Forget') {
    const problem = misfit(record.value, forgetChecks);
    if (problem !== null) return { misfit: problem };
    // Sent again behind the finish of a race that began anew under its id, it would take that one away. The gate stays
    // where it is: after a restart it is made from the rows of finished races alone.
    if (!isNew(gate, record.value.origin)) return 'repeated';
    forgotten.push({ raceId: record.value.race_id, offset: position.offset, atMs: Math.max(record.value.at, position.appendedAtMs) });
    return 'added';
  }
  if (record.kind !== 'FinishedRace') return 'ignored';
  const problem = misfit(record.value, finishedRaceChecks);
  if (problem !== null) return { misfit: problem };
  if (!isNew(gate, record.value.origin)) return 'repeated';
  advance(gate, record.value.origin);
  tables.races.push(raceRow(record.value, position));
  tables.stages.push(...stageRows(record.value, position));
  tables.forecast_errors.push(...forecastErrorRows(record.value, position));
  return 'added';
}

/** What is refused is left out without a word: whoever follows the journey sends it to dead-letters. */
function addPosition({ tables, slots }: RowBatch, value: unknown, position: RecordPosition): Added {
  const result = normalizeTelemetry(value, position.appendedAtMs);
  if ('rejection' in result) return 'ignored';
  const row = telemetryRow(result.point, position);
  const key = `${row.slot} ${row.race_id}`;
  const index = slots.get(key) ?? tables.telemetry.length;
  slots.set(key, index);
  tables.telemetry[index] = row;
  return 'added';
}

function addChecked<T>(checks: Parameters<typeof misfit>[1], value: unknown, add: (fitting: T) => unknown): Added {
  const problem = misfit(value, checks);
  if (problem !== null) return { misfit: problem };
  add(value as T);
  return 'added';
}
