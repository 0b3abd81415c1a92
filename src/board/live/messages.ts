import type { RaceView } from '../../bridge/frames.ts';
import type { ListQuery, ListRow, RaceRow, Standing } from './race-list.ts';

// The page and its worker: parsing frames, filtering and sorting thousands of races must not hold up a scroll.

export type ToWorker =
  | { readonly type: 'open'; readonly url: string; readonly token: string | null }
  | { readonly type: 'list'; readonly query: ListQuery }
  /** Rows first..last (exclusive) are in sight. */
  | { readonly type: 'window'; readonly first: number; readonly last: number }
  /** The race whose page is open; null = none. */
  | { readonly type: 'follow'; readonly raceId: string | null }
  | { readonly type: 'visible'; readonly isVisible: boolean };

export type ListMessage = {
  readonly type: 'list';
  /** Of the rows `first`, `first` + 1 ... */
  readonly first: number;
  readonly rows: readonly ListRow[];
  /** All rows, groups included, that the query gives. */
  readonly length: number;
  readonly matched: number;
  /** Which rows are groups, ascending: they are lower than races. */
  readonly groupsAt: readonly number[];
  /** Live races whatever the query. */
  readonly total: number;
  readonly counts: Readonly<Partial<Record<Standing, number>>>;
  readonly pinned: readonly RaceRow[];
};

export type FromWorker =
  | ListMessage
  | { readonly type: 'status'; readonly status: LiveStatus; readonly detail: string }
  /** null = not among the live ones. */
  | { readonly type: 'race'; readonly raceId: string; readonly race: RaceView | null; readonly row: RaceRow | null };

/** `lost` = there was a connection, another is being tried. */
export type LiveStatus = 'connecting' | 'open' | 'lost' | 'closed';
