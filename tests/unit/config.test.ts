import { describe, expect, test } from 'vitest';
import { readConfig, roleNames, settings } from '../../src/config.ts';

test('every setting has a default that it accepts', () => {
  const defaults = Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.default]));
  expect(readConfig(defaults)).toEqual(readConfig({}));
  expect(readConfig({})).toMatchObject({ host: '127.0.0.1', roles: roleNames, kafka: null, registry: null, tokensFile: null, allowedHosts: [] });
});

test('reads what the gateway needs of tokens and hosts', () => {
  expect(readConfig({ RACELINE_TOKENS_FILE: '/etc/tokens', RACELINE_ALLOWED_HOSTS: 'a.example, b.example' })).toMatchObject({ tokensFile: '/etc/tokens', allowedHosts: ['a.example', 'b.example'] });
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
