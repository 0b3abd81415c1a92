import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskTitle } from '../../../src/race/mask.ts';

describe('maskTitle()', () => {
  test.each([
    ['Build Pipeline #123', 'Build Pipeline #<n>'],
    ['release v1.2.3-rc.1', 'release <version>'],
    ['deploy 2.10', 'deploy <version>'],
    ['build 3f2a9c1d', 'build <hash>'],
    ['job 123e4567-e89b-12d3-a456-426614174000', 'job <uuid>'],
    ['backup 2025-03-01', 'backup <date>'],
    ['backup 2025-03-01T10:00:00Z', 'backup <date>'],
    ['nightly at 02:30', 'nightly at <time>'],
    ['rsync /var/lib/data/x.tar ok', 'rsync <path> ok'],
    ['run ./scripts/build.sh', 'run <path>'],
    ['fetch https://example.com/a?b=1', 'fetch <url>'],
    ['shard 3/8', 'shard <n>/<n>'],
    ['test', 'test'],
    ['facade', 'facade'],
  ])('%s becomes %s', (title, masked) => {
    expect(maskTitle(title)).toBe(masked);
  });

  test('masking twice is masking once, and no digit is left', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (title) => {
      const masked = maskTitle(title);
      expect(maskTitle(masked)).toBe(masked);
      expect(masked).not.toMatch(/[0-9]/);
    }));
  });

  test('takes linear time on hostile titles: quadratic would not end before the limit of a test', () => {
    for (const part of ['/a', '1.', 'a1', '-', './', 'a:', '1-', 'x://']) expect(maskTitle(part.repeat(50_000)).length).toBeGreaterThan(0);
  });
});
