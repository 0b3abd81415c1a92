import { expect, it } from 'vitest';
import { createMembership } from '../../../../src/adapters/kafka/membership.ts';

function at(): { nowMs: number; membership: ReturnType<typeof createMembership> } {
  const time = { nowMs: 1_000_000 };
  return Object.assign(time, { membership: createMembership({ sessionTimeoutMs: 6_000, clock: { nowMs: () => time.nowMs } }) });
}

it('holds for a session after the coordinator was heard', async () => {
  const time = at();
  time.nowMs += 5_999;
  expect(time.membership.isConfirmed()).toBe(true);
  await time.membership.confirmed(new AbortController().signal);
  time.membership.confirm();
  time.nowMs += 5_999;
  expect(time.membership.isConfirmed()).toBe(true);
  time.nowMs += 1;
  expect(time.membership.isConfirmed()).toBe(false);
});

it('lets nobody pass after a sleep until it is confirmed again, or until there is no point', async () => {
  const time = at();
  const [passed, loss] = [[] as string[], new AbortController()];
  time.nowMs += 60_000;
  const first = time.membership.confirmed(new AbortController().signal).then(() => passed.push('confirmed'));
  const second = time.membership.confirmed(loss.signal).then(() => passed.push('lost'));
  loss.abort();
  await second;
  expect(passed).toEqual(['lost']);
  time.membership.confirm();
  await first;
  expect(passed).toEqual(['lost', 'confirmed']);
});

it('tells once that the coordinator was heard', () => {
  const { membership } = at();
  expect(membership.wasHeard()).toBe(false);
  membership.confirm();
  expect([membership.wasHeard(), membership.wasHeard()]).toEqual([true, false]);
});

it('does not trust a clock that was set back', () => {
  const time = at();
  time.nowMs -= 3_600_000;
  expect(time.membership.isConfirmed()).toBe(false);
});
