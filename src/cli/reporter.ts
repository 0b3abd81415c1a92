import type { RaceUpdate } from '../race/update.ts';
import { encodeLine, postUpdates } from './update-target.ts';

export type ReporterOptions = {
  readonly server: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once, when the server does not answer or refuses what it is sent. */
  readonly onTrouble: (message: string) => void;
};

export type Reporter = {
  /** Queues an update. A `heartbeat` takes the place of one that still waits: old ones say nothing. */
  report(update: RaceUpdate, kind?: 'fact' | 'heartbeat'): void;
  /** Sends what waits. Gives up soon: after one more attempt if the server was away, else after `GRACE_MS`. */
  close(): Promise<void>;
};

/** More facts than any command has; beyond it the oldest go. */
const MAX_WAITING = 1_000;
const MAX_LINES = 500;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 10_000;
/** How long the end of a command may be held up by a server that answered before. Chosen. */
const GRACE_MS = 5_000;
/** The same where it had not answered. Chosen: nobody wants to wait for a server that is not there. */
const SHORT_GRACE_MS = 1_000;

/**
 * Sends updates of one race in order, in the background, and never fails: while the server is away they wait, bounded,
 * and the next attempt comes after a growing pause.
 */
export function createReporter(options: ReporterOptions): Reporter {
  let waiting: { readonly update: RaceUpdate; readonly kind: 'fact' | 'heartbeat' }[] = [];
  let isAway = false;
  let hasTold = false;
  let closeByMs: number | null = null;
  const cut = new AbortController();
  let wake: () => void = () => undefined;
  let worker: Promise<void> | null = null;

  const tell = (message: string): void => {
    if (!hasTold) options.onTrouble(message);
    hasTold = true;
  };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    // The command's end must not wait for the next attempt.
    timer.unref();
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  const work = async (): Promise<void> => {
    let pauseMs = FIRST_PAUSE_MS;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MAX_LINES);
      const isLast = closeByMs !== null && isAway;
      const answer = await postUpdates(options.server, batch.map(({ update }) => encodeLine(update)), { signal: cut.signal, headers: options.headers ?? {} });
      isAway = answer.kind === 'away';
      if (answer.kind === 'stored') {
        pauseMs = FIRST_PAUSE_MS;
        const refused = answer.rejected[0];
        if (refused !== undefined) tell(`${options.server} refused an update: ${refused.code}: ${refused.message}`);
      } else if (answer.kind === 'refused') {
        tell(`${options.server} refused an update: ${answer.message}`);
      } else {
        tell(`${options.server} does not answer (${answer.message}): the command runs on, updates are kept`);
        waiting = batch.concat(waiting);
        if (isLast || (closeByMs !== null && performance.now() >= closeByMs)) return;
        await pause(Math.max(closeByMs === null ? pauseMs : FIRST_PAUSE_MS, answer.retryAfterMs));
        pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS);
      }
    }
  };

  return {
    report(update, kind = 'fact') {
      if (kind === 'heartbeat') waiting = waiting.filter((item) => item.kind === 'fact');
      waiting.push({ update, kind });
      if (waiting.length > MAX_WAITING) waiting.shift();
      worker ??= work().finally(() => { worker = null; });
    },
    async close() {
      const graceMs = isAway ? SHORT_GRACE_MS : GRACE_MS;
      closeByMs = performance.now() + graceMs;
      const timer = setTimeout(() => {
        cut.abort();
        wake();
      }, graceMs);
      wake();
      await worker;
      clearTimeout(timer);
    },
  };
}
