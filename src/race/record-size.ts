/** Largest record that every log takes in one append, bytes of key, value and headers. */
export const MAX_RECORD_BYTES = 900_000;

type Sized = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: ReadonlyArray<readonly [name: string, value: Uint8Array]>;
};

/** Bytes of key, value and headers; a header's name counts three bytes a character, its most. */
export function recordBytes({ key, value, headers = [] }: Sized): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers) bytes += 3 * name.length + content.length;
  return bytes;
}
