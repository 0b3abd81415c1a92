import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { AppError } from '../errors.ts';
import { jobStages, type JobStage } from '../rebuilds/job-stages.ts';
import { serverHeaders, serverUrl, type CliContext } from './context.ts';
import { plainText } from './format.ts';
import { request } from './http.ts';

const POLL_MS = 200;
const BAR_CELLS = 24;

type Check = { check: string; passed: boolean; reason: string };
type Report = {
  id: string; status: string; message: string; version: string; races: number; unseen: number; clusters: number; noise_ratio: number | null; agreement: number | null; eps: number | null; eps_rule: string;
  loss: number | null; in_force_loss: number | null; stage_ms: Record<string, number>; checks: Check[]; progress: { stage: JobStage; ratio: number } | null;
};

export function rebuildCommand(context: CliContext): Command {
  return new Command('rebuild')
    .description('Rebuild the clusters of a source in a running service, and wait for the verdict (needs ClickHouse, embedded or not)')
    .argument('<source>', 'The source')
    .option('--no-wait', 'Only ask for it')
    .option('--json', 'Print the report as JSON')
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .action((source: string, options: { wait: boolean; json?: boolean; server?: string }) => rebuild(context, source, options));
}

async function rebuild(context: CliContext, source: string, options: { wait: boolean; json?: boolean; server?: string }): Promise<void> {
  const server = serverUrl(context.env, options.server);
  const headers = serverHeaders(context.env);
  const asked = await request(new URL(`${server}/rebuild/trigger`), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ source }) });
  const { id, status } = await asked.json() as { id: string; status: string };
  if (!options.wait) {
    context.out.write(`${id} ${status}\n`);
    return;
  }
  const report = await waitFor(context, new URL(`${server}/v1/rebuilds/${encodeURIComponent(id)}`), headers);
  context.out.write(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(source, report));
  if (report.status !== 'accepted') context.finish(1);
}

async function waitFor({ err }: CliContext, url: URL, headers: Readonly<Record<string, string>>): Promise<Report> {
  const isTty = err.isTTY === true;
  for (;;) {
    const report = await reportOf(url, headers);
    if (report !== null && report.status !== 'running') {
      if (isTty) err.write('\r\x1b[K');
      return report;
    }
    if (isTty) err.write(`\r\x1b[K${barText(report?.progress ?? null)}`);
    await delay(POLL_MS);
  }
}

/** null = it waits for those before it. */
async function reportOf(url: URL, headers: Readonly<Record<string, string>>): Promise<Report | null> {
  try {
    return await (await request(url, { headers })).json() as Report;
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return null;
    throw error;
  }
}

/** Stages count alike: how long each takes hangs on the races. */
function barText(progress: Report['progress']): string {
  if (progress === null) return 'waiting';
  const at = jobStages.indexOf(progress.stage);
  const done = Math.round(((at + Math.min(1, progress.ratio)) / jobStages.length) * BAR_CELLS);
  return `[${'█'.repeat(done)}${'·'.repeat(BAR_CELLS - done)}] ${at + 1}/${jobStages.length} ${progress.stage} ${Math.floor(100 * progress.ratio)} %`;
}

function reportText(source: string, { status, message, version, races, unseen, clusters, noise_ratio, agreement, eps, eps_rule, stage_ms, checks }: Report): string {
  const head = `${plainText(source)}: ${status}${status === 'accepted' ? `, version ${version} is on trial (shadow)` : ''}\n`;
  if (races === 0) return `${head}${plainText(message)}\n`;
  return head
    + `${clusters} clusters of ${races} races (${unseen} more kept unseen), ${percent(noise_ratio)} in none; eps ${eps?.toFixed(3) ?? '-'} (${eps_rule}); agreement with the model in force ${agreement?.toFixed(2) ?? '-'}\n`
    + checks.map(({ check, passed, reason }) => `  ${passed ? '✓' : '✗'} ${check.padEnd(13)} ${plainText(reason)}\n`).join('')
    + `${Object.entries(stage_ms).map(([stage, ms]) => `${stage} ${ms} ms`).join(', ')}\n`;
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(100 * share).toFixed(1)} %`;
}
