import type { Headers } from '../../ports/record-log.ts';

/** All changelog records of a slice carry the same headers: written once. */
let last: { readonly headers: Headers; readonly bytes: Buffer } | null = null;

/**
 * Headers as bytes: name length (u16), name in UTF-8, value length (u32), value; again for the next one.
 * No headers are null, which costs nothing in a row. Headers must not be changed afterwards.
 */
export function encodeHeaders(headers: Headers | undefined): Buffer | null {
  if (headers === undefined || headers.length === 0) return null;
  if (last?.headers === headers) return last.bytes;
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    const nameBytes = Buffer.from(name);
    const lengths = Buffer.allocUnsafe(6);
    lengths.writeUInt16BE(nameBytes.length, 0);
    lengths.writeUInt32BE(value.length, 2);
    parts.push(lengths, nameBytes, value);
  }
  last = { headers, bytes: Buffer.concat(parts) };
  return last.bytes;
}

export function decodeHeaders(bytes: Buffer | null): Headers {
  if (bytes === null) return [];
  const headers: [string, Buffer][] = [];
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 6 + bytes.readUInt16BE(at);
    const valueEnd = nameEnd + bytes.readUInt32BE(at + 2);
    headers.push([bytes.toString('utf8', at + 6, nameEnd), bytes.subarray(nameEnd, valueEnd)]);
    at = valueEnd;
  }
  return headers;
}
