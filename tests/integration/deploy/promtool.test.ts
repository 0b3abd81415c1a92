import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { deployDir, queries, readDeploy } from '../../support/deploy/files.ts';
import { findPromtool } from '../../support/deploy/promtool.ts';
import { run } from '../../support/engines/run.ts';

const promtool = findPromtool();
const TIMEOUT_MS = 180_000;

describe.skipIf(promtool === null)('promtool', () => {
  const ask = (...args: readonly string[]): Promise<string> => run(promtool ?? '', args, { cwd: join(deployDir, 'prometheus') });

  it('finds the rules sound', async () => {
    await expect(ask('check', 'rules', '--lint=all', 'raceline-rules.yaml')).resolves.toMatch(/SUCCESS: \d+ rules found/);
  }, TIMEOUT_MS);

  it('finds the configuration sound', async () => {
    await expect(ask('check', 'config', 'prometheus.yaml')).resolves.toContain('is valid prometheus config');
  }, TIMEOUT_MS);

  it('finds it sound with the token that it tells of', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'raceline-prometheus-'));
    try {
      const token = join(dir, 'raceline-token');
      writeFileSync(token, 'abc');
      const config = readDeploy('prometheus/prometheus.yaml');
      const withToken = config.replace('# authorization:', 'authorization:').replace(/#( +credentials_file:) \S+/, `$1 ${token}`).replace('[raceline-rules.yaml]', '[]');
      expect(parse(withToken)).toMatchObject({ scrape_configs: [{ authorization: { credentials_file: token } }] });
      writeFileSync(join(dir, 'prometheus.yaml'), withToken);
      await expect(ask('check', 'config', join(dir, 'prometheus.yaml'))).resolves.toContain('is valid prometheus config');
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }, TIMEOUT_MS);

  it.each(['slo-tests.yaml', 'slo-tests-long.yaml'])('sees the alerts of %s fire and be silent', async (file) => {
    await expect(ask('test', 'rules', file)).resolves.toContain('SUCCESS');
  }, TIMEOUT_MS);

  it('can read every query of the rules, the dashboard and the runbook', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'raceline-queries-'));
    try {
      const file = join(dir, 'queries.json');
      const all = queries();
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules: all.map(({ expr }, n) => ({ record: `query:${n}`, expr })) }] }));
      await expect(ask('check', 'rules', file)).resolves.toContain(`SUCCESS: ${all.length} rules found`);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }, TIMEOUT_MS);
});
