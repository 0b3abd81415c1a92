import { join } from 'node:path';
import { openHistoryStore } from '../../src/adapters/clickhouse/history-store.ts';
import { openLocalLog } from '../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../src/adapters/local-log/memory-storage.ts';
import { etaRevisionRow } from '../../src/history/rows.ts';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import { runHistorian } from '../../src/runtime/historian.ts';
import { partitionCounts } from '../../topology/topics.ts';
import { quietLogger } from '../support/engines/kafka-client.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { graphDriver } from '../support/graph-driver.ts';
import { temporaryDirectory } from '../support/service.ts';
import { everyTopic } from '../support/topics.ts';
import { waitUntil } from '../support/wait-until.ts';
import { rounded, type Figure } from './bench.ts';

const RACES = 1_000;
const COPIES = 8;
const CHUNK = 1_000;

/** Revisions from the log into the embedded ClickHouse, against bare inserts of the same rows. */
export async function historian(): Promise<Figure[]> {
  const startMs = Date.now() - 3_000_000;
  const driver = await graphDriver({ nowMs: startMs });
  const etas: EtaUpdate[] = [];
  for (const update of fleetUpdates({ seed: 4, races: RACES, startMs, spacingMs: 1_000, durationMs: 300_000 })) {
    driver.nowMs = update.at;
    etas.push(...driver.send(update).etas.map(({ eta }) => eta));
  }
  const directory = temporaryDirectory();
  const log = openLocalLog({ storage: memoryStorage(), maintenanceIntervalMs: null });
  const store = await openHistoryStore({ config: { url: null, database: 'raceline', username: 'default', password: '' }, dataDir: join(directory.path, 'own'), historyTtlDays: 365, logger: quietLogger });
  try {
    const { sources, single, races } = partitionCounts.embedded;
    await log.ensureTopics(everyTopic({ sources, single, races }));
    await store.migrate();
    const rows = etas.length * COPIES;
    for (let copy = 0; copy < COPIES; copy++) {
      for (let start = 0; start < etas.length; start += CHUNK) {
        await log.append('eta-updates', copy % races, etas.slice(start, start + CHUNK).map((eta) => ({ key: Buffer.from(eta.race_id), value: driver.codec.encode('eta-updates', { ...eta, race_id: `${eta.race_id}-${copy}` }) })));
      }
    }
    const startedAtMs = performance.now();
    const running = await runHistorian({ log, codec: driver.codec, store, clock: { nowMs: Date.now }, logger: quietLogger });
    await waitUntil('all rows are stored', async () => Number((await store.query<{ rows: string }>('SELECT count() AS rows FROM eta_revisions'))[0]?.rows) >= rows, 120_000);
    const ownMs = performance.now() - startedAtMs;
    await running.close();
    const bareStartMs = performance.now();
    const table = etas.map((eta, offset) => etaRevisionRow(eta, { topic: 'eta-updates', partition: 9, offset, appendedAtMs: startMs }));
    const madeMs = performance.now();
    for (let start = 0; start < table.length; start += 5_000) await store.insert('eta_revisions', table.slice(start, start + 5_000), `bench:${start}`);
    const bareMs = performance.now() - madeMs;
    const [own, bare] = [(rows * 1_000) / ownMs, (table.length * 1_000) / bareMs];
    return [
      { name: 'rows_per_sec', value: Math.round(own), says: `${rows} revisions, read, decoded and stored once in chDB, from a cold start (${Math.round(madeMs - bareStartMs)} ms of rows made for the peer)` },
      { name: 'bare_rows_per_sec', value: Math.round(bare), says: 'the rows alone, inserted 5,000 at a time' },
      { name: 'ratio_to_bare', value: rounded(own / bare), says: '' },
    ];
  } finally {
    await store.close();
    await log.close();
    directory.remove();
  }
}
