import type { Clock } from '../../ports/clock.ts';

export type Membership = {
  /** The coordinator has just told that we are a member. */
  confirm(): void;
  isConfirmed(): boolean;
  /** Whether it told so since this was asked last. */
  wasHeard(): boolean;
  /** Resolves at once while confirmed, else with the next confirmation or when the signal aborts. */
  confirmed(signal: AbortSignal): Promise<void>;
};

/**
 * A lease on a group's membership: it holds for a session's time after the coordinator was last heard. By the wall
 * clock, which goes on while a process or its machine sleeps.
 */
export function createMembership({ sessionTimeoutMs, clock }: { readonly sessionTimeoutMs: number; readonly clock: Clock }): Membership {
  let confirmedAtMs = clock.nowMs();
  let isHeard = false;
  const waiting = new Set<() => void>();
  const isConfirmed = (): boolean => Math.abs(clock.nowMs() - confirmedAtMs) < sessionTimeoutMs;

  return {
    isConfirmed,
    wasHeard() {
      const was = isHeard;
      isHeard = false;
      return was;
    },
    confirm() {
      confirmedAtMs = clock.nowMs();
      isHeard = true;
      for (const go of waiting) go();
    },
    async confirmed(signal) {
      if (isConfirmed() || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          waiting.delete(go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        waiting.add(go);
        signal.addEventListener('abort', go, { once: true });
      });
    },
  };
}
