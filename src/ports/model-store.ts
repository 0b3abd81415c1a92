import type { SourceModel } from '../forecast/model.ts';

/** What is learned of every source, as of the learner's position in race-history (a global store). */
export type ModelStore = {
  /** undefined = nothing learned of the source yet. */
  modelOf(source: string): SourceModel | undefined;
  /** Names the learner's position: `partition@offset` of race-history. */
  versionOf(source: string): string;
};
