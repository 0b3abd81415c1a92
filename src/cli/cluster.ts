import { Command, InvalidArgumentError, Option } from 'commander';
import { createRacePacker, type PackedRaces } from '../cluster/packed-races.ts';
import { defaultRebuildOptions, rebuildClusters, type Rebuilt } from '../cluster/rebuild.ts';
import { stages, type Stage } from '../cluster/work.ts';
import { AppError } from '../errors.ts';
import { loadHnsw } from '../../workers/hnsw.ts';
import { wholeNumber } from './arguments.ts';
import type { CliContext } from './context.ts';
import { csvField, readCsvRows } from './csv-rows.ts';
import { openOutput } from './output-file.ts';
import { readMetadata } from './recording.ts';
import { openStatusLine } from './status-line.ts';

type ClusterArguments = { races: string; labels: string; eps: 'auto' | number; minPts: number; keys: 'auto' | 'all'; mask: 'on' | 'off'; budget: number };

export function clusterCommand(context: CliContext): Command {
  return new Command('cluster')
    .description('Cluster the races of a recording as one source and write the cluster of each')
    .requiredOption('--races <file>', 'races.csv or races.csv.gz: id, title, metadata')
    .requiredOption('--labels <file>', 'Where to write race_id,label (.gz to compress); -1 is noise')
    .addOption(new Option('--eps <x>', 'Races at most this far apart are neighbours, in (0, 1]; auto: at the knee of the k-distance curve').argParser(epsOf).default('auto'))
    .addOption(new Option('--min-pts <n>', 'Neighbours that make a core, itself counted').argParser(wholeNumber(1, 1_000_000)).default(defaultRebuildOptions.minPts))
    .addOption(new Option('--keys <which>', 'auto leaves out metadata keys that are unique per race').choices(['auto', 'all']).default('auto'))
    .addOption(new Option('--mask <on|off>', 'Take numbers, hashes and paths out of titles first').choices(['on', 'off']).default('on'))
    .addOption(new Option('--budget <n>', 'Distance calls past which labels are not exact').argParser(wholeNumber(1, 1_000_000_000_000)).default(defaultRebuildOptions.budget))
    .addHelpText('after', '\nPrints what it found, how long it took and the peak memory as JSON.')
    .action((options: ClusterArguments) => cluster(context, options));
}

async function cluster(context: CliContext, options: ClusterArguments): Promise<void> {
  const startedAtMs = performance.now();
  const { races, ids, skipped } = await readRaces(options.races);
  const readMs = performance.now() - startedAtMs;
  const bar = showProgress(context);
  const createVectors = loadHnsw();
  const outcome = rebuildClusters(
    { races, unseen: null, options: { ...defaultRebuildOptions, eps: options.eps, minPts: options.minPts, keys: options.keys, mask: options.mask === 'on', budget: options.budget } },
    { nowMs: () => performance.now(), report: bar.report, ...(createVectors === null ? {} : { createVectors }) },
  );
  bar.close();
  if (outcome.kind !== 'rebuilt') throw new AppError('invalid_request', outcome.kind === 'refused' ? outcome.message : 'Cannot cluster: it was cancelled');
  const rebuiltAtMs = performance.now();
  await writeLabels(options.labels, ids, outcome.rebuilt.labels);
  const doneAtMs = performance.now();
  const cpu = process.cpuUsage();
  context.out.write(`${JSON.stringify({
    ...summaryOf(outcome.rebuilt), rows_without_id: skipped.withoutId, rows_with_unreadable_metadata: skipped.unreadableMetadata,
    ms: { read: Math.round(readMs), ...outcome.rebuilt.stageMs, write: Math.round(doneAtMs - rebuiltAtMs), total: Math.round(doneAtMs - startedAtMs) },
    cpu_ms: Math.round(cpu.user / 1_000 + cpu.system / 1_000),
    peak_memory_mb: Math.round(process.resourceUsage().maxRSS / 1_024),
  }, null, 2)}\n`);
}

function summaryOf(rebuilt: Rebuilt): object {
  return {
    races: rebuilt.races, distinct: rebuilt.distinct,
    eps: rebuilt.eps, rule: rebuilt.rule, knee: rebuilt.knee, min_pts: rebuilt.minPts, mask: rebuilt.mask, dropped_keys: rebuilt.droppedKeys,
    exact: rebuilt.exact, sampled_points: rebuilt.sampledPoints,
    clusters: rebuilt.clusters.length, noise: rebuilt.noise, noise_ratio: rounded(rebuilt.noiseRatio), cohesion: rounded(rebuilt.cohesion), silhouette: rounded(rebuilt.silhouette),
    distance_calls: rebuilt.distanceCalls,
  };
}

/** Rows that are not taken as they are: without an id they have no label, without metadata they are compared by title. */
type Skipped = { withoutId: number; unreadableMetadata: number };

async function readRaces(path: string): Promise<{ races: PackedRaces; ids: string[]; skipped: Skipped }> {
  const packer = createRacePacker();
  const ids: string[] = [];
  // A fleet sends the same text again and again: it is parsed once.
  const sets = new Map<string, number>();
  const unreadable = new Set<string>();
  const skipped = { withoutId: 0, unreadableMetadata: 0 };
  await readCsvRows(path, ['id', 'title', 'metadata'], ['id', 'title'], ([id, title, metadata]) => {
    let set = sets.get(metadata ?? '');
    if (set === undefined) {
      const read = readMetadata(metadata ?? '');
      if (read === null) unreadable.add(metadata ?? '');
      set = packer.internSet(read ?? {});
      sets.set(metadata ?? '', set);
    }
    if (!id) {
      skipped.withoutId++;
      return;
    }
    if (unreadable.size > 0 && unreadable.has(metadata ?? '')) skipped.unreadableMetadata++;
    ids.push(id);
    packer.addWithSet(title ?? '', set);
  });
  return { races: packer.pack(), ids, skipped };
}

async function writeLabels(path: string, ids: readonly string[], labels: Int32Array): Promise<void> {
  const out = openOutput(path, ['race_id', 'label']);
  for (let from = 0; from < ids.length; from += ROWS_A_WRITE) {
    let text = '';
    for (let row = from; row < Math.min(from + ROWS_A_WRITE, ids.length); row++) text += `${csvField(ids[row]!)},${labels[row]}\n`;
    out.write(text);
  }
  await out.close();
}

const ROWS_A_WRITE = 10_000;

const NAMES: Readonly<Record<Stage, string>> = {
  collapse: 'collapsing repetition', index: 'building the index', knee: 'looking for the knee', cores: 'finding cores', connect: 'connecting cores', measure: 'measuring', assign: 'assigning',
};
const REDRAW_MS = 100;

/** The stage and how far it is on the terminal's last row; nothing where there is no terminal. */
function showProgress(context: CliContext): { report: (stage: Stage, ratio: number) => boolean; close: () => void } {
  const line = openStatusLine(context.err, context.env['TERM']);
  let drawnAtMs = 0;
  return {
    report(stage, ratio) {
      if (line !== null && performance.now() - drawnAtMs > REDRAW_MS) {
        drawnAtMs = performance.now();
        line.show(() => `${stages.indexOf(stage) + 1}/${stages.length} ${NAMES[stage]} ${Math.floor(100 * ratio)} %`);
      }
      return true;
    },
    close: () => line?.close(),
  };
}

function epsOf(text: string): 'auto' | number {
  if (text === 'auto') return 'auto';
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('It must be auto or a number in (0, 1].');
  return value;
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10_000) / 10_000;
}
