import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildGateway } from '../../../src/gateway/server.ts';
import { closeCodes } from '../../../src/bridge/frames.ts';
import { etaViewOf, factsOf, raceViewOf } from '../../../src/gateway/live/facts.ts';
import { etaUpdate, gatewayDeps, openEngines, raceState } from './harness.ts';

test('schemas/openapi.json is what the routes say (write it anew with vitest -u)', async () => {
  const engines = await openEngines();
  const { app, close } = await buildGateway(gatewayDeps(engines));
  await app.ready();
  await expect(`${JSON.stringify(app.swagger(), null, 2)}\n`).toMatchFileSnapshot('../../../schemas/openapi.json');
  await close();
  await engines.log.close();
});

test('schemas/asyncapi.yaml names every frame, close code and field', async () => {
  const text = await readFile(new URL('../../../schemas/asyncapi.yaml', import.meta.url), 'utf8');
  for (const type of ['subscribe', 'unsubscribe', 'snapshot', 'delta', 'heartbeat', 'resumed', 'error']) expect(text).toContain(`type: { const: ${type} }`);
  for (const code of Object.values(closeCodes)) expect(text).toContain(String(code));
  // Each way to bring a token that access.ts knows of and a WebSocket has.
  expect(text).toMatch(/securitySchemes:[^]*scheme: bearer[^]*scheme: basic[^]*Sec-WebSocket-Protocol/);
  const eta = etaViewOf(etaUpdate({ race_id: 'a' }));
  const fields = [...Object.keys(raceViewOf(factsOf(raceState({ race_id: 'a' })), eta)), ...Object.keys(eta)];
  for (const field of fields) expect(text).toMatch(new RegExp(`^ +${field}:`, 'm'));
});
