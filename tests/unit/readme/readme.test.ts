import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/main.ts';
import { roleNames, settings } from '../../../src/config.ts';
import { readEvent } from '../../../src/race/cdevents.ts';
import { MAX_METADATA_KEYS, normalizeUpdate } from '../../../src/race/normalize.ts';
import { MAX_EVENTS, MAX_STAGES, MAX_STATE_BYTES } from '../../../src/race/state.ts';
import campaign from '../../integration/faults/campaign.json' with { type: 'json' };
import { withSections } from './sections.ts';

const root = new URL('../../../', import.meta.url);
const path = new URL('README.md', root);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');
const readme = readFileSync(path, 'utf8');

/** Settings of the tests and of Node, which are no settings of the service. */
const otherVariables = new Set(['RACELINE_BENCH_PYTHON', 'RACELINE_BENCH_VALUES', 'RACELINE_FAULTS', 'RACELINE_FUZZ_RUNS', 'RACELINE_REQUIRE_ALL', 'RACELINE_SIM_SEEDS', 'UPDATE_README']);

describe('README.md', () => {
  it('prints tables and roles as the code has them (UPDATE_README=1 npm test -- tests/unit/readme writes them)', () => {
    const current = withSections(readme);
    if (process.env['UPDATE_README'] === '1') writeFileSync(path, current);
    else expect(readme, 'Out of date: run UPDATE_README=1 npm test -- tests/unit/readme').toBe(current);
  });

  it.each([['fields of RaceUpdate', 'race-update'], ['fields of EtaUpdate', 'eta-update']])('describes exactly the %s', (heading, schema) => {
    const { fields } = JSON.parse(read(`schemas/avro/${schema}.avsc`)) as { fields: { name: string }[] };
    expect(firstColumn(heading)).toEqual(fields.map(({ name }) => name).sort());
  });

  it('tells of faults of the campaign, none of which lost or doubled anything', () => {
    const { rows } = campaign;
    const files = readdirSync(new URL('tests/integration/faults/', root)).filter((name) => name.endsWith('.test.ts'));
    expect(rows.length).toBeGreaterThan(10);
    expect(files).toEqual(expect.arrayContaining([...new Set(rows.map(({ file }) => file))]));
    for (const { fault, audit } of rows) {
      if (/\d+ updates/.test(audit)) expect(audit, fault).toMatch(/^\d+ updates of \d+ races: 0 lost, 0 twice( \(\d+ with a revision more or less after a replay\))?$/);
    }
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = new Set([...readme.matchAll(/(?:^|`)(?:\w+=\S+ )*npm (?:run )?([a-z][a-z:-]*)/gm)].map((match) => match[1] ?? ''));
    expect(named).toContain('start');
    for (const name of named) if (name !== 'install') expect(Object.keys(scripts)).toContain(name);
  });

  it('uses commands and options that exist', async () => {
    const commands = [...readme.matchAll(/^(?:\$ )?(?:\w+=\S+ )*npx raceline (.+)$/gm), ...readme.matchAll(/`(?:npx )?raceline ([a-z][^`]*)`/g)].map((match) => match[1] ?? '');
    expect(commands.length).toBeGreaterThan(8);
    for (const command of commands) {
      const { words, options } = splitCommand(command);
      const help = await helpOf(words);
      for (const option of options) expect(help, `raceline ${command}`).toContain(option);
    }
  });

  it('points at files that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g), ...readme.matchAll(/`((?:src|topology|schemas|tests|\.ci)\/[\w./-]*)`/g)].map((match) => match[1] ?? '');
    expect(links.length).toBeGreaterThan(10);
    for (const link of links) expect(existsSync(new URL(link, root)), link).toBe(true);
  });

  it('names environment variables that are settings', () => {
    const named = [...readme.matchAll(/\b((?:RACELINE|KAFKA|CLICKHOUSE|SCHEMA_REGISTRY|UPDATE)_[A-Z_]+)\b/g)].map((match) => match[1] ?? '');
    for (const name of named) if (!otherVariables.has(name)) expect(Object.keys(settings)).toContain(name);
  });

  it('names every role', () => {
    expect(readme).toContain(`\nroles    ${roleNames.join(', ')}\n`);
    for (const role of roleNames) expect(readme).toContain(`\nRole: ${role}\n`);
  });

  it('names routes that exist', () => {
    const { paths } = JSON.parse(read('schemas/openapi.json')) as { paths: Record<string, Record<string, unknown>> };
    const routes = [...readme.matchAll(/\b(GET|POST|PATCH|DELETE) (\/[\w/:-]*)/g)].map((match) => ({ method: (match[1] ?? '').toLowerCase(), url: (match[2] ?? '').replaceAll(/:(\w+)/g, '{$1}') }));
    expect(routes.length).toBeGreaterThan(8);
    for (const { method, url } of routes) expect(Object.keys(paths[url] ?? {}), `${method} ${url}`).toContain(method);
    for (const stream of new Set(readme.match(/\/v1\/etas(?:\/stream)?/g))) expect(read('schemas/asyncapi.yaml')).toContain(stream);
  });

  it('gives updates that are taken', () => {
    const lines = [...readme.matchAll(/```json\n([\s\S]*?)```/g)].flatMap((match) => (match[1] ?? '').trim().split('\n'));
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) {
      const value = JSON.parse(line) as Record<string, unknown>;
      const event = 'specversion' in value ? readEvent(value) : { update: value };
      const result = 'update' in event ? normalizeUpdate(event.update, Date.now()) : event;
      expect(result, line).toHaveProperty('update');
    }
  });

  it('states the limits that hold', () => {
    const limits = readme.slice(readme.indexOf('## Limits'));
    for (const limit of [`${MAX_STAGES} stages`, `${MAX_EVENTS} events`, `${MAX_STATE_BYTES / 1024} KB`, `${MAX_METADATA_KEYS} metadata keys`]) expect(limits).toContain(limit);
  });
});

/** The names in backticks in the first column of the table under a heading, sorted. */
function firstColumn(heading: string): string[] {
  const from = readme.toLowerCase().indexOf(`# ${heading.toLowerCase()}`);
  expect(from, `a heading "${heading}"`).toBeGreaterThan(0);
  const rows = readme.slice(from).split('\n\n').find((part) => part.startsWith('|')) ?? '';
  return rows.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '')).sort();
}

/** `replay --races F --live` as its command (with what may be a subcommand) and its options, up to `--` or a pipe. */
function splitCommand(command: string): { readonly words: readonly string[]; readonly options: readonly string[] } {
  const own = command.split(/\s--\s|\s[|&]/)[0] ?? '';
  const unquoted = own.replaceAll(/"[^"]*"?|'[^']*'?/g, '');
  const parts = unquoted.split(/\s+/);
  const words = parts.slice(0, parts[1] !== undefined && /^[a-z]+$/.test(parts[1]) && ['dead-letters', 'topics'].includes(parts[0] ?? '') ? 2 : 1);
  return { words, options: parts.filter((part) => /^--[a-z]/.test(part)).map((part) => part.replace(/=.*/, '')) };
}

async function helpOf(words: readonly string[]): Promise<string> {
  let text = '';
  const stream = { write: (part: string | Uint8Array): boolean => {
    text += String(part);
    return true;
  } };
  const outcome = await run([...words, '--help'], {}, { out: stream, err: stream });
  expect(outcome, `raceline ${words.join(' ')} --help`).toBe(0);
  // An unknown command shows the help of all.
  if (words[0] !== undefined) expect(text).toMatch(new RegExp(`^Usage: raceline ${words.join(' ')}\\b`));
  return text;
}
