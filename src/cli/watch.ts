import { Command, Option } from 'commander';
import type { EtaFilter, RaceView } from '../bridge/frames.ts';
import { AppError } from '../errors.ts';
import type { RaceStateName } from '../race/update.ts';
import { keyValue } from './arguments.ts';
import { etasSocket, etasUrl, serverUrl } from './context.ts';
import type { CliContext, Output } from './context.ts';
import { progressAt } from './progress-bar.ts';
import { describeRace, renderTable, sortForTable } from './watch-table.ts';

type WatchOptions = { source?: string; state?: RaceStateName[]; race?: string[]; metadata?: Record<string, string>; once?: true; json?: true; server?: string };

/** At most four a second. */
const REDRAW_MS = 250;
/** For --once: how long the snapshot may take. */
const ONCE_TIMEOUT_MS = 10_000;
const stateNames: readonly RaceStateName[] = ['queued', 'running', 'passed', 'failed', 'canceled', 'abandoned'];

export function watchCommand(context: CliContext): Command {
  return new Command('watch')
    .description('Live table of ETAs; lines where the output is no terminal')
    .option('--source <glob>', 'Only of these sources: * any characters, ? one')
    .addOption(new Option('--state <state...>', 'Only in these states').choices(stateNames))
    .option('--race <id...>', 'Only these races')
    .option('--metadata <key=value>', 'Only races that carry it; may be repeated', keyValue)
    .option('--once', 'Print what is known now and exit')
    .option('--json', 'One JSON object a line for every revision')
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .action((options: WatchOptions) => watch(options, context));
}

async function watch(options: WatchOptions, context: CliContext): Promise<void> {
  const server = serverUrl(context.env, options.server);
  const screen = screenFor(options, context.out);
  const races = new Map<string, RaceView>();
  const stopped = Promise.withResolvers<NodeJS.Signals | 'complete'>();
  const { connectEtas } = await import('../bridge/client.ts');
  const client = connectEtas({
    url: etasUrl(server),
    WebSocketImpl: etasSocket(context.env),
    filter: filterOf(options),
    onSnapshot(views) {
      races.clear();
      for (const view of views) races.set(view.race_id, view);
      screen.changed(races, views);
      if (options.once) stopped.resolve('complete');
    },
    onDelta(views, removed) {
      for (const view of views) races.set(view.race_id, view);
      for (const raceId of removed) races.delete(raceId);
      screen.changed(races, views);
    },
    onStatus: (status, detail) => screen.status(status === 'open' ? null : `${server}: ${status}${detail === '' ? '' : ` (${detail})`}`),
  });
  const onSignal = (signal: NodeJS.Signals): void => stopped.resolve(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  const timeout = options.once === undefined ? undefined : setTimeout(() => {
    stopped.reject(new AppError('unavailable', `${server} gave no snapshot within ${ONCE_TIMEOUT_MS / 1_000} s: is "raceline up" running there?`));
  }, ONCE_TIMEOUT_MS);
  try {
    await stopped.promise;
  } finally {
    clearTimeout(timeout);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
    client.close();
    screen.close();
  }
}

function filterOf(options: WatchOptions): EtaFilter {
  return {
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.state === undefined ? {} : { states: options.state }),
    ...(options.race === undefined ? {} : { race_ids: options.race }),
    ...(options.metadata === undefined ? {} : { metadata: options.metadata }),
  };
}

/** What shows the races: told of every change, with those that changed. */
type Screen = {
  changed(races: ReadonlyMap<string, RaceView>, changed: readonly RaceView[]): void;
  /** null = connected. */
  status(message: string | null): void;
  close(): void;
};

function screenFor(options: WatchOptions, out: Output): Screen {
  if (options.json) return revisionScreen(out, (race) => JSON.stringify(race));
  if (options.once) return tableOnce(out);
  return out.isTTY === true ? liveTable(out) : revisionScreen(out, (race) => describeRace(race, Date.now()));
}

/** A line for each race that is new or whose revision or state changed. */
function revisionScreen(out: Output, render: (race: RaceView) => string): Screen {
  let seen = new Map<string, string>();
  return {
    changed(races, changed) {
      for (const race of changed) {
        const mark = `${race.attempt} ${race.state} ${race.eta?.revision ?? 0}`;
        if (seen.get(race.race_id) === mark) continue;
        seen.set(race.race_id, mark);
        out.write(`${render(race)}\n`);
      }
      // Bounded by what is on the gateway, however long this runs.
      if (seen.size > 2 * races.size + 1_000) seen = new Map([...seen].filter(([raceId]) => races.has(raceId)));
    },
    status: () => undefined,
    close: () => undefined,
  };
}

/** Wide enough for every column where the output has no width of its own. */
const DEFAULT_COLUMNS = 160;

function tableOnce(out: Output): Screen {
  return {
    changed(races) {
      const lines = renderTable(sortForTable([...races.values()]), Date.now(), out.columns ?? DEFAULT_COLUMNS, () => 0);
      out.write(`${lines.join('\n')}\n`);
    },
    status: () => undefined,
    close: () => undefined,
  };
}

/** The whole screen, redrawn at most four times a second, also without news: what is left runs on. */
function liveTable(out: Output): Screen {
  let current: readonly RaceView[] = [];
  let message: string | null = 'connecting';
  let shown = new Map<string, { readonly attempt: number; readonly progress: number }>();
  const draw = (): void => {
    const nowMs = Date.now();
    const width = out.columns ?? 80;
    const rows = out.rows ?? 24;
    const sorted = sortForTable(current);
    const visible = sorted.slice(0, Math.max(0, rows - 2));
    const next: typeof shown = new Map();
    for (const race of visible) {
      const before = shown.get(race.race_id);
      next.set(race.race_id, { attempt: race.attempt, progress: progressAt(race, nowMs, before?.attempt === race.attempt ? before.progress : 0).shown });
    }
    shown = next;
    const lines = renderTable(visible, nowMs, width, (raceId) => shown.get(raceId)?.progress ?? 0);
    const hidden = sorted.length - visible.length;
    const footer = [message ?? `${sorted.length} races`, ...(hidden > 0 ? [`${hidden} more below`] : [])].join(' · ').slice(0, width - 1);
    // Line by line over what was there: clearing the whole screen first would flicker.
    out.write(`\x1b[H${[...lines, footer].map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  };
  out.write('\x1b[?1049h\x1b[?25l\x1b[?7l');
  const timer = setInterval(draw, REDRAW_MS);
  draw();
  const close = (): void => {
    clearInterval(timer);
    process.off('exit', close);
    out.write('\x1b[?7h\x1b[?25h\x1b[?1049l');
  };
  // The terminal must get its own screen and cursor back however this ends.
  process.on('exit', close);
  return {
    changed(races) {
      current = [...races.values()];
    },
    status(next) {
      message = next;
    },
    close,
  };
}
