import { describe, expect, test } from 'vitest';
import { createDispatcher } from '../../../src/cli/dispatch.ts';
import type { UpdateTarget } from '../../../src/cli/update-target.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';

/** A target whose sends end when the test says so. */
function heldTarget(): UpdateTarget & { readonly open: { updates: readonly RaceUpdate[]; done(): void; fail(error: Error): void }[] } {
  const open: { updates: readonly RaceUpdate[]; done(): void; fail(error: Error): void }[] = [];
  return {
    open, counts: { resent: 0, rejected: {} },
    send: (updates) => new Promise((resolve, reject) => { open.push({ updates, done: resolve, fail: reject }); }),
    close: () => Promise.resolve(),
  };
}
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
const update = (race: string, at: number): RaceUpdate => emptyUpdate(race, 's', at);

describe('createDispatcher()', () => {
  test('has one send under way per lane and keeps each race in order', async () => {
    const target = heldTarget();
    const dispatcher = createDispatcher(target, { lanes: 4, maxBatch: 3, maxWaiting: 1_000 });
    for (let at = 0; at < 10; at++) for (let race = 0; race < 20; race++) await dispatcher.push(update(`r${race}`, at));
    const flushed = dispatcher.flush();
    const seen = new Map<string, number[]>();
    for (let next = 0; next < target.open.length; next++) {
      const racesUnderWay = target.open.slice(next).flatMap((send) => [...new Set(send.updates.map((item) => item.race_id))]);
      expect(new Set(racesUnderWay).size).toBe(racesUnderWay.length);
      expect(target.open.length - next).toBeLessThanOrEqual(4);
      expect(target.open[next]!.updates.length).toBeLessThanOrEqual(3);
      for (const item of target.open[next]!.updates) seen.set(item.race_id, [...(seen.get(item.race_id) ?? []), item.at]);
      target.open[next]!.done();
      await turn();
    }
    await flushed;
    expect(seen.size).toBe(20);
    for (const instants of seen.values()) expect(instants).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('makes the caller wait while too much waits', async () => {
    const target = heldTarget();
    const dispatcher = createDispatcher(target, { lanes: 1, maxBatch: 1, maxWaiting: 2 });
    await dispatcher.push(update('r', 1));
    await dispatcher.push(update('r', 2));
    let third = false;
    const pushed = dispatcher.push(update('r', 3)).then(() => { third = true; });
    await turn();
    expect(third).toBe(false);
    target.open[0]!.done();
    await pushed;
    expect(third).toBe(true);
  });

  test('hands a failed send to the next push and to flush, and sends nothing more', async () => {
    const target = heldTarget();
    const dispatcher = createDispatcher(target, { lanes: 1, maxBatch: 1, maxWaiting: 10 });
    await dispatcher.push(update('r', 1));
    await dispatcher.push(update('r', 2));
    await turn();
    const flushed = expect(dispatcher.flush()).rejects.toThrow('gone');
    target.open[0]!.fail(new Error('gone'));
    await flushed;
    await expect(dispatcher.push(update('r', 3))).rejects.toThrow('gone');
    expect(target.open).toHaveLength(1);
  });

  test('flush() of nothing resolves at once', async () => {
    await expect(createDispatcher(heldTarget(), { lanes: 2, maxBatch: 1, maxWaiting: 1 }).flush()).resolves.toBeUndefined();
  });
});
