import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig, roleNames, settings, type Config } from '../../src/config.ts';

test('every setting has a default that it accepts', () => {
  const defaults = Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.default]));
  expect(readConfig(defaults)).toEqual(readConfig({}));
  expect(readConfig({})).toMatchObject({ host: '127.0.0.1', roles: roleNames, kafka: null, registry: null, tokensFile: null, allowedHosts: [] });
});

test('reads what the gateway needs of tokens and hosts', () => {
  expect(readConfig({ RACELINE_TOKENS_FILE: '/etc/tokens', RACELINE_ALLOWED_HOSTS: 'a.example, b.example' })).toMatchObject({ tokensFile: '/etc/tokens', allowedHosts: ['a.example', 'b.example'] });
});

test('takes map tiles with whom they are from, and not without', () => {
  const tiles = 'https://tiles.example/{z}/{x}/{y}.png?key=1';
  expect(readConfig({}).mapTiles).toBeNull();
  expect(readConfig({ RACELINE_MAP_TILES_URL: tiles, RACELINE_MAP_ATTRIBUTION: '© Example' }).mapTiles).toEqual({ url: tiles, attribution: '© Example' });
  for (const [url, attribution, name] of [[tiles, '', 'ATTRIBUTION'], ['https://tiles.example/{z}.png', 'x', 'TILES_URL'], ['javascript:{x}{y}{z}', 'x', 'TILES_URL']] as const) {
    expect(() => readConfig({ RACELINE_MAP_TILES_URL: url, RACELINE_MAP_ATTRIBUTION: attribution })).toThrow(name);
  }
});

describe.each([
  ['KAFKA_SASL_PASSWORD', { KAFKA_BROKERS: 'a:9092', KAFKA_SASL_MECHANISM: 'plain' }, (config: Config) => config.kafka?.sasl?.password],
  ['SCHEMA_REGISTRY_PASSWORD', { SCHEMA_REGISTRY_URL: 'http://a' }, (config: Config) => config.registry?.password],
  ['CLICKHOUSE_PASSWORD', {}, (config: Config) => config.clickhouse.password],
] as const)('%s', (name, others, passwordOf) => {
  const directory = mkdtempSync(join(tmpdir(), 'raceline-config-'));
  const path = join(directory, 'password');
  afterAll(() => rmSync(directory, { recursive: true }));

  test('may stand in a file, whose last line break does not belong to it', () => {
    writeFileSync(path, ' hunter2 \n');
    expect(passwordOf(readConfig({ ...others, [`${name}_FILE`]: path }))).toBe(' hunter2 ');
    expect(passwordOf(readConfig({ ...others, [name]: 'hunter3' }))).toBe('hunter3');
  });

  test('is refused when it is given twice, or its file cannot be read', () => {
    expect(() => readConfig({ ...others, [name]: 'hunter3', [`${name}_FILE`]: path })).toThrow(`Cannot start: ${name} and ${name}_FILE are both given`);
    expect(() => readConfig({ ...others, [`${name}_FILE`]: join(directory, 'none') })).toThrow(expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(`${name}_FILE must be a readable file`) }));
  });
});

describe('a setting that is wrong', () => {
  test('is said with its value and range', () => {
    expect(() => readConfig({ RACELINE_PORT: '70000' })).toThrow('Cannot start: RACELINE_PORT must be a whole number in 0..65535, got "70000"');
  });

  test.each(Object.entries(settings).filter(([, setting]) => 'secretUrl' in setting).map(([name]) => name))('%s is said without what may be a password in it', (name) => {
    for (const value of ['ftp://user:hunter2@host', 'user:hunter2@host', 'http//user:hunter2', '//hunter2']) {
      expect(() => readConfig({ [name]: value })).toThrow(expect.objectContaining({ code: 'config_invalid', message: expect.not.stringContaining('hunter2') }));
    }
  });
});
