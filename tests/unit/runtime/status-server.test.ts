import { expect, onTestFinished, test } from 'vitest';
import { createReadiness } from '../../../src/runtime/readiness.ts';
import { startStatusServer, type StatusServer } from '../../../src/runtime/status-server.ts';

async function start(port = 0): Promise<{ readonly server: StatusServer; readonly readiness: ReturnType<typeof createReadiness> }> {
  const readiness = createReadiness(['historian']);
  const server = await startStatusServer({ host: '127.0.0.1', port, ready: () => readiness.report(), metricsText: async () => 'raceline_sockets 0\n' });
  onTestFinished(() => server.close());
  return { server, readiness };
}

test('/readyz answers 503 until every role runs', async () => {
  const { server, readiness } = await start();
  const before = await fetch(`${server.address}/readyz`);
  expect([before.status, await before.json()]).toEqual([503, { ready: false, roles: { historian: 'starting' } }]);
  readiness.running('historian');
  expect((await fetch(`${server.address}/readyz`)).status).toBe(200);
});

test('/healthz and /metrics answer at once, anything else is refused', async () => {
  const { server } = await start();
  expect((await fetch(`${server.address}/healthz`)).status).toBe(200);
  const metrics = await fetch(`${server.address}/metrics?all`);
  expect([metrics.headers.get('content-type'), await metrics.text()]).toEqual(['text/plain; version=0.0.4; charset=utf-8', 'raceline_sockets 0\n']);
  expect((await fetch(`${server.address}/race`, { method: 'POST', body: '{}' })).status).toBe(405);
  expect((await fetch(`${server.address}/races`)).status).toBe(404);
});

test('a port that is taken stops the start, with the setting to change', async () => {
  const { server } = await start();
  await expect(start(Number(new URL(server.address).port))).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('RACELINE_PORT') as unknown });
});
