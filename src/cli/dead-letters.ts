import { Command } from 'commander';
import { AppError } from '../errors.ts';
import { wholeNumber } from './arguments.ts';
import { serverUrl } from './context.ts';
import type { CliContext } from './context.ts';
import { plainText } from './format.ts';
import { request } from './http.ts';

type ListOptions = { topic?: string; code?: string; limit: number; server?: string; json?: true };

export function deadLettersCommand(context: CliContext): Command {
  const list = new Command('ls')
    .description('List refused records, newest first')
    .option('--topic <topic>', 'Only of this topic, e.g. race-updates')
    .option('--code <code>', 'Only with this rejection code, e.g. at_in_future')
    .option('--limit <n>', 'At most', wholeNumber(1, 1_000), 100)
    .option('--json', 'One JSON object a line')
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .action((options: ListOptions) => listLetters(options, context));
  return new Command('dead-letters').description('Records that were refused, and why').addCommand(list);
}

async function listLetters(options: ListOptions, context: CliContext): Promise<void> {
  const url = new URL(`${serverUrl(context.env, options.server)}/v1/dead-letters`);
  url.searchParams.set('limit', String(options.limit));
  if (options.topic !== undefined) url.searchParams.set('topic', options.topic);
  if (options.code !== undefined) url.searchParams.set('code', options.code);
  const letters = lettersIn(await (await request(url)).json());
  if (letters.length === 0 && !options.json) context.err.write('No dead letters.\n');
  for (const letter of letters) context.out.write(`${options.json ? JSON.stringify(letter) : describe(letter)}\n`);
}

type Letter = Readonly<Record<string, unknown>>;

function lettersIn(body: unknown): readonly Letter[] {
  const list = isObject(body) ? body['items'] : null;
  if (!Array.isArray(list)) throw new AppError('unavailable', 'The gateway gave no list of dead letters: is it another version?');
  return list.filter(isObject);
}

/** `2026-01-31T12:00:00.000Z race-updates/3@1402 at_in_future build-7: at is 2 h ahead`: where it came from, and why. */
function describe(letter: Letter): string {
  const { at } = letter;
  const when = typeof at === 'number' ? new Date(at).toISOString() : '-';
  const origin = `${text(letter['topic'])}/${text(letter['partition'])}@${text(letter['offset'])}`;
  return plainText(`${when} ${origin} ${text(letter['code'])} ${text(letter['key'])}: ${text(letter['message'])}`);
}

function isObject(value: unknown): value is Letter {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-';
}
