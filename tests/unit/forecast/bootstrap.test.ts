import { describe, expect, test } from 'vitest';
import { bootstrapDistribution, bootstrapSec } from '../../../src/forecast/bootstrap.ts';
import { quantile } from '../../../src/forecast/distribution.ts';

describe('bootstrapSec()', () => {
  test.each([
    ['cargo', 'x', 45], ['cmd', 'npm run build', 30], ['cmd', './gradle check', 60], ['cmd', 'maven verify', 50], ['cmd', 'mvn verify', 50], ['cmd', 'make -j4', 40],
    ['pytest', 'tests', 35], ['cmd', 'go test ./...', 25], ['claude-code', 'fix it', 60], ['codex', 'fix it', 45], ['gemini', 'fix it', 50], ['github-actions/acme/api', 'deploy', 30],
  ])('%s / %s takes %i s', (source, title, sec) => {
    expect(bootstrapSec(source, title)).toBe(sec);
  });

  test('the source goes before the title, and a word is a whole word', () => {
    expect(bootstrapSec('cargo', 'npm test')).toBe(45);
    expect(bootstrapSec('ci/mongo', 'cargonaut')).toBe(30);
  });
});

test('bootstrapDistribution() is centred on the table and wide', () => {
  const guess = bootstrapDistribution('cargo', '');
  expect(quantile(guess, 0.5)).toBeGreaterThan(40);
  expect(quantile(guess, 0.5)).toBeLessThan(51);
  expect(quantile(guess, 0.9) / quantile(guess, 0.1)).toBeGreaterThan(10);
});
