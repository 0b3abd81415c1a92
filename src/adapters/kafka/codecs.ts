import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress as compressSnappy } from 'snappy';
import { decodeSnappy } from './snappy-framing.ts';

type Payload = { readonly buffer: Buffer };
type CompressionCodec = { compress(encoder: Payload): Promise<Buffer>; decompress(bytes: Buffer): Promise<Buffer> };

const zstdEncode = promisify(zstdCompress);
const zstdDecode = promisify(zstdDecompress);

const snappy: CompressionCodec = {
  compress: async ({ buffer }) => Buffer.from(await compressSnappy(buffer)),
  decompress: async (bytes) => decodeSnappy(bytes),
};
const lz4: CompressionCodec = { compress: ({ buffer }) => compressFrame(buffer), decompress: (bytes) => decompressFrame(bytes) };
const zstd: CompressionCodec = { compress: ({ buffer }) => zstdEncode(buffer), decompress: (bytes) => zstdDecode(bytes) };

/**
 * Teaches kafkajs every codec of Kafka; it brings gzip alone, and a single batch in an unknown codec stops its consumer
 * for good. Kafka's lz4 is the frame format. Process-wide, idempotent.
 */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => snappy;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstd;
}
