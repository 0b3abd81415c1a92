import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { silentLogger } from '../../support/clickhouse/silent-logger.ts';
import { runbookBlocks } from '../../support/deploy/files.ts';

describe('the SQL of RUNBOOK.md', () => {
  let dir: string;
  let store: HistoryStore;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raceline-runbook-'));
    store = await openHistoryStore({ config: { url: null, database: 'raceline', username: 'default', password: '' }, dataDir: dir, historyTtlDays: 30, logger: silentLogger });
    await store.migrate();
  });

  afterAll(async () => {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('is there', () => {
    expect(runbookBlocks('sql').length).toBeGreaterThan(5);
  });

  it.each(runbookBlocks('sql').map((sql) => [sql.trim()]))('runs as a user: %s', async (sql) => {
    const answer = await store.userQuery(sql, 'JSONCompact');
    expect(JSON.parse(answer.toString('utf8'))).toHaveProperty('data');
  });
});
