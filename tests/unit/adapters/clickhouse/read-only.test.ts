import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answersWithRows, checkReadOnly } from '../../../../src/adapters/clickhouse/read-only.ts';
import { splitStatements, tokenize } from '../../../../src/adapters/clickhouse/tokens.ts';

describe('checkReadOnly()', () => {
  it.each([
    'SELECT 1', 'select 1;', ' (SELECT 1) UNION ALL (SELECT 2) ', 'WITH 1 AS a SELECT a', 'EXPLAIN SELECT 1', 'DESC races', 'SHOW CREATE TABLE races',
    "SELECT 'file(''/etc/passwd'')'", "SELECT 'a;b', \"c;d\", `e;f`, $$g;h$$, $x$ '; $x$", 'SELECT 1 -- ; DROP TABLE races', 'SELECT /* ; */ 1',
    'SELECT url FROM (SELECT 1 AS url)', 'SELECT remote, cluster FROM t', "SELECT URLHash('http://a')", "SELECT domain('http://a')", "SELECT 'it''s', '\\''", 'SELECT 1e5, 0x1F, 1.5',
  ])('lets %s through', (sql) => {
    expect(() => checkReadOnly(sql)).not.toThrow();
  });
  it('finds a forbidden call behind any text, comment and spelling', () => {
    const harmless = fc.constantFrom("'x'", '"y"', '`z`', "'it''s'", "'\\''", '$$;$$', '/* \' */', "-- '\n", ' 1 ', '(', ')', ',', "'--'", "'/*'");
    const call = fc.constantFrom("file('/etc/passwd')", "FILE ('x')", "`file`('x')", '"url"(\'x\')', "s3/* */('x')", 'remote -- \n (1)', "icebergS3('x')", "APPLY(file)");
    fc.assert(fc.property(fc.array(harmless, { maxLength: 12 }), call, fc.array(harmless, { maxLength: 5 }), (before, forbidden, after) => {
      expect(() => checkReadOnly(`SELECT ${before.join(' ')} ${forbidden} ${after.join(' ')}`)).toThrow(expect.objectContaining({ code: 'query_refused' }));
    }));
  });
  it('never throws anything but query_refused', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (sql) => {
      try {
        checkReadOnly(`SELECT ${sql}`);
      } catch (error) {
        expect(error).toMatchObject({ code: 'query_refused' });
      }
    }));
  });
});

describe('splitStatements()', () => {
  it('splits at semicolons that stand for themselves', () => {
    expect(splitStatements("-- first; comment\nCREATE TABLE a (b String DEFAULT ';'); /* ; */ ; SELECT ';' -- end;\n")).toEqual(["CREATE TABLE a (b String DEFAULT ';')", "SELECT ';'"]);
  });
});

describe('tokenize()', () => {
  it('covers the text without gaps but space and comments', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom('a', ' ', "'b'", '"c"', '1', '+', '--d\n', '/*e*/', '$$f$$'), { maxLength: 30 }).map((parts) => parts.join('')), (sql) => {
      const tokens = tokenize(sql) ?? [];
      const rest = tokens.reduceRight((text, { start, end }) => text.slice(0, start) + text.slice(end), sql);
      expect(rest.replaceAll(/--d\n|\/\*e\*\/|\s/g, '')).toBe('');
    }));
  });
});

describe('answersWithRows()', () => {
  it.each([['SELECT 1', true], ['/* a */ with 1 as x select x', true], ['DELETE FROM a WHERE 1', false], ['INSERT INTO a SELECT 1', false]])('%s: %s', (sql, answers) => {
    expect(answersWithRows(sql)).toBe(answers);
  });
});
