import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { duration, instant, keyValue, positiveNumber, wholeNumber } from '../../../src/cli/arguments.ts';
import { etasUrl, serverUrl } from '../../../src/cli/context.ts';

describe('option values', () => {
  test.each([['90', 90], ['90s', 90], ['1.5m', 90], ['2h', 7_200], ['1d', 86_400], ['0.5 s', 0.5]])('duration(%j) is %d s', (text, sec) => {
    expect(duration(text)).toBe(sec);
  });
  test.each(['', '0', '-5', '5w', 'soon', '1e3', 'Infinity', '99999d'])('duration(%j) is refused', (text) => {
    expect(() => duration(text)).toThrow(InvalidArgumentError);
  });
  test('wholeNumber() takes its range and nothing else', () => {
    expect([wholeNumber(1, 5)('1'), wholeNumber(1, 5)('5')]).toEqual([1, 5]);
    for (const text of ['0', '6', '2.0', '', ' 3', '1e0', 'NaN']) expect(() => wholeNumber(1, 5)(text)).toThrow(InvalidArgumentError);
  });
  test('positiveNumber() takes fractions, not zero', () => {
    expect(positiveNumber(10)('0.25')).toBe(0.25);
    for (const text of ['0', '-1', '11', 'x', '']) expect(() => positiveNumber(10)(text)).toThrow(InvalidArgumentError);
  });
  test('keyValue() cuts at the first = and adds up', () => {
    expect(keyValue('b=x=y', keyValue('a=', {}))).toEqual({ a: '', b: 'x=y' });
    for (const text of ['novalue', '=v', '']) expect(() => keyValue(text, {})).toThrow(InvalidArgumentError);
  });
  test('instant() takes ISO 8601 alone', () => {
    expect(instant('2026-01-31')).toBe(Date.UTC(2026, 0, 31));
    expect(instant('2026-01-31T12:00:00+02:00')).toBe(Date.UTC(2026, 0, 31, 10));
    for (const text of ['5', 'Jan 31 2026', '2026-13-01', '']) expect(() => instant(text)).toThrow(InvalidArgumentError);
  });
});

describe('serverUrl()', () => {
  test('is the option, else host and port, as they can be reached', () => {
    expect(serverUrl({}, undefined)).toBe('http://127.0.0.1:7777');
    expect(serverUrl({ RACELINE_HOST: '0.0.0.0', RACELINE_PORT: '80' }, undefined)).toBe('http://127.0.0.1:80');
    expect(serverUrl({ RACELINE_HOST: '::' }, undefined)).toBe('http://[::1]:7777');
    expect(serverUrl({ RACELINE_HOST: 'eta', RACELINE_PORT: '' }, 'https://other/base/')).toBe('https://other/base');
    expect(() => serverUrl({}, 'ftp://x')).toThrow(/http or https/);
    expect(() => serverUrl({}, 'nonsense')).toThrow(/"nonsense"/);
  });
  test('etasUrl() keeps the encryption', () => {
    expect(etasUrl('http://a:1')).toBe('ws://a:1/v1/etas');
    expect(etasUrl('https://a/base')).toBe('wss://a/base/v1/etas');
  });
});
