import { Command } from 'commander';
import { serverHeaders, serverUrl } from './context.ts';
import type { CliContext } from './context.ts';
import { request } from './http.ts';

export function sqlCommand(context: CliContext): Command {
  return new Command('sql')
    .description('Ask the history (ClickHouse, embedded or not) in SQL, read only')
    .argument('<statement>', 'A SELECT, or any other statement that only reads')
    .option('--format <format>', 'ClickHouse format: PrettyCompact, JSONEachRow, CSV, TSVWithNames...', 'PrettyCompact')
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .action((statement: string, options: { format: string; server?: string }) => ask(statement, options, context));
}

async function ask(statement: string, options: { format: string; server?: string }, context: CliContext): Promise<void> {
  const url = new URL(`${serverUrl(context.env, options.server)}/v1/sql`);
  url.searchParams.set('format', options.format);
  const response = await request(url, { method: 'POST', headers: { ...serverHeaders(context.env), 'content-type': 'text/plain' }, body: statement });
  if (response.body === null) return;
  let last = 0;
  // Bytes as they are: some formats are binary.
  for await (const bytes of response.body) {
    last = bytes.at(-1) ?? last;
    await write(context, bytes);
  }
  if (context.out.isTTY === true && last !== LINE_FEED) context.out.write('\n');
}

const LINE_FEED = 10;

/** Waits while the reader is slower than the database. */
async function write({ out }: CliContext, bytes: Uint8Array): Promise<void> {
  if (!out.write(bytes) && out.once !== undefined) await new Promise<void>((resolve) => { out.once?.('drain', resolve); });
}
