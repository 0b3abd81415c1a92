import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import { openEngines, openGateway, send, type Engines } from './harness.ts';

let engines: Engines;
let plain: Gateway;
let tiled: Gateway;
beforeAll(async () => {
  engines = await openEngines();
  plain = await openGateway(engines);
  tiled = await openGateway(engines, { options: { mapTiles: { url: 'https://tiles.example:8443/{z}/{x}/{y}.png?key=1', attribution: '© Example' } } });
});
afterAll(async () => {
  await plain.close();
  await tiled.close();
  await engines.log.close();
});

const policyOf = async (gateway: Gateway): Promise<string> => /img-src [^;]*/.exec((await send(gateway, 'GET', '/')).headers.get('content-security-policy') ?? '')?.[0] ?? '';

test('maps have no tiles unless they are set, and then the page may load pictures from their origin alone', async () => {
  expect(await send(plain, 'GET', '/v1/map')).toMatchObject({ status: 200, body: { tiles: null } });
  expect(await send(tiled, 'GET', '/v1/map')).toMatchObject({ status: 200, body: { tiles: { tile_url: 'https://tiles.example:8443/{z}/{x}/{y}.png?key=1', attribution: '© Example' } } });
  expect(await policyOf(plain)).toBe("img-src 'self' data:");
  expect(await policyOf(tiled)).toBe("img-src 'self' https://tiles.example:8443 data:");
  expect((await send(tiled, 'GET', '/docs/')).headers.get('content-security-policy')).not.toContain('tiles.example');
});
