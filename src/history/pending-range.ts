/** Offsets, both inclusive, of a batch that was cut and whose insert may or may not have happened. */
export type OffsetRange = { readonly first: number; readonly last: number };

/** As it stands in the commit's metadata: `first-last`. */
export function formatRange({ first, last }: OffsetRange): string {
  return `${first}-${last}`;
}

/** null = there is none, or the metadata is somebody else's. */
export function parseRange(metadata: string): OffsetRange | null {
  const match = /^(\d{1,16})-(\d{1,16})$/.exec(metadata);
  if (match === null) return null;
  const range = { first: Number(match[1]), last: Number(match[2]) };
  return range.first <= range.last ? range : null;
}
