import { statfs } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { isFinished } from '../race/state.ts';
import type { GatewayContext } from './context.ts';

/** What /health says of storage: the origin's names and ours. */
export type StorageHealth = {
  /** Finished races in ClickHouse and those that are not finished yet. */
  readonly total_races: number;
  readonly races_by_source: Readonly<Record<string, number>>;
  /** Some source has 1,000 finished races: enough for clusters. */
  readonly cluster_data_sufficient: boolean;
  /** Of the disk that the embedded engines lie on; null = there is none here. */
  readonly usage_percent: number | null;
  /** null: nothing limits them but memory. */
  readonly max_races: number | null;
  /** Races that left the live view since this gateway started: forgotten, or finished for long. */
  readonly eviction_count: number;
  readonly warnings: readonly string[];
  readonly critical_errors: readonly string[];
};

export type StorageWatch = {
  /** What is known now; asks ClickHouse and the disk again when that is older than 30 s, without waiting for them. */
  health(): StorageHealth;
  /** The same with fresh figures. Never rejects. */
  look(): Promise<StorageHealth>;
  close(): void;
};

const STALE_MS = 30_000;
const CLUSTER_RACES = 1_000;
const FEW_RACES = 100;
const MAX_SOURCES = 1_000;
const MAX_FEW = 10;
const HIGH_PERCENT = 75;
const FULL_PERCENT = 90;

export function watchStorage({ view, history, dataDir, clock, logger }: Pick<GatewayContext, 'view' | 'history' | 'dataDir' | 'clock' | 'logger'>): StorageWatch {
  let evictions = 0;
  let counts = new Map<string, number>();
  let usedPercent: number | null = null;
  let failure: string | null = null;
  let lookedAtMs: number | null = null;
  let looking: Promise<void> | null = null;
  const stop = view.onChange((_raceId, race) => { if (race === null) evictions += 1; });

  const refresh = async (): Promise<void> => {
    try {
      if (dataDir !== null) {
        const { blocks, bfree, bavail } = await statfs(dataDir);
        usedPercent = (100 * (blocks - bfree)) / Math.max(1, blocks - bfree + bavail);
      }
      if (history !== null) {
        const rows = await history.query<{ source: string; races: number | string }>(
          `SELECT source, uniqExact(race_id) AS races FROM races GROUP BY source ORDER BY races DESC LIMIT ${MAX_SOURCES}`,
        );
        counts = new Map(rows.map(({ source, races }) => [source, Number(races)]));
      }
      failure = null;
    } catch (error) {
      failure = messageOf(error);
      logger.warn({ error: failure }, 'Storage health could not be looked at');
    }
    lookedAtMs = clock.nowMs();
  };
  const refreshOnce = (): Promise<void> => looking ??= refresh().finally(() => { looking = null; });

  const health = (): StorageHealth => {
    const stored = [...counts.values()].reduce((sum, count) => sum + count, 0);
    let unfinished = 0;
    let live = 0;
    for (const race of view.races()) {
      live += 1;
      if (!isFinished(race.facts.state)) unfinished += 1;
    }
    const few = [...counts].filter(([, count]) => count < FEW_RACES);
    const percent = usedPercent === null ? null : Math.round(usedPercent * 10) / 10;
    const warnings = [
      ...(percent !== null && percent > HIGH_PERCENT && percent <= FULL_PERCENT ? [`The disk is ${percent} % full`] : []),
      ...few.slice(0, MAX_FEW).map(([source, count]) => `Source ${JSON.stringify(source)} has only ${count} finished races: forecasts are wide below ${FEW_RACES}`),
      ...(few.length > MAX_FEW ? [`So have ${few.length - MAX_FEW} more`] : []),
    ];
    return {
      total_races: history === null ? live : stored + unfinished,
      races_by_source: Object.fromEntries(counts),
      cluster_data_sufficient: [...counts.values()].some((count) => count >= CLUSTER_RACES),
      usage_percent: percent,
      max_races: null,
      eviction_count: evictions,
      warnings,
      critical_errors: [
        ...(percent !== null && percent > FULL_PERCENT ? [`The disk is ${percent} % full: make room, a full disk stops the log`] : []),
        ...(failure === null ? [] : [`Storage cannot be looked at: ${failure}`]),
      ],
    };
  };

  return {
    health() {
      if (lookedAtMs === null || clock.nowMs() - lookedAtMs > STALE_MS) void refreshOnce();
      return health();
    },
    async look() {
      await refreshOnce();
      return health();
    },
    close: stop,
  };
}
