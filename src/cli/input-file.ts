import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { AppError, messageOf } from '../errors.ts';

/**
 * Hands the bytes of a file (gunzipped when it ends in .gz) to `consume`. Rejects with `not_found` (no such file), with the
 * AppError that `consume` threw, else with `invalid_request`.
 */
export async function readFileThrough(path: string, consume: (bytes: AsyncIterable<Buffer>) => Promise<void>, chunkBytes?: number): Promise<void> {
  try {
    const file = createReadStream(path, chunkBytes === undefined ? {} : { highWaterMark: chunkBytes });
    await (path.endsWith('.gz') ? pipeline(file, createGunzip(chunkBytes === undefined ? {} : { chunkSize: chunkBytes }), consume) : pipeline(file, consume));
  } catch (error) {
    if (error instanceof AppError) throw error;
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new AppError(isMissing ? 'not_found' : 'invalid_request', `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
