import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { parse } from 'csv-parse/sync';
import { afterAll, describe, expect, it } from 'vitest';
import { csvField, readCsvRows } from '../../../src/cli/csv-rows.ts';
import { createScanner } from '../../../src/cli/csv-scanner.ts';

const folder = mkdtempSync(join(tmpdir(), 'raceline-csv-'));
afterAll(() => rmSync(folder, { recursive: true }));

function rowsOf(text: string, cuts: readonly number[] = []): string[][] {
  const rows: string[][] = [];
  const scanner = createScanner((fields) => rows.push([...fields]));
  let from = 0;
  for (const cut of [...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]) {
    scanner.push(text.slice(from, cut));
    from = cut;
  }
  scanner.end();
  return rows;
}

describe('createScanner()', () => {
  it('reads what a general parser reads, wherever the text is cut', () => {
    const field = fc.oneof(fc.stringMatching(/^[ -~]{0,8}$/), fc.constantFrom('', '"', 'a,b', 'x\ny', 'x\r\ny', '""', '🚀', '{"a":"b"}'));
    const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(rows, fc.constantFrom('\n', '\r\n'), fc.boolean(), fc.array(fc.nat(200), { maxLength: 6 }), (written, lineEnd, isEnded, cuts) => {
      const text = written.map((fields) => fields.map(csvField).join(',')).join(lineEnd) + (isEnded ? lineEnd : '');
      const expected = parse(text, { relax_column_count: true, skip_empty_lines: false }) as string[][];
      expect(rowsOf(text, cuts)).toEqual(expected);
      expect(expected).toEqual(written);
    }), { numRuns: 500 });
  });

  it('passes over a byte order mark and takes quotes inside a bare field as they are', () => {
    expect(rowsOf('\ufeffid,title\n1,say "hi"\n')).toEqual([['id', 'title'], ['1', 'say "hi"']]);
  });

  it.each([['a,"b', 'a quote is not closed'], ['a,"b"c,d\n', 'text after a closing quote']])('refuses %j', (text, message) => {
    expect(() => rowsOf(text)).toThrow(message);
  });
});

describe('readCsvRows()', () => {
  const read = async (name: string, content: string | Buffer, columns: string[], needed: string[]): Promise<(string | null)[][]> => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const rows: (string | null)[][] = [];
    await readCsvRows(path, columns, needed, (fields) => rows.push([...fields]));
    return rows;
  };

  it('gives the asked columns in the asked order, null for one that is not there', async () => {
    const text = 'title,id,more\n"a ""b""",1,x\n\né🚀,2,y';
    const expected = [['1', 'a "b"', null], ['2', 'é🚀', null]];
    expect(await read('plain.csv', text, ['id', 'title', 'metadata'], ['id'])).toEqual(expected);
    expect(await read('packed.csv.gz', gzipSync(text), ['id', 'title', 'metadata'], ['id'])).toEqual(expected);
  });

  it('reads rows that are cut by its chunks', async () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => `${i},"title ""${'é'.repeat(i % 50)}"" ${i}"`);
    const found = await read('long.csv', `id,title\n${rows.join('\n')}\n`, ['id', 'title'], ['id']);
    expect(found.length).toBe(30_000);
    expect(found.every(([id, title], i) => id === String(i) && title === `title "${'é'.repeat(i % 50)}" ${i}`)).toBe(true);
  });

  it('says what is wrong with a file', async () => {
    await expect(read('short.csv', 'id\n1\n', ['id', 'title'], ['id', 'title'])).rejects.toThrow('it has no column title, only id');
    await expect(read('open.csv', 'id,title\n1,"a', ['id', 'title'], ['id'])).rejects.toThrow('a quote is not closed');
    await expect(read('broken.csv.gz', 'no gzip', ['id'], ['id'])).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(readCsvRows(join(folder, 'none.csv'), ['id'], ['id'], () => undefined)).rejects.toMatchObject({ code: 'not_found' });
  });
});
