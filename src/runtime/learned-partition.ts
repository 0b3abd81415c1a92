import type { FindModel } from '../forecast/clusterings.ts';
import { originOf, sourceOf, type HistoryRecord } from '../forecast/history-record.ts';
import { learn } from '../forecast/learn.ts';
import { createSourceModel, type SourceModel } from '../forecast/model.ts';
import { advance, createOriginGate, isNew, type OriginGate } from '../forecast/origin-gate.ts';

/** What was folded of one partition of race-history. */
export type LearnedPartition = {
  /** The next offset to fold. */
  offset: number;
  readonly gate: OriginGate;
  readonly models: Map<string, SourceModel>;
  /** Sources whose model changed since their last snapshot. */
  readonly changed: Set<string>;
};

export function createLearnedPartition(): LearnedPartition {
  return { offset: 0, gate: createOriginGate(), models: new Map(), changed: new Set() };
}

/**
 * Folds one record of race-history. Deterministic: equal history in equal order gives byte-equal models.
 * @returns false when its origin was taken before (a repeat after a crash): it teaches nothing.
 */
export function foldHistory(learned: LearnedPartition, record: HistoryRecord, findModel?: FindModel): boolean {
  const origin = originOf(record);
  if (origin !== null) {
    if (!isNew(learned.gate, origin)) return false;
    advance(learned.gate, origin);
  }
  const source = sourceOf(record);
  let model = learned.models.get(source);
  if (model === undefined) {
    model = createSourceModel(source);
    learned.models.set(source, model);
  }
  learn(model, record, findModel);
  learned.changed.add(source);
  return true;
}
