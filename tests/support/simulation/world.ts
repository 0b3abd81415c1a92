import TinyQueue from 'tinyqueue';
import { seededRandom } from '../random.ts';

/** One operating-system process of the simulation: when it dies, nothing that it waited for ever happens. */
export type Process = {
  readonly name: string;
  isAlive: boolean;
  /** Its wall clock against the broker's, ms. */
  readonly skewMs: number;
  /** Effects (appends, commits, inserts) of it that reached an engine. */
  effects: number;
  /** It dies right after this many effects. */
  crashAtEffect: number;
};

type Event = { readonly atMs: number; readonly order: number; readonly process: Process | null; run(): void };

/**
 * Time and chance of one simulation. Everything that happens is an event at a point of virtual time; between two
 * events all promises settle. The same seed gives the same events in the same order.
 */
export type World = ReturnType<typeof createWorld>;

export function createWorld(seed: number, startMs: number) {
  const random = seededRandom(seed);
  const events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs || a.order - b.order);
  let order = 0;
  let nowMs = 0;
  let wallOffsetMs = startMs;
  let count = 0;

  function after(delayMs: number, run: () => void, process: Process | null = null): () => void {
    let isOff = false;
    events.push({ atMs: nowMs + delayMs, order: order++, process, run: () => { if (!isOff) run(); } });
    return () => { isOff = true; };
  }

  const between = (low: number, high: number): number => low + random() * (high - low);

  return {
    random,
    between,
    chance: (probability: number): boolean => random() < probability,
    whole: (low: number, high: number): number => low + Math.floor(random() * (high - low + 1)),
    pick<T>(items: readonly T[]): T {
      const item = items[Math.floor(random() * items.length)];
      if (item === undefined) throw new Error('Nothing to pick from');
      return item;
    },
    /** Virtual time since the start, ms: what latencies and timers go by. */
    get elapsedMs() { return nowMs; },
    get eventCount() { return count; },
    /** What the wall clock is ahead of virtual time, whole ms. */
    get wallOffsetMs() { return wallOffsetMs; },
    /** The wall clock, epoch ms. */
    wallMs: (): number => Math.round(nowMs + wallOffsetMs),
    /** The machines were asleep, or the clock was set: the wall clock moves, nothing else does. */
    moveWallClock(byMs: number): void { wallOffsetMs += byMs; },
    after,
    /** Resolves after so many ms; never, if the process dies before. */
    sleep: (delayMs: number, process: Process | null = null): Promise<void> => new Promise((resolve) => { after(delayMs, resolve, process); }),
    /** Runs events until `isDone`, checked after each, or until so many ms of virtual time have gone by. False = time ran out. */
    async run(isDone: () => boolean, limitMs: number): Promise<boolean> {
      const endMs = nowMs + limitMs;
      await settled();
      while (!isDone()) {
        const event = events.peek();
        if (event === undefined || event.atMs > endMs) return false;
        events.pop();
        nowMs = Math.max(nowMs, event.atMs);
        if (event.process !== null && !event.process.isAlive) continue;
        count += 1;
        event.run();
        await settled();
      }
      return true;
    },
  };
}

/** Resolves when no promise job is left. */
function settled(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}

export const never: Promise<never> = new Promise(() => {});
