import { expect, test } from 'vitest';
import { joinedText } from '../../../src/forecast/joined-text.ts';

test('joins two texts on lines of their own, again and again the same', () => {
  expect(joinedText('build', 'compile#1:started')).toBe('build\ncompile#1:started');
  expect(joinedText('build', 'compile#1:started')).toBe('build\ncompile#1:started');
  expect(joinedText('', '')).toBe('\n');
  expect(joinedText('x'.repeat(1_000), 'y')).toBe(`${'x'.repeat(1_000)}\ny`);
});

test('goes on when more pairs have come than it keeps', () => {
  for (let i = 0; i <= 50_000; i++) joinedText('title', `stage ${i}`);
  expect(joinedText('title', 'stage 3')).toBe('title\nstage 3');
});
