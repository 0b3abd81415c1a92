import { uncompressSync } from 'snappy';

/** Start of a stream as snappy-java writes it: \x82SNAPPY\0, then two int32 (version, lowest compatible version). */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

/**
 * Snappy as found in Kafka: Java clients write snappy-java's blocks (magic, then length-prefixed blocks), librdkafka
 * and Go write one raw block. Throws on bytes that are neither.
 */
export function decodeSnappy(bytes: Buffer): Buffer {
  if (bytes.length < XERIAL_HEADER_BYTES || !bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return rawBlock(bytes);
  const blocks: Buffer[] = [];
  let at = XERIAL_HEADER_BYTES;
  while (at < bytes.length) {
    const end = at + 4 + bytes.readInt32BE(at);
    if (end > bytes.length || end <= at + 4) throw new RangeError(`Snappy block at ${at} ends at ${end}, outside of ${bytes.length} bytes`);
    blocks.push(rawBlock(bytes.subarray(at + 4, end)));
    at = end;
  }
  return Buffer.concat(blocks);
}

function rawBlock(bytes: Buffer): Buffer {
  const plain = uncompressSync(bytes, { asBuffer: true });
  return typeof plain === 'string' ? Buffer.from(plain) : plain;
}
