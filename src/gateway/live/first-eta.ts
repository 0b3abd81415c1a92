import type { RaceLiveView } from './view.ts';

/** Lets a request wait for the first ETA of the race that it made. */
export type FirstEtas = {
  /** Resolves when the race has an ETA, at the limit, or at once when nobody should wait. Never rejects, leaves nothing behind. */
  wait(raceId: string): Promise<void>;
  close(): void;
};

const FIRST_ETA_MS = 250;
const MAX_WAITERS = 5_000;
/** After so many waits in vain the pipeline is taken for down, and only one request a second waits to find out. */
const VAIN_LIMIT = 8;
const PROBE_MS = 1_000;

export function firstEtas(view: RaceLiveView, nowMs: () => number): FirstEtas {
  const waiters = new Map<string, Set<() => void>>();
  let count = 0;
  let inVain = 0;
  let lastProbeMs = 0;

  const stop = view.onChange((raceId, race) => {
    if (race?.eta == null) return;
    inVain = 0;
    for (const wake of waiters.get(raceId) ?? []) wake();
  });

  const shouldWait = (): boolean => {
    if (count >= MAX_WAITERS) return false;
    if (inVain < VAIN_LIMIT) return true;
    if (nowMs() - lastProbeMs < PROBE_MS) return false;
    lastProbeMs = nowMs();
    return true;
  };

  return {
    wait(raceId) {
      if (view.get(raceId)?.eta != null || !shouldWait()) return Promise.resolve();
      return new Promise((resolve) => {
        const group = waiters.get(raceId) ?? new Set();
        const end = (): void => {
          if (!group.delete(end)) return;
          clearTimeout(timer);
          count--;
          if (group.size === 0 && waiters.get(raceId) === group) waiters.delete(raceId);
          resolve();
        };
        const timer = setTimeout(() => {
          inVain++;
          end();
        }, FIRST_ETA_MS);
        group.add(end);
        waiters.set(raceId, group);
        count++;
      });
    },
    close() {
      stop();
      for (const group of waiters.values()) for (const end of group) end();
    },
  };
}
