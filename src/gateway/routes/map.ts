import { Type } from 'typebox';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failures } from '../schemas.ts';

const MapBody = Type.Object({
  tiles: Type.Unsafe<{ tile_url: string; attribution: string } | null>({
    description: 'null = maps show routes and vehicles alone', anyOf: [{ type: 'null' }, { type: 'object', properties: { tile_url: { type: 'string' }, attribution: { type: 'string' } }, required: ['tile_url', 'attribution'] }],
  }),
});

/** GET /v1/map: what the board needs to know to draw one. */
export function mapRoutes(app: App, { mapTiles }: GatewayContext): void {
  app.get('/v1/map', {
    schema: { tags: ['v1'], summary: 'Where maps get their pictures of the ground', response: { 200: MapBody, ...failures } },
  }, async () => ({ tiles: mapTiles === null ? null : { tile_url: mapTiles.url, attribution: mapTiles.attribution } }));
}
