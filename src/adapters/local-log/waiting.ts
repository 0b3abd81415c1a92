/** Lets one loop sleep until something happens. A wake-up that comes while it is awake is not lost. */
export type Waker = { wake(): void; sleep(): Promise<void> };

export function makeWaker(): Waker {
  let isDue = false;
  let awaken: (() => void) | null = null;
  return {
    wake() {
      isDue = true;
      awaken?.();
    },
    async sleep() {
      if (!isDue) {
        await new Promise<void>((resolve) => { awaken = resolve; });
        awaken = null;
      }
      isDue = false;
    },
  };
}

/** The next turn of the event loop: loops over a backlog take it between batches, so that timers and sockets get theirs. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}

/** Whether the promise settled in time. Never rejects. */
export async function settlesWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => { timer = setTimeout(() => { resolve(false); }, limitMs); });
  try {
    return await Promise.race([promise.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
