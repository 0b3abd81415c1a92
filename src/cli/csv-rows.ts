import { AppError } from '../errors.ts';
import { createScanner } from './csv-scanner.ts';
import { readFileThrough } from './input-file.ts';

/** A text as a CSV field, in quotes where it must be. */
export function csvField(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const CHUNK_BYTES = 1_048_576;

/**
 * Calls back with the named fields of every row of a CSV file (RFC 4180, UTF-8, a header line; gunzipped if it ends in
 * .gz), in the order of `columns`, null for a column that the file does not have and need not have. Several times
 * as fast as a general parser, which matters from a million rows on.
 * Rejects with `not_found` and `invalid_request` (a needed column is missing, a quote is not closed).
 */
export async function readCsvRows(path: string, columns: readonly string[], needed: readonly string[], onRow: (fields: readonly (string | null)[]) => void): Promise<void> {
  let wanted: number[] | null = null;
  const picked: (string | null)[] = columns.map(() => null);
  const scanner = createScanner((fields) => {
    if (wanted === null) {
      const missing = needed.filter((name) => !fields.includes(name));
      if (missing.length > 0) throw new AppError('invalid_request', `Cannot read ${path}: it has no column ${missing.join(', ')}, only ${fields.join(', ')}`);
      wanted = columns.map((name) => fields.indexOf(name));
      return;
    }
    // An empty line is no row.
    if (fields.length === 1 && fields[0] === '') return;
    for (let i = 0; i < wanted.length; i++) picked[i] = wanted[i]! < 0 ? null : fields[wanted[i]!] ?? '';
    onRow(picked);
  });
  await readFileThrough(path, async (chunks) => {
    const decoder = new TextDecoder();
    for await (const chunk of chunks) scanner.push(decoder.decode(chunk, { stream: true }));
    scanner.push(decoder.decode());
    scanner.end();
  }, CHUNK_BYTES);
}
