import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answersWithRows, checkReadOnly } from '../../../../src/adapters/clickhouse/read-only.ts';
import { splitStatements, tokenize } from '../../../../src/history/sql-tokens.ts';

describe('checkReadOnly()', () => {
  it.each([
    'SELECT 1', 'select 1;', ' (SELECT 1) UNION ALL (SELECT 2) ', 'WITH 1 AS a SELECT a', 'EXPLAIN SELECT 1', 'DESC races', 'SHOW CREATE TABLE races',
    "SELECT 'file(''/etc/passwd'')'", "SELECT 'a;b', \"c;d\", `e;f`, $$g;h$$, $x$ '; $x$", 'SELECT 1 -- ; DROP TABLE races', 'SELECT /* ; */ 1',
    'SELECT url FROM (SELECT 1 AS url)', 'SELECT remote, cluster FROM t', "SELECT URLHash('http://a')", "SELECT domain('http://a')", "SELECT 'it''s', '\\''", 'SELECT 1e5, 0x1F, 1.5',
  ])('lets %s through', (sql) => {
    expect(() => checkReadOnly(sql)).not.toThrow();
  });
  it.each([
    // Comments nest: without that, the call stands in what looks like a string.
    "SELECT /* /* */ ' */ file('/etc/passwd') -- '", 'SELECT 1 /* open', "SELECT $ $ ' $ $, file('x') -- '", 'SELECT #a', "SELECT 1.file('x')", "SELECT t.1.file('x')",
    'SELECT * FROM system.processes', 'SELECT * FROM `system`.query_log', 'SELECT * FROM SYSTEM . "query_log"', 'DESCRIBE system.named_collections', 'SELECT * FROM system./* a */processes',
    "SELECT * FROM merge('system', 'processes')", "SELECT * FROM loop('system', 'processes')", 'SELECT * FROM mergeTreeIndex(system, query_log)',
    'SELECT * FROM default.`/etc/passwd`', 'SELECT * FROM default."data.csv"', 'SHOW PROCESSLIST', 'SHOW GRANTS', 'show full processlist', 'SHOW CREATE USER default', 'SHOW SETTINGS LIKE \'%\'',
    "SELECT hasColumnInTable('other:9000', 'system', 'one', 'dummy')", "SELECT getServerSetting('path')", "SELECT logTrace('forged line')", '(SELECT 1) INTO OUTFILE \'x\'',
    'SYSTEM SHUTDOWN', 'KILL QUERY WHERE 1', 'SET readonly = 0', 'USE system', 'SELECT * FROM (SELECT 1 SETTINGS readonly=0)', 'SELECT 1 settings/**/`readonly`=0', 'SELECT 1 SETTINGS limit = 1', 'SELECT 1 SETTINGS allow_ddl', 'GRANT ALL ON *.* TO default',
  ])('refuses %s', (sql) => {
    expect(() => checkReadOnly(sql)).toThrow(expect.objectContaining({ code: 'query_refused' }));
  });
  it.each(['SELECT name FROM system.tables', 'SHOW TABLES', 'SHOW CREATE TABLE races', 'SHOW CREATE `user`', 'SHOW FULL COLUMNS FROM races', 'SELECT default.a FROM races AS default', 'SELECT 1 /* a /* b */ c */', 'SELECT system FROM t', 'SELECT a AS settings FROM t', 'SELECT settings, 1 FROM t WHERE settings = 1 AND settings LIKE 2', 'SELECT x.settings FROM t ORDER BY settings DESC', 'SELECT 1.5e-3, 0x1F, t.1 FROM t'])('lets %s through', (sql) => {
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
