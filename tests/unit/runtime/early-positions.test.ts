import { describe, expect, it } from 'vitest';
import { EarlyPositions } from '../../../src/runtime/early-positions.ts';
import type { Timers } from '../../../src/runtime/timers.ts';

/** Time that goes on when somebody waits. */
function standingClock(): Timers & { nowMs: number } {
  const timers = {
    nowMs: 0,
    after(delayMs: number, call: () => void) {
      queueMicrotask(() => {
        timers.nowMs += delayMs;
        call();
      });
      return () => {};
    },
    monotonicMs: () => timers.nowMs,
  };
  return timers;
}

const { signal } = new AbortController();

describe('EarlyPositions', () => {
  it('waits for a race until it is known, and for none that is', async () => {
    const timers = standingClock();
    const early = new EarlyPositions(timers, (raceId) => raceId === 'known' || timers.nowMs >= 400);
    expect(early.wait('known', signal)).toBeNull();
    await early.wait('late', signal);
    expect(timers.nowMs).toBe(400);
    expect(early.wait('late', signal)).toBeNull();
  });

  it('waits for a race that never comes once, for a second, and for no other until ten times as long has gone by', async () => {
    const timers = standingClock();
    const early = new EarlyPositions(timers, () => false);
    await early.wait('stranger', signal);
    expect(timers.nowMs).toBe(1_000);
    expect(early.wait('stranger', signal)).toBeNull();
    timers.nowMs = 9_999;
    expect(early.wait('another', signal)).toBeNull();
    timers.nowMs = 10_000;
    expect(early.wait('stranger', signal)).toBeNull();
    await early.wait('another', signal);
    expect(timers.nowMs).toBe(11_000);
  });

  it('waits again for a stranger that came and went', async () => {
    const timers = standingClock();
    let isKnown = false;
    const early = new EarlyPositions(timers, () => isKnown);
    await early.wait('race', signal);
    isKnown = true;
    expect(early.wait('race', signal)).toBeNull();
    isKnown = false;
    timers.nowMs = 20_000;
    expect(early.wait('race', signal)).not.toBeNull();
  });

  it('stops waiting when the partition is lost', async () => {
    const timers = standingClock();
    const lost = new AbortController();
    const early = new EarlyPositions(timers, () => false);
    const waiting = early.wait('race', lost.signal)!;
    lost.abort();
    await waiting;
    expect(timers.nowMs).toBeLessThan(1_000);
  });
});
