import { describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/main.ts';
import { settings } from '../../../src/config.ts';
import { failureCodes, rejectionCodes } from '../../../src/errors.ts';
import { topics } from '../../../topology/topics.ts';
import { alerts, readDeploy, runbookBlocks } from '../../support/deploy/files.ts';

const runbook = readDeploy('RUNBOOK.md');
const headings = [...runbook.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? '');
/** As GitHub makes them. */
const anchors = new Set(headings.map((heading) => heading.toLowerCase().replaceAll(/[^a-z0-9 -]/g, '').replaceAll(' ', '-')));
const prose = runbook.replaceAll(/^```[\s\S]*?^```$/gm, '');

async function helpOf(words: readonly string[]): Promise<string> {
  let text = '';
  const out = { write: (chunk: string | Uint8Array) => {
    text += chunk.toString();
    return true;
  } };
  await run([...words, '--help'], {}, { out, err: out });
  return text;
}

describe('RUNBOOK.md', () => {
  it('has an entry for every alert, where its runbook_url points', () => {
    expect(alerts().length).toBeGreaterThan(15);
    for (const { alert, annotations } of alerts()) {
      expect(annotations.runbook_url).toBe(`deploy/RUNBOOK.md#${alert.toLowerCase()}`);
      expect(headings).toContain(alert);
    }
  });

  it('has an entry for no alert that is gone', () => {
    const known = new Set(alerts().map(({ alert }) => alert));
    expect(headings.filter((heading) => heading.startsWith('Raceline') && !known.has(heading))).toEqual([]);
  });

  it('says of each alert what it means, whom it hurts and what to do', () => {
    const entries = runbook.split(/^#+ /m).filter((entry) => entry.startsWith('Raceline'));
    for (const entry of entries) for (const part of ['**Means**', '**Hurts**', 'Do']) expect(entry, entry.slice(0, 40)).toContain(part);
  });

  it('lists pages and tickets under their severity', () => {
    const pages = runbook.slice(runbook.indexOf('\n# Pages'), runbook.indexOf('\n# Tickets'));
    const paging = new Set(alerts().filter(({ labels }) => labels.severity === 'page').map(({ alert }) => alert));
    expect([...pages.matchAll(/^## (\w+)$/gm)].map((match) => match[1])).toEqual([...paging]);
  });

  it('links only to headings that exist', () => {
    const links = [...runbook.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !anchors.has(link))).toEqual([]);
  });

  it('names settings that exist', () => {
    const named = [...runbook.matchAll(/\b(?:RACELINE|KAFKA|CLICKHOUSE|SCHEMA_REGISTRY)_[A-Z_]+\b/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !(name in settings))).toEqual([]);
  });

  it('names codes that exist', () => {
    const named = [...prose.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map((match) => match[1] ?? '').filter((name) => !name.startsWith('raceline_'));
    const fields = ['race_id', 'started_at', 'not_ready', 'mean_confidence', 'v_source_stats', 'deadline_probability'];
    expect(named.filter((name) => !(name in failureCodes) && !(name in rejectionCodes) && !fields.includes(name))).toEqual([]);
  });

  it('names topics that exist', () => {
    const known = topics.map(({ name }) => `raceline.${name}`);
    const named = [...runbookBlocks('sh').join('\n').matchAll(/--entity-name (\S+)/g)].map((match) => match[1]);
    expect(named).not.toEqual([]);
    expect(known).toEqual(expect.arrayContaining(named));
  });

  it('gives commands that the command line knows, with options that they have', async () => {
    const lines = [...runbookBlocks('sh').flatMap((block) => block.split('\n')), ...[...prose.matchAll(/`(raceline [a-z][^`]*)`/g)].map((match) => match[1] ?? '')];
    const commands = lines.filter((line) => line.startsWith('raceline '));
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const words = command.split(' ').slice(1);
      const names = words.slice(0, words.findIndex((word) => word.startsWith('-')) >>> 0);
      const help = await helpOf(names);
      expect(help, command).toContain(`Usage: raceline ${names.join(' ')} `);
      for (const option of words.filter((word) => word.startsWith('--'))) expect(help, command).toContain(` ${option} `);
    }
  });
});
