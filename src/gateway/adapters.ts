import type { Clock } from '../ports/clock.ts';

/** A client process that reports in, as the origin's adapters do. Held in memory: they register again when they start. */
type Adapter = {
  readonly id: string;
  readonly type: string;
  readonly instance: string;
  readonly displayName: string;
  readonly version: string;
  readonly pid: number | null;
  readonly registeredAtMs: number;
  readonly intervalSec: number;
  lastReportAtMs: number | null;
  stoppedAtMs: number | null;
  metrics: Readonly<Record<string, unknown>>;
  error: string | null;
};

export type AdapterState = 'REGISTERED' | 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN' | 'STOPPED' | 'EXEMPT';

export type AdapterRegistry = {
  register(adapter: Pick<Adapter, 'id' | 'type' | 'instance' | 'displayName' | 'version' | 'pid' | 'intervalSec'>): void;
  /** false = unknown id. */
  report(id: string, metrics: Readonly<Record<string, unknown>>, error: string | null): boolean;
  /** false = unknown id. */
  deregister(id: string): boolean;
  /** In order of registration. */
  list(): readonly { readonly adapter: Adapter; readonly state: AdapterState }[];
};

const MAX_ADAPTERS = 1_000;
const FORGET_MS = 600_000;

/** At most 1,000; one that has stopped or said nothing for 10 minutes beyond its interval is forgotten. */
export function adapterRegistry(clock: Clock): AdapterRegistry {
  const adapters = new Map<string, Adapter>();

  const sweep = (): void => {
    const nowMs = clock.nowMs();
    for (const adapter of adapters.values()) {
      const lastMs = adapter.stoppedAtMs ?? adapter.lastReportAtMs ?? adapter.registeredAtMs;
      if ((adapter.intervalSec > 0 || adapter.stoppedAtMs !== null) && nowMs - lastMs > FORGET_MS + 3_000 * adapter.intervalSec) adapters.delete(adapter.id);
    }
    if (adapters.size > MAX_ADAPTERS) adapters.delete(adapters.keys().next().value!);
  };

  return {
    register(adapter) {
      adapters.delete(adapter.id);
      adapters.set(adapter.id, { ...adapter, registeredAtMs: clock.nowMs(), lastReportAtMs: null, stoppedAtMs: null, metrics: {}, error: null });
      sweep();
    },
    report(id, metrics, error) {
      const adapter = adapters.get(id);
      if (adapter === undefined) return false;
      adapter.lastReportAtMs = clock.nowMs();
      adapter.stoppedAtMs = null;
      adapter.metrics = metrics;
      adapter.error = error;
      return true;
    },
    deregister(id) {
      const adapter = adapters.get(id);
      if (adapter === undefined) return false;
      adapter.stoppedAtMs = clock.nowMs();
      return true;
    },
    list() {
      sweep();
      return [...adapters.values()].map((adapter) => ({ adapter, state: stateOf(adapter, clock.nowMs()) }));
    },
  };
}

/** By the age of the last report: up to 1.5 intervals healthy, up to 3 unhealthy, then unknown. */
function stateOf(adapter: Adapter, nowMs: number): AdapterState {
  if (adapter.stoppedAtMs !== null) return 'STOPPED';
  if (adapter.intervalSec === 0) return 'EXEMPT';
  const ageMs = nowMs - (adapter.lastReportAtMs ?? adapter.registeredAtMs);
  if (ageMs > 3_000 * adapter.intervalSec) return 'UNKNOWN';
  if (ageMs > 1_500 * adapter.intervalSec || adapter.error !== null) return 'UNHEALTHY';
  return adapter.lastReportAtMs === null ? 'REGISTERED' : 'HEALTHY';
}
