import { setTimeout as delay } from 'node:timers/promises';
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { partitionCounts } from '../../../topology/topics.ts';
import { startClickHouse, type ClickHouseProcess } from '../../support/clickhouse/start-clickhouse.ts';
import { skipped, whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import type { Ledger } from '../../support/faults/audit.ts';
import { openCampaign } from '../../support/faults/campaign.ts';
import { allowWrites, forbidWrites, mountSmallDisk, setImmutable, whyNoPrlimit, type SmallDisk } from '../../support/faults/full-disk.ts';
import { isBrief, isLong } from '../../support/faults/report.ts';
import { settingOn } from '../../support/kafka-service.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const OUTAGE_MS = isLong ? 20_000 : 1_500;
const noPrlimit = whyNoPrlimit();
if (noPrlimit !== null) skipped(`tests of full disks need more than there is: ${noPrlimit}`);

// ClickHouse apart: under such a limit the embedded one (26.7) puts merged parts in force whose marks were never written.
describe.skipIf(noPrlimit !== null)('every write of a service fails', { timeout: 120_000 }, () => {
  const [data, store] = [temporaryDirectory(), temporaryDirectory()];
  let server: ClickHouseProcess;
  let service: RunningService;

  afterAll(async () => {
    await service?.kill();
    await server?.stop();
    data.remove();
    store.remove();
  });

  test('for a while: updates are refused with 503, nothing that was answered is lost', async () => {
    server = await startClickHouse({ dir: store.path });
    service = await startService({ RACELINE_DATA_DIR: data.path, CLICKHOUSE_URL: server.url });
    await openCampaign({ url: () => service.url, partitions: partitionCounts.embedded.races, endOffset: null }).endure({
      name: `Embedded log: every write fails with EFBIG (RLIMIT_FSIZE 0) for ${OUTAGE_MS / 1_000} s`,
      async act({ ledger }) {
        await forbidWrites(service.pid);
        const status = await refusal(service.url, ledger);
        await delay(OUTAGE_MS);
        await allowWrites(service.pid);
        return `updates are refused (${status}), the process lives on`;
      },
    });
  });
});

describe.skipIf(isBrief)('the disk of the embedded log and ClickHouse is full', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory();
  const disk: SmallDisk | null = isBrief ? null : mountSmallDisk(directory.path, 400);
  let service: RunningService;

  afterAll(async () => {
    await service?.kill();
    disk?.remove();
    directory.remove();
  });

  test.skipIf(disk === null)('for a while: updates are refused with 503, nothing that was answered is lost', async () => {
    service = await startService({ RACELINE_DATA_DIR: join(disk?.path ?? '', 'data') });
    await openCampaign({ url: () => service.url, partitions: partitionCounts.embedded.races, endOffset: null }).endure({
      name: `Embedded log and chDB: disk full (a tmpfs of 400 MB) for ${OUTAGE_MS / 1_000} s`,
      async act({ ledger }) {
        disk?.fill();
        const status = await refusal(service.url, ledger);
        await delay(OUTAGE_MS);
        disk?.empty();
        return `updates are refused (${status}), the process lives on`;
      },
    });
  });
});

describe.skipIf(isBrief)('the files of the embedded log are read-only', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory();
  const canLock = !isBrief && canMakeImmutable(directory.path);
  let service: RunningService;

  afterAll(async () => {
    await service?.kill();
    setImmutable(['log.db', 'log.db-wal'].map((name) => join(directory.path, name)), false);
    directory.remove();
  });

  test.skipIf(!canLock)('for a while: updates are refused, and it goes on by itself', async () => {
    service = await startService({ RACELINE_DATA_DIR: directory.path });
    const files = ['log.db', 'log.db-wal'].map((name) => join(directory.path, name));
    await openCampaign({ url: () => service.url, partitions: partitionCounts.embedded.races, endOffset: null }).endure({
      name: `Embedded log: its files made immutable (chattr +i) for ${OUTAGE_MS / 1_000} s`,
      async act() {
        expect(setImmutable(files, true)).toBe(true);
        await delay(OUTAGE_MS);
        expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
        expect(setImmutable(files, false)).toBe(true);
        return 'updates are refused (503), the process lives on';
      },
    });
  });
});

describe.skipIf(isBrief || whyNoEngines() !== null || noPrlimit !== null)('the broker cannot write', { timeout: 180_000 }, () => {
  const directory = temporaryDirectory();
  let cluster: KafkaCluster;
  let service: RunningService;

  afterAll(async () => {
    await service?.kill();
    await cluster?.stop();
    directory.remove();
  });

  test('its disk is full: it gives up, and everything goes on when it is back with room', async () => {
    cluster = await startKafka({ brokers: 1 });
    const kafka = settingOn(cluster.brokers);
    service = await startService({ ...kafka.env, RACELINE_DATA_DIR: directory.path });
    await openCampaign({ url: () => service.url, partitions: kafka.partitions, endOffset: kafka.endOffset, patienceMs: 120_000 }).endure({
      name: `Kafka, its only broker: every write fails (RLIMIT_FSIZE 0) until it halts; restarted with room ${isLong ? 30 : 1} s later`,
      async act() {
        await forbidWrites(cluster.pid(1));
        await cluster.exited(1);
        await delay(isLong ? 30_000 : 1_000);
        await cluster.restart(1);
        return 'the broker takes its log directory off line and halts; sends wait, and go on when it is back';
      },
    });
  });
});

/** Sends until the log needs a page that it does not get: the free space within its file is used up first. */
async function refusal(url: string, ledger: Ledger): Promise<string> {
  return await waitUntil('an update is refused', async () => {
    const response = await fetch(`${url}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: '{"race_id": "refused", "forget": true}\n' });
    const { code } = await response.json() as { code?: string };
    if (response.ok) ledger.forgotten += 1;
    return response.status === 503 ? `503 ${code}` : null;
  }, 30_000);
}

function canMakeImmutable(dir: string): boolean {
  const probe = join(dir, 'probe');
  writeFileSync(probe, '');
  const file = openSync(probe, 'a');
  const isSet = setImmutable([probe], true);
  try {
    writeSync(file, 'x');
    return false;
  } catch {
    return isSet && existsSync(probe);
  } finally {
    closeSync(file);
    setImmutable([probe], false);
  }
}
