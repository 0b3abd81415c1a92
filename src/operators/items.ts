import type { Rejection } from '../errors.ts';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import type { HistoryRecord } from '../forecast/history-record.ts';
import type { LogRecord } from '../ports/record-log.ts';
import type { Change } from '../race/change.ts';
import type { RaceState } from '../race/state.ts';
import type { RaceUpdate } from '../race/update.ts';
import type { GiveUp, LastHeard } from './give-up.ts';

// What flows between the operators. Every input ends as exactly one Outcome.

export type Refused = { readonly kind: 'rejected'; readonly record: LogRecord; readonly rejection: Rejection };
export type Forgetting = { readonly kind: 'forget'; readonly record: LogRecord; readonly raceId: string };
/** Asked by a wake-up, of this instance or a former one. */
export type GivingUp = { readonly kind: 'giving-up'; readonly record: LogRecord; readonly raceId: string; readonly heard: LastHeard };
/** Found on a partition that is not its key's. */
export type Misplaced = { readonly kind: 'misplaced'; readonly record: LogRecord; readonly partition: number };

export type DecodedItem = { readonly kind: 'value'; readonly record: LogRecord; readonly value: unknown } | Forgetting | GivingUp | Misplaced | Refused;
export type NormalizedItem = { readonly kind: 'update'; readonly record: LogRecord; readonly update: RaceUpdate } | Forgetting | GivingUp | Refused;

/** A race that changed: by an update (`record`), or by a wake-up (`record` null). */
export type ChangedRace = {
  readonly kind: 'changed';
  readonly record: LogRecord | null;
  readonly race: RaceState;
  readonly change: Change;
  /** Event time that the forecast stands for, epoch ms. */
  readonly asOfMs: number;
  /** Came long after its event time: changes and teaches, publishes nothing. */
  readonly isHistory: boolean;
};

export type FoldedItem =
  | ChangedRace
  | { readonly kind: 'late' | 'duplicate' | 'skipped'; readonly record: LogRecord }
  | { readonly kind: 'forgotten'; readonly record: LogRecord; readonly raceId: string; readonly race: RaceState | undefined }
  | Refused;

/** What a wake-up came to. */
export type WokenItem = ChangedRace | GiveUp;

/** A wake-up that fell due. */
export type WakeUp = { readonly raceId: string; readonly nowMs: number };

/** A changed race after it was looked at: with a revision when one was worth publishing. */
export type RevisedItem = { readonly kind: 'revised'; readonly changed: ChangedRace; readonly race: RaceState; readonly eta: EtaUpdate | null };

export type HistoryItem = { readonly kind: 'history'; readonly record: HistoryRecord };
