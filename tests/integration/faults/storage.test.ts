import { setTimeout as delay } from 'node:timers/promises';
import { existsSync, writeFileSync, openSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionCounts } from '../../../topology/topics.ts';
import { skipped, whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { openCampaign, type Campaign } from '../../support/faults/campaign.ts';
import { allowWrites, forbidWrites, mountSmallDisk, setImmutable, whyNoPrlimit, type SmallDisk } from '../../support/faults/full-disk.ts';
import { isLong } from '../../support/faults/report.ts';
import { settingOn } from '../../support/kafka-service.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const OUTAGE_MS = isLong ? 20_000 : 1_500;

describe.skipIf(whyNoPrlimit() !== null && skipped(String(whyNoPrlimit())) !== '')('the embedded log cannot be written', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory();
  const disk: SmallDisk | null = mountSmallDisk(directory.path, 400);
  const data = join(disk?.path ?? directory.path, 'data');
  let service: RunningService;
  let campaign: Campaign;

  beforeAll(async () => {
    service = await startService({ RACELINE_DATA_DIR: data });
    campaign = openCampaign({ url: () => service.url, partitions: partitionCounts.embedded.races, endOffset: null });
  });

  afterAll(async () => {
    await service?.kill();
    disk?.remove();
    directory.remove();
  });

  test('every write fails for a while (RLIMIT_FSIZE): updates are refused with 503, nothing that was answered is lost', async () => {
    await campaign.endure({
      name: `Embedded log and chDB: every write fails with EFBIG (RLIMIT_FSIZE 0) for ${OUTAGE_MS / 1_000} s`,
      async act() {
        await forbidWrites(service.pid);
        const status = await refusal();
        await delay(OUTAGE_MS);
        await allowWrites(service.pid);
        return `updates are refused (${status}), the process lives on`;
      },
    });
  });

  test.skipIf(disk === null)('the disk is full for a while', async () => {
    await campaign.endure({
      name: `Embedded log and chDB: disk full (a tmpfs of 400 MB) for ${OUTAGE_MS / 1_000} s`,
      async act() {
        disk?.fill();
        const status = await refusal();
        await delay(OUTAGE_MS);
        disk?.empty();
        return `updates are refused (${status}), the process lives on`;
      },
    });
  });

  /** Until the log needs a page that it does not have: the file's free space is used up first. */
  async function refusal(): Promise<string> {
    return await waitUntil('an update is refused', async () => {
      const response = await fetch(`${service.url}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: '{"race_id": "refused", "forget": true}\n' });
      const { code } = await response.json() as { code?: string };
      return response.status === 503 ? `503 ${code}` : null;
    }, 30_000);
  }
});

describe('the files of the embedded log are read-only', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory();
  const canLock = canMakeImmutable(directory.path);
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

describe.skipIf(whyNoEngines() !== null || whyNoPrlimit() !== null)('the broker cannot write', { timeout: 180_000 }, () => {
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
