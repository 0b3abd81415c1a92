import { Command } from 'commander';
import type { WaypointEta } from '../journey/etas.ts';
import { createFleet, takePosition } from '../journey/fleet.ts';
import type { Passage } from '../journey/follow.ts';
import type { CliContext } from './context.ts';
import { csvField } from './csv-rows.ts';
import { openOutput } from './output-file.ts';
import { readJourneys } from './recorded-journeys.ts';

const COLUMNS = ['race_id', 'issued_at', 'milestone', 'eta_at', 'p10_at', 'p90_at'] as const;
/** A passage is seen within the noise of receivers: what stands at a stop may be counted as gone so much too early. */
const PASSED_WITHIN_MS = 30_000;
/** Of what remains: a smaller move of an ETA or its range is not told again. At least the second, ms. */
const [LEAST_MOVE_SHARE, LEAST_MOVE_MS] = [0.01, 1000];

type JourneyArguments = { route: string; track: string; out: string };
type Told = { readonly etaMs: number; readonly p10Ms: number; readonly p90Ms: number };

export function journeyCommand(context: CliContext): Command {
  return new Command('journey')
    .description('Follow recorded vehicles along their routes in event time and write every ETA of every stop as it would have been told')
    .requiredOption('--route <file>', 'route.csv or route.csv.gz: track_id, seq, stop_id, lat, lon and, if there is a plan, sched_time')
    .requiredOption('--track <file>', 'track.csv or track.csv.gz: track_id, time, lat, lon and, if known, speed')
    .requiredOption('--out <file>', 'Where to write etas.csv (.gz to compress)')
    .addHelpText('after', `\nColumns: ${COLUMNS.join(', ')}. milestone = the stop's seq. A stop that was passed gets a last row with when it was.`)
    .action((options: JourneyArguments) => replayJourneys(context, options));
}

async function replayJourneys(context: CliContext, { route, track, out: path }: JourneyArguments): Promise<void> {
  const { routes, positions, refused } = await readJourneys({ route, track });
  const out = openOutput(path, COLUMNS);
  const started = performance.now();
  const fleet = createFleet();
  const told = new Map<string, Map<number, Told>>();
  const lastAtMs = new Map<string, number>();
  const counts = { followed: 0, started: 0, late: 0, outlier: 0, passages: 0, rows: 0 };
  let text = '';
  for (const position of positions) {
    const { raceId, atMs } = position;
    const known = routes.get(raceId)!;
    const { outcome, passages, etas } = takePosition(fleet, raceId, known.route, position);
    counts[outcome]++;
    counts.passages += passages.length;
    let ofRace = told.get(raceId);
    if (ofRace === undefined) told.set(raceId, (ofRace = new Map()));
    const news: [number, Told][] = [
      ...passages.map((passage): [number, Told] => [passage.index, toldOf(passage, lastAtMs.get(raceId) ?? passage.atMs, atMs)]),
      ...etas.filter((eta) => isNews(ofRace.get(eta.index), eta, atMs)).map((eta): [number, Told] => [eta.index, eta]),
    ];
    for (const [index, item] of news) {
      ofRace.set(index, item);
      text += rowOf(raceId, atMs, known.seqs[index]!, item);
      counts.rows++;
    }
    lastAtMs.set(raceId, atMs);
    if (text.length > 1 << 18) {
      out.write(text);
      await out.drained();
      text = '';
    }
  }
  out.write(text);
  await out.close();
  for (const reason of refused.routes) context.err.write(`refused: ${reason}\n`);
  context.err.write(
    `${told.size} journeys on ${routes.size} routes, ${counts.started + counts.followed} positions followed, ${counts.late} late or doubled, ${counts.outlier} out of reach, ` +
    `${refused.rows} rows refused, ${refused.withoutRoute} positions without a route; ${counts.passages} passages, ${counts.rows} ETAs in ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
  );
}

/** The passage lies between two positions. */
function toldOf({ atMs }: Passage, fromMs: number, untilMs: number): Told {
  return { etaMs: atMs, p10Ms: Math.min(atMs, fromMs), p90Ms: untilMs + PASSED_WITHIN_MS };
}

function isNews(before: Told | undefined, now: WaypointEta, atMs: number): boolean {
  if (before === undefined) return true;
  const least = Math.max(LEAST_MOVE_MS, LEAST_MOVE_SHARE * (now.etaMs - atMs));
  return Math.abs(now.etaMs - before.etaMs) >= least || Math.abs(now.p10Ms - before.p10Ms) >= 5 * least || Math.abs(now.p90Ms - before.p90Ms) >= 5 * least;
}

function rowOf(raceId: string, atMs: number, milestone: number, { etaMs, p10Ms, p90Ms }: Told): string {
  return `${csvField(raceId)},${instant(atMs)},${milestone},${instant(etaMs)},${instant(p10Ms)},${instant(p90Ms)}\n`;
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
