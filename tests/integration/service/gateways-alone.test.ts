import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEtas } from '../../../src/bridge/client.ts';
import type { RaceView } from '../../../src/bridge/frames.ts';
import { encodeLine } from '../../../src/cli/update-target.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Nobody listens there. */
const NO_CLICKHOUSE = 'http://127.0.0.1:9';

/** Kafka is all that a gateway needs: what it shows comes from compacted topics. */
describe.skipIf(whyNoEngines() !== null)('two gateways and a pipeline on Kafka, ClickHouse away', { timeout: 60_000 }, () => {
  const directories = Array.from({ length: 3 }, temporaryDirectory);
  const services: RunningService[] = [];
  let kafka: KafkaSetting;

  beforeAll(async () => {
    kafka = await kafkaSetting();
    for (const [index, roles] of ['pipeline', 'gateway', 'gateway'].entries()) {
      services.push(await startService({ ...kafka.env, CLICKHOUSE_URL: NO_CLICKHOUSE, RACELINE_ROLES: roles, RACELINE_DATA_DIR: directories[index]!.path }));
    }
  }, 120_000);

  afterAll(async () => {
    await Promise.all(services.map((service) => service.kill()));
    for (const directory of directories) directory.remove();
  });

  test('start, take updates, and show the same races with the same ETAs', async () => {
    const [, one, other] = services as [RunningService, RunningService, RunningService];
    const clients = [one, other].map(({ url }) => follow(url));
    const lines = Array.from({ length: 20 }, (_, index) => encodeLine({ ...emptyUpdate(`alone-${index}`, 'ci/alone', Date.now()), title: 'build', state: 'running', started_at: Date.now(), eta_sec: 60 + index }));
    const answer = await fetch(`${one.url}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: lines.join('\n') });
    expect([answer.status, await answer.json()]).toMatchObject([200, { rejected_total: 0 }]);
    await waitUntil('both show all of them', () => clients.every(({ races }) => races.size === 20 && [...races.values()].every(({ eta }) => eta !== null)));
    await waitUntil('both show the same', () => JSON.stringify(sorted(clients[0]!.races)) === JSON.stringify(sorted(clients[1]!.races)));
    expect((await fetch(`${other.url}/readyz`)).status).toBe(200);
    const history = await fetch(`${other.url}/v1/sql?query=SELECT+1`);
    expect([history.status, ((await history.json()) as { code: string }).code]).toEqual([503, 'history_unavailable']);
    for (const { close } of clients) close();
  });
});

function follow(url: string): { readonly races: Map<string, RaceView>; close(): void } {
  const races = new Map<string, RaceView>();
  const take = (some: readonly RaceView[]): void => {
    for (const race of some) races.set(race.race_id, race);
  };
  const client = connectEtas({ url: `${url.replace('http', 'ws')}/v1/etas`, filter: {}, onSnapshot: take, onDelta: take });
  return { races, close: () => client.close() };
}

function sorted(races: ReadonlyMap<string, RaceView>): unknown {
  return [...races.values()].map(({ race_id: id, state, eta }) => [id, state, eta?.revision, eta?.finish_at, eta?.display.finish_at]).sort((a, b) => String(a[0]).localeCompare(String(b[0])));
}
