import type { PartitionState } from '../race/state.ts';
import type { GraphOutputs } from './partition-graph.ts';

/** What the pipeline tells whoever measures it. Called on the hot path: cheap, never throwing. */
export type PipelineHooks = {
  onBatch(partition: number, records: number, elapsedMs: number): void;
  /** A slice is logged: its outputs, and the partition's cumulative totals. */
  onSlice(outputs: GraphOutputs, position: PartitionState): void;
  onRestored(position: PartitionState, races: number, elapsedMs: number): void;
};

export const noHooks: PipelineHooks = { onBatch() {}, onSlice() {}, onRestored() {} };
