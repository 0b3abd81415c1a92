import { Command } from 'commander';
import { wholeNumber } from './arguments.ts';
import { serverHeaders, serverUrl, type CliContext } from './context.ts';
import { fit, formatDuration, plainText } from './format.ts';
import { request } from './http.ts';

type ClusterBody = { cluster_id: string; member_count: number; representative_title: string; version: string; stats: { median: number; percentiles: { p10: number; p90: number }; sample_size: number } | null };

export function clustersCommand(context: CliContext): Command {
  return new Command('clusters')
    .description('The clusters of a source: how many races, how long they take, and a typical title')
    .argument('<source>', 'The source')
    .option('--limit <n>', 'Clusters to show, the largest first', wholeNumber(1, 100_000), 40)
    .option('--json', 'Print the answer of GET /clusters')
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .action((source: string, options: { limit: number; json?: boolean; server?: string }) => clusters(context, source, options));
}

async function clusters(context: CliContext, source: string, options: { limit: number; json?: boolean; server?: string }): Promise<void> {
  const url = new URL(`${serverUrl(context.env, options.server)}/clusters`);
  url.searchParams.set('source', source);
  const all = await (await request(url, { headers: serverHeaders(context.env) })).json() as ClusterBody[];
  if (options.json === true) {
    context.out.write(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  const [first] = all;
  if (first === undefined) {
    context.out.write(`${plainText(source)} has no clusters: raceline rebuild ${plainText(source)} makes some\n`);
    return;
  }
  const shown = all.toSorted((a, b) => b.member_count - a.member_count).slice(0, options.limit);
  context.out.write(`${plainText(source)}: ${all.length} clusters of version ${first.version}\n`);
  for (const { cluster_id, member_count, representative_title, stats } of shown) {
    const spread = stats === null ? '-' : `${formatDuration(stats.median)} (${formatDuration(stats.percentiles.p10)} to ${formatDuration(stats.percentiles.p90)})`;
    context.out.write(`${fit(cluster_id, 18)} ${String(member_count).padStart(7)}  ${spread.padEnd(28)}  ${plainText(representative_title).slice(0, 100)}\n`);
  }
}
