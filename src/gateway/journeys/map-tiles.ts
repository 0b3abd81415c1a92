/** Where the board's maps get pictures of the ground. */
export type MapTiles = {
  /** http(s), with {z}, {x} and {y} in it. */
  readonly url: string;
  readonly attribution: string;
};

/** The policy of the board's page, which may load pictures from the origin of the tiles and no other. */
export function withTiles(pagePolicy: string, mapTiles: MapTiles | null): string {
  return mapTiles === null ? pagePolicy : pagePolicy.replace("img-src 'self'", `img-src 'self' ${new URL(mapTiles.url).origin}`);
}
