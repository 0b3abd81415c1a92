import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEmbeddedHistory, type EmbeddedHistory } from '../../support/clickhouse/embedded-history.ts';
import { runbookBlocks } from '../../support/deploy/files.ts';

describe('the SQL of RUNBOOK.md', () => {
  let history: EmbeddedHistory;
  beforeAll(async () => { history = await openEmbeddedHistory(); });
  afterAll(() => history.close());

  it('is there', () => {
    expect(runbookBlocks('sql').length).toBeGreaterThan(5);
  });

  it.each(runbookBlocks('sql').map((sql) => [sql.trim()]))('runs as a user: %s', async (sql) => {
    const answer = await history.store.userQuery(sql, 'JSONCompact');
    expect(JSON.parse(answer.toString('utf8'))).toHaveProperty('data');
  });
});
