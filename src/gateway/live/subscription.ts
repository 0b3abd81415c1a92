import { compileFilter, type EtaFilter } from '../../bridge/frames.ts';
import { hashFilter } from './resume-token.ts';
import type { ViewedRace } from './view.ts';

/** What a client has asked for. */
export type Subscription = {
  readonly filter: EtaFilter;
  readonly hash: string;
  readonly withChanges: boolean;
  readonly fits: (race: { race_id: string; source: string; state: ViewedRace['facts']['state']; metadata: Record<string, string> }) => boolean;
  /** Ids are all that it asks for: what the index by id leads to fits. */
  readonly isByIdAlone: boolean;
  /** What cannot change in a race's life: id and source. */
  readonly fitsForEver: (raceId: string, source: string) => boolean;
  /** Races that the client holds; only kept where a race can cease to fit while it lives. */
  readonly shown: Set<string> | null;
};

export function subscriptionOf(filter: EtaFilter, withChanges: boolean): Subscription {
  const lasting = compileFilter({
    ...(filter.race_ids === undefined ? {} : { race_ids: filter.race_ids }),
    ...(filter.source === undefined ? {} : { source: filter.source }),
  });
  const canCease = filter.states !== undefined || filter.metadata !== undefined;
  return {
    filter,
    hash: hashFilter(filter),
    withChanges,
    fits: compileFilter(filter),
    isByIdAlone: filter.race_ids !== undefined && filter.source === undefined && !canCease,
    fitsForEver: (raceId, source) => lasting({ race_id: raceId, source, state: 'running', metadata: {} }),
    shown: canCease ? new Set() : null,
  };
}
