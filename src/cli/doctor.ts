import { Command } from 'commander';
import { AppError } from '../errors.ts';
import type { Check, DoctorReport } from '../runtime/doctor.ts';
import { serverHeaders, serverUrl } from './context.ts';
import type { CliContext } from './context.ts';
import { plainText } from './format.ts';
import { request } from './http.ts';
import { loadServices } from './services.ts';

type DoctorOptions = { json?: true; server?: string };

const MAX_SKEW_MS = 30_000;
const marks = { ok: 'ok     ', warning: 'WARNING', problem: 'PROBLEM' } as const;

export function doctorCommand(context: CliContext): Command {
  return new Command('doctor')
    .description('Look at every engine and setting, say what is wrong and what to do')
    .option('--json', 'The report as JSON')
    .option('--server <url>', 'Gateway to ask (default: from RACELINE_HOST and RACELINE_PORT)')
    .addHelpText('after', '\nA running service is asked, since it holds the embedded engines; without one, the engines of the settings are opened.\nExits with 1 when there is a problem.')
    .action((options: DoctorOptions) => doctor(options, context));
}

async function doctor(options: DoctorOptions, context: CliContext): Promise<void> {
  const { from, report } = await examineSomewhere(options, context);
  if (options.json) context.out.write(`${JSON.stringify(report)}\n`);
  else context.out.write(`${[`Asked ${from}`, ...report.checks.flatMap(linesOf), report.healthy ? 'No problem was found.' : 'There are problems.'].join('\n')}\n`);
  if (!report.healthy) context.finish(1);
}

async function examineSomewhere(options: DoctorOptions, context: CliContext): Promise<{ from: string; report: DoctorReport }> {
  const server = serverUrl(context.env, options.server);
  const askedAtMs = Date.now();
  try {
    const answer: unknown = await (await request(new URL(`${server}/v1/doctor`), { headers: serverHeaders(context.env) })).json();
    if (!isReport(answer)) throw new AppError('invalid_request', `${server} gave no report: is it another version?`);
    const gateway = gatewayCheck(answer.at, askedAtMs, Date.now());
    return { from: server, report: { ...answer, healthy: answer.healthy && gateway.status === 'ok', checks: [gateway, ...answer.checks] } };
  } catch (error) {
    // Somebody answers there and must be asked, or was named and is missed.
    if (!(error instanceof AppError && error.code === 'unavailable') || options.server !== undefined) throw error;
  }
  const { examineEngines } = await loadServices();
  return { from: `the engines of the settings, since nothing answers at ${server}`, report: await examineEngines(context.env) };
}

/** The time of the answer lies between question and answer, or the clocks differ. */
function gatewayCheck(at: number, askedAtMs: number, answeredAtMs: number): Check {
  const skewMs = at < askedAtMs ? at - askedAtMs : Math.max(0, at - answeredAtMs);
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return { name: 'gateway', status: 'ok', detail: `It answers; its clock and this one are within ${Math.max(1, Math.ceil(Math.abs(skewMs) / 1_000))} s`, remedy: null };
  return { name: 'gateway', status: 'problem', detail: `Its clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this one`, remedy: 'Let NTP set both clocks' };
}

function linesOf({ name, status, detail, remedy }: Check): string[] {
  const line = plainText(`${marks[status]} ${name.padEnd(12)} ${detail}`);
  return remedy === null ? [line] : [line, plainText(`${' '.repeat(8)}${' '.repeat(12)} ${remedy}`)];
}

function isReport(value: unknown): value is DoctorReport {
  return typeof value === 'object' && value !== null && 'checks' in value && Array.isArray(value.checks) && 'at' in value && typeof value.at === 'number' && 'healthy' in value;
}
