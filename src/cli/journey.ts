import { Command } from 'commander';
import { createFleet, takePosition } from '../journey/fleet.ts';
import type { CliContext } from './context.ts';
import { JOURNEY_COLUMNS, openJourneyRows, type JourneyRows } from './journey-rows.ts';
import { readJourneys, type JourneyCounts, type RecordedJourneys } from './recorded-journeys.ts';
import { loadServices } from './services.ts';

type JourneyArguments = { route: string; track: string; out: string; service?: boolean };

export function journeyCommand(context: CliContext): Command {
  return new Command('journey')
    .description('Follow recorded vehicles along their routes in event time and write every ETA of every stop as it would have been told')
    .requiredOption('--route <file>', 'route.csv or route.csv.gz: track_id, seq, stop_id, lat, lon and, if there is a plan, sched_time')
    .requiredOption('--track <file>', 'track.csv or track.csv.gz: track_id, time, lat, lon and, if known, speed')
    .requiredOption('--out <file>', 'Where to write etas.csv (.gz to compress)')
    .option('--service', 'Through the operators of the service: what its revisions would have said, published as they are; takes four times as long')
    .addHelpText('after', `\nColumns: ${JOURNEY_COLUMNS.join(', ')}. milestone = the stop's seq. A stop that was passed gets a last row with when it was.`)
    .action((options: JourneyArguments) => replayJourneys(context, options));
}

async function replayJourneys(context: CliContext, { route, track, out: path, service }: JourneyArguments): Promise<void> {
  const recorded = await readJourneys({ route, track });
  const { routes, refused } = recorded;
  const rows = openJourneyRows(path, (raceId, index) => routes.get(raceId)!.seqs[index]!);
  const started = performance.now();
  const counts: JourneyCounts = { followed: 0, started: 0, late: 0, outlier: 0, passages: 0 };
  if (service === true) {
    const [{ replayThroughService }, { embeddedCodec }] = await Promise.all([import('./journey-service.ts'), loadServices()]);
    const codec = embeddedCodec();
    await codec.register();
    await replayThroughService(recorded, codec, rows, counts);
  } else await replayFleet(recorded, rows, counts);
  await rows.close();
  for (const reason of refused.routes) context.err.write(`refused: ${reason}\n`);
  context.err.write(
    `${rows.journeys} journeys on ${routes.size} routes, ${counts.started + counts.followed} positions followed, ${counts.late} late or doubled, ${counts.outlier} out of reach, ` +
    `${refused.rows} rows refused, ${refused.withoutRoute} positions without a route; ${counts.passages} passages, ${rows.count} ETAs in ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
  );
}

async function replayFleet({ routes, positions }: RecordedJourneys, rows: JourneyRows, counts: JourneyCounts): Promise<void> {
  const fleet = createFleet();
  const lastAtMs = new Map<string, number>();
  for (const position of positions) {
    const { raceId, atMs } = position;
    const { outcome, passages, etas } = takePosition(fleet, raceId, routes.get(raceId)!.route, position);
    counts[outcome]++;
    counts.passages += passages.length;
    for (const passage of passages) rows.passage(raceId, passage.index, passage.atMs, { fromMs: lastAtMs.get(raceId) ?? passage.atMs, untilMs: atMs });
    for (const eta of etas) rows.eta(raceId, atMs, eta.index, eta);
    lastAtMs.set(raceId, atMs);
    await rows.drained();
  }
}
