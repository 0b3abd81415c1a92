import { Command } from 'commander';
import { AppError } from '../errors.ts';
import { duration, instant, wholeNumber } from './arguments.ts';
import { serverHeaders, serverUrl } from './context.ts';
import type { CliContext } from './context.ts';
import { plainText } from './format.ts';
import { hexDump } from './hex-dump.ts';
import { request } from './http.ts';

type FilterOptions = { topic?: string; code?: string; key?: string; since?: number; server?: string };
type ListOptions = FilterOptions & { limit: number; json?: true };
type ShowOptions = { json?: true; server?: string };
type ReplayOptions = FilterOptions & { all?: true; dryRun?: true };
type PurgeOptions = { beforeOffset?: number; before?: number; olderThan?: number; server?: string };

const offset = wholeNumber(0, Number.MAX_SAFE_INTEGER);

/** All of it through the gateway: it works on the embedded log, which its service holds, as on Kafka. */
export function deadLettersCommand(context: CliContext): Command {
  const list = filtered(new Command('ls').description('List refused records, newest first'))
    .option('--limit <n>', 'At most', wholeNumber(1, 1_000), 100)
    .option('--json', 'One JSON object a line')
    .action((options: ListOptions) => listLetters(options, context));
  const show = served(new Command('show').description('Show one refused record: headers, value, bytes').argument('<offset>', 'Its offset in dead-letters', offset))
    .option('--json', 'As JSON, with the bytes in base64')
    .action((at: number, options: ShowOptions) => showLetter(at, options, context));
  const replay = filtered(new Command('replay').description('Send refused records again, as they were, to where they came from').argument('[offset]', 'Only this one', offset))
    .option('--all', 'All of them')
    .option('--dry-run', 'Only count')
    .addHelpText('after', '\nWhat is sent twice changes nothing: it is counted as a duplicate, or refused again with the same code.')
    .action((at: number | undefined, options: ReplayOptions) => replayLetters(at, options, context));
  const purge = served(new Command('purge').description('Remove the oldest refused records for good'))
    .option('--before-offset <offset>', 'Those below this offset of dead-letters', offset)
    .option('--before <instant>', 'Those put aside before: 2026-01-31 or 2026-01-31T12:00:00Z', instant)
    .option('--older-than <duration>', 'Those put aside longer ago: 12h, 7d', duration)
    .addHelpText('after', '\nA log gives up its oldest records only: there is no purging by code or key. What is left expires after 30 days.')
    .action((options: PurgeOptions) => purgeLetters(options, context));
  const command = new Command('dead-letters').description('Records that were refused, and why');
  for (const child of [list, show, replay, purge]) command.addCommand(child);
  return command;
}

function served(command: Command): Command {
  return command.option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)');
}

function filtered(command: Command): Command {
  return served(command)
    .option('--topic <topic>', 'Only of this topic, e.g. race-updates')
    .option('--code <code>', 'Only with this rejection code, e.g. at_in_future')
    .option('--key <key>', 'Only under this key: the race_id')
    .option('--since <instant>', 'Only those put aside since: 2026-01-31 or 2026-01-31T12:00:00Z', instant);
}

async function listLetters(options: ListOptions, context: CliContext): Promise<void> {
  const url = addressOf(context, options.server);
  url.searchParams.set('limit', String(options.limit));
  for (const name of ['topic', 'code', 'key', 'since'] as const) if (options[name] !== undefined) url.searchParams.set(name, String(options[name]));
  const body = await ask(url, context);
  const list = body['items'];
  if (!Array.isArray(list)) throw new AppError('unavailable', 'The gateway gave no list of dead letters: is it another version?');
  const letters = list.filter(isObject);
  if (letters.length === 0 && !options.json) context.err.write('No dead letters.\n');
  for (const letter of letters) context.out.write(`${options.json ? JSON.stringify(letter) : describe(letter)}\n`);
}

async function showLetter(at: number, options: ShowOptions, context: CliContext): Promise<void> {
  const letter = await ask(addressOf(context, options.server, `/${at}`), context);
  if (options.json) {
    context.out.write(`${JSON.stringify(letter)}\n`);
    return;
  }
  const headers = Array.isArray(letter['headers']) ? letter['headers'].filter(isObject) : [];
  const bytes = typeof letter['value_base64'] === 'string' ? Buffer.from(letter['value_base64'], 'base64') : null;
  const lines = [
    describe(letter), '',
    ...headers.map((header) => plainText(`${text(header['name'])}: ${text(header['value'])}`)), '',
    ...(isObject(letter['decoded']) ? JSON.stringify(letter['decoded'], null, 2).split('\n').map(plainText) : bytes === null ? ['No value: a tombstone, or one that was too large to be kept.'] : hexDump(bytes)),
  ];
  context.out.write(`${lines.join('\n')}\n`);
}

async function replayLetters(at: number | undefined, options: ReplayOptions, context: CliContext): Promise<void> {
  const { topic, code, key, since, all, dryRun } = options;
  const result = await ask(addressOf(context, options.server, '/replay'), context, { offset: at, topic, code, key, since, all, dry_run: dryRun });
  for (const problem of Array.isArray(result['problems']) ? result['problems'].filter(isObject) : []) context.err.write(plainText(`Skipped ${text(problem['dead_letter_offset'])}: ${text(problem['message'])}`) + '\n');
  context.out.write(`${dryRun ? 'Would replay' : 'Replayed'} ${text(result['replayed'])}, skipped ${text(result['skipped'])}\n`);
  if (Number(result['replayed']) === 0 && Number(result['skipped']) > 0) context.finish(1);
}

async function purgeLetters(options: PurgeOptions, context: CliContext): Promise<void> {
  const { beforeOffset, before, olderThan } = options;
  if ([beforeOffset, before, olderThan].filter((value) => value !== undefined).length !== 1) {
    throw new AppError('invalid_request', 'Exactly one of --before-offset, --before and --older-than must be given');
  }
  const beforeMs = olderThan === undefined ? before : Date.now() - Math.round(olderThan * 1_000);
  const result = await ask(addressOf(context, options.server, '/purge'), context, { before_offset: beforeOffset, before: beforeMs });
  context.out.write(`Purged ${text(result['purged'])}; the first one left has offset ${text(result['before_offset'])} or more\n`);
}

function addressOf(context: CliContext, server: string | undefined, path = ''): URL {
  return new URL(`${serverUrl(context.env, server)}/v1/dead-letters${path}`);
}

async function ask(url: URL, context: CliContext, body?: object): Promise<Letter> {
  const headers = serverHeaders(context.env);
  const response = await request(url, body === undefined ? { headers } : { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const answer: unknown = await response.json();
  if (!isObject(answer)) throw new AppError('unavailable', 'The gateway gave no object: is it another version?');
  return answer;
}

type Letter = Readonly<Record<string, unknown>>;

/** `7 2026-01-31T12:00:00.000Z race-updates/3@1402 at_in_future build-7: at is 2 h ahead`: where it came from, and why. */
function describe(letter: Letter): string {
  const { at } = letter;
  const when = typeof at === 'number' ? new Date(at).toISOString() : '-';
  const origin = `${text(letter['topic'])}/${text(letter['partition'])}@${text(letter['offset'])}`;
  return plainText(`${text(letter['dead_letter_offset'])} ${when} ${origin} ${text(letter['code'])} ${text(letter['key'])}: ${text(letter['message'])}`);
}

function isObject(value: unknown): value is Letter {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-';
}
