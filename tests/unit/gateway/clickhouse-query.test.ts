import { describe, expect, test } from 'vitest';
import { bindParameters, splitFormat, withoutSettings } from '../../../src/gateway/clickhouse-query.ts';

describe('splitFormat()', () => {
  test.each([
    ['SELECT 1', 'SELECT 1', null],
    ['SELECT 1 FORMAT JSONEachRow', 'SELECT 1', 'JSONEachRow'],
    ['SELECT 1\nformat CSV;\n', 'SELECT 1', 'CSV'],
    ['SELECT 1 FORMAT CSV -- so', 'SELECT 1', 'CSV'],
    ["SELECT ' FORMAT CSV'", "SELECT ' FORMAT CSV'", null],
    ['SELECT 1 -- FORMAT CSV', 'SELECT 1 -- FORMAT CSV', null],
    ['SELECT 1 /* /* */ FORMAT CSV */', 'SELECT 1 /* /* */ FORMAT CSV */', null],
    ['SELECT 1 AS format', 'SELECT 1 AS format', null],
  ])('reads %j', (sql, rest, format) => {
    expect(splitFormat(sql)).toEqual({ sql: rest, format });
  });
});

describe('bindParameters()', () => {
  test.each([
    ['SELECT {n:UInt32}', { n: '5' }, 'SELECT 5'],
    ['SELECT {n:UInt32}', { n: '5; DROP TABLE x' }, "SELECT CAST('5; DROP TABLE x' AS UInt32)"],
    ['SELECT {s:String}', { s: "it's" }, "SELECT CAST('it\\'s' AS String)"],
    ['SELECT {s:String}', { s: "\\' OR 1" }, "SELECT CAST('\\' OR 1' AS String)"],
    ['SELECT {s:String}', { s: '\\\\' }, "SELECT CAST('\\\\' AS String)"],
    ['SELECT {s:Nullable(String)}', { s: '\\N' }, 'SELECT CAST(NULL AS Nullable(String))'],
    ['SELECT * FROM {t:Identifier}', { t: 'a`b' }, 'SELECT * FROM `a\\`b`'],
    ["SELECT '{n:UInt32}', {n:UInt32} -- {n:UInt32}", { n: '1' }, "SELECT '{n:UInt32}', 1 -- {n:UInt32}"],
    // Bare, it would begin a comment and cut the rest off.
    ['SELECT 1-{n:Int32}, 2', { n: '-5' }, "SELECT 1-CAST('-5' AS Int32), 2"],
    ['SELECT 1 LIMIT{n:UInt8}OFFSET 1', { n: '7' }, 'SELECT 1 LIMIT 7 OFFSET 1'],
    // A comment inside a comment: the value must not come to stand behind the inner one's end.
    ['SELECT 1 /* /* */ {s:String} */', { s: '*/ , 2' }, 'SELECT 1 /* /* */ {s:String} */'],
    ["SELECT {t:DateTime64(3, 'UTC')}", { t: '2026-01-01' }, "SELECT CAST('2026-01-01' AS DateTime64(3, 'UTC'))"],
    ["SELECT map('a', 1), {a: 1}", {}, "SELECT map('a', 1), {a: 1}"],
  ])('binds %j', (sql, values, bound) => {
    expect(bindParameters(sql, values as Record<string, string>)).toEqual({ sql: bound });
  });

  test('takes time in proportion to the statement, whatever it opens and never closes', () => {
    expect(bindParameters(`SELECT ${'{a:b '.repeat(400_000)}`, {})).toHaveProperty('sql');
  });

  test('names what is missing, and takes nothing from the prototype', () => {
    expect(bindParameters('SELECT {a:String}', {})).toEqual({ missing: 'a' });
    expect(bindParameters('SELECT {toString:String}', {})).toEqual({ missing: 'toString' });
  });
});

test('system.settings is an empty table, wherever it is named and however it is written', () => {
  expect(withoutSettings('SELECT name FROM system.settings LIMIT 5')).toMatch(/^SELECT name FROM \(SELECT '' AS name.* WHERE false\) LIMIT 5$/);
  expect(withoutSettings('SELECT 1 FROM `System` . "SETTINGS" AS s')).toMatch(/^SELECT 1 FROM \(SELECT .*\) AS s$/);
  for (const sql of ["SELECT 'system.settings'", 'SELECT 1 FROM system.tables', 'SELECT settings FROM t', "SELECT 'open"]) expect(withoutSettings(sql)).toBe(sql);
});
