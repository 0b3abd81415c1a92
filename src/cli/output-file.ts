import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { AppError, messageOf } from '../errors.ts';

export type OutputFile = {
  write(text: string): void;
  /** What is to be awaited before more is written; undefined = nothing. */
  drained(): Promise<unknown> | undefined;
  /** Rejects with `invalid_request` if anything went wrong since it was opened. */
  close(): Promise<void>;
};

/** A CSV file with its header, gzipped when its name ends in .gz. */
export function openOutput(path: string, columns: readonly string[]): OutputFile {
  const file = createWriteStream(path);
  const out = path.endsWith('.gz') ? createGzip() : file;
  if (out !== file) out.pipe(file);
  const done = finished(file).catch((error: unknown) => {
    throw new AppError('invalid_request', `Cannot write ${path}: ${messageOf(error)}`, { cause: error });
  });
  // Reported by close(): a full disk must not be an unhandled rejection in the middle.
  done.catch(() => undefined);
  out.write(`${columns.join(',')}\n`);
  return {
    write: (text) => { out.write(text); },
    drained: () => (out.writableNeedDrain ? Promise.race([once(out, 'drain'), done]) : undefined),
    async close() {
      out.end();
      await done;
    },
  };
}
