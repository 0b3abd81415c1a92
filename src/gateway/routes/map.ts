import { Type } from 'typebox';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failures } from '../schemas.ts';

/** Where the board's maps get pictures of the ground. */
export type MapTiles = {
  /** http(s), with {z}, {x} and {y} in it. */
  readonly url: string;
  readonly attribution: string;
};

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

/** The policy of the board's page, which may load pictures from the origin of the tiles and no other. */
export function withTiles(pagePolicy: string, mapTiles: MapTiles | null): string {
  return mapTiles === null ? pagePolicy : pagePolicy.replace("img-src 'self'", `img-src 'self' ${new URL(mapTiles.url).origin}`);
}
