import { expect, test } from 'vitest';
import type { Pipeline } from '../../../src/runtime/pipeline.ts';
import { watchLog } from '../../../src/runtime/log-watch.ts';
import type { PartitionTask } from '../../../src/runtime/partition-task.ts';
import { initialPosition, PartitionStore } from '../../../src/runtime/race-store.ts';
import type { Timers } from '../../../src/runtime/timers.ts';

const silent = (): void => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };
const never: Timers = { after: () => silent, monotonicMs: () => 0 };

/** A log of two partitions whose ends are set by hand, and a task on each of them. */
function setUp(timers: Timers = never) {
  const state = { nowMs: 1_000_000, ends: [0, 0], isAway: false, questions: 0 };
  const stores = [0, 1].map((partition) => new PartitionStore(initialPosition(partition)));
  const tasks: Pipeline['tasks'] = new Map(stores.map((store, partition) => [partition, { store } as PartitionTask]));
  const watch = watchLog({
    log: {
      async endOffsets() {
        state.questions++;
        if (state.isAway) throw new Error('away');
        return [...state.ends];
      },
    },
    clock: { nowMs: () => state.nowMs }, logger, timers,
  });
  watch.watch({ tasks });
  return { state, stores, watch };
}

test('endOf() is 0 until the log has answered, then what it said', async () => {
  const { state, watch } = setUp();
  state.ends = [7, 3];
  expect([watch.partitions(), watch.endOf(0)]).toEqual([0, 0]);
  await watch.look();
  expect([watch.partitions(), watch.endOf(0), watch.endOf(1)]).toEqual([2, 7, 3]);
});

test('silentSec() grows while the log does not answer', async () => {
  const { state, watch } = setUp();
  await watch.look();
  state.isAway = true;
  state.nowMs += 90_000;
  await watch.look();
  expect(watch.silentSec()).toBe(90);
  state.isAway = false;
  await watch.look();
  expect(watch.silentSec()).toBe(0);
});

test('stalledSec() counts from when records waited and none was applied', async () => {
  const { state, stores, watch } = setUp();
  await watch.look();
  state.nowMs += 60_000;
  state.ends = [5, 0];
  await watch.look();
  expect(watch.stalledSec()).toBe(0);
  state.nowMs += 60_000;
  await watch.look();
  expect(watch.stalledSec()).toBe(60);
  stores[0]!.position.applied_offset = 2;
  expect(watch.stalledSec()).toBe(0);
  await watch.look();
  state.nowMs += 30_000;
  expect(watch.stalledSec()).toBe(30);
  stores[0]!.position.applied_offset = 4;
  expect(watch.stalledSec()).toBe(0);
});

test('stalledSec() forgets a partition that was given up', async () => {
  const { state, watch } = setUp();
  state.ends = [5, 0];
  await watch.look();
  state.nowMs += 60_000;
  expect(watch.stalledSec()).toBe(60);
  watch.watch({ tasks: new Map() });
  await watch.look();
  expect(watch.stalledSec()).toBe(0);
});

test('the timer asks again and again, one question at a time, until close()', async () => {
  const due: (() => void)[] = [];
  const { state, watch } = setUp({ monotonicMs: () => 0, after: (_delayMs, call) => {
    due.push(call);
    return () => due.splice(due.indexOf(call), 1);
  } });
  due.shift()!();
  due.shift()!();
  expect(state.questions).toBe(1);
  await watch.look();
  due.shift()!();
  expect(state.questions).toBe(2);
  watch.close();
  expect(due).toEqual([]);
});
