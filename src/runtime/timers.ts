/** How the runtime waits: in real time, or in that of a simulation. */
export type Timers = {
  /** Calls once, after so many ms; returns how to call it off. */
  after(delayMs: number, call: () => void): () => void;
  /** Time that only goes on, ms, from any start. */
  monotonicMs(): number;
};

export const systemTimers: Timers = {
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
  monotonicMs: () => performance.now(),
};

/** Calls again and again, the first time after `intervalMs`; returns how to stop that. */
export function every(timers: Timers, intervalMs: number, call: () => void): () => void {
  let cancel = timers.after(intervalMs, tick);
  function tick(): void {
    cancel = timers.after(intervalMs, tick);
    call();
  }
  return () => cancel();
}

/** Resolves after so many ms, or as soon as the signal is aborted. */
export function pause(timers: Timers, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = timers.after(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
