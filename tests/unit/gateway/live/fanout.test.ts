import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EtaFilter, ServerFrame } from '../../../../src/bridge/frames.ts';
import type { Milestone } from '../../../../src/forecast/eta-update.ts';
import { CLOSE_BYTES, createFanout, SKIP_BYTES, SLOW_MS, type Fanout } from '../../../../src/gateway/live/fanout.ts';
import type { FrameSink } from '../../../../src/gateway/live/frame-sink.ts';
import { openView, type RaceLiveView } from '../../../../src/gateway/live/view.ts';
import type { RaceState, Stage } from '../../../../src/race/state.ts';
import type { StageState } from '../../../../src/race/update.ts';
import type { Timers } from '../../../../src/runtime/timers.ts';
import { etaUpdate, openEngines, pipelineWriter, raceState, until, type Engines } from '../../../integration/gateway/harness.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

let engines: Engines;
let view: RaceLiveView;
let fanout: Fanout;
let nowMs = 0;
/** Calls that wait, by the instant that they wait for. */
let calls = new Map<() => void, number>();
let slowCloses = 0;

beforeEach(async () => {
  nowMs = Date.now();
  calls = new Map();
  slowCloses = 0;
  engines = await openEngines();
  const clock = { nowMs: () => nowMs };
  view = await openView({ ...engines, clock, logger: silentLogger });
  await view.restored;
  const timers: Timers = {
    after(delayMs, call) {
      calls.set(call, nowMs + delayMs);
      return () => calls.delete(call);
    },
    monotonicMs: () => nowMs,
  };
  fanout = createFanout({ view, clock, timers, onSlowClose: () => { slowCloses++; } });
});
afterEach(async () => {
  fanout.close();
  await view.close();
  await engines.log.close();
});

/** Time goes on, all at once: what waits comes as late as that. */
function pass(ms: number): void {
  nowMs += ms;
  for (const [call, atMs] of calls) {
    if (atMs > nowMs) continue;
    calls.delete(call);
    call();
  }
}

/** A client that has left `buffered` bytes unread. */
function client(): FrameSink & { buffered: number; frames: ServerFrame[]; closed: number[] } {
  const sink = {
    buffered: 0, frames: [] as ServerFrame[], closed: [] as number[],
    send: (text: string) => { sink.frames.push(JSON.parse(text)); },
    bufferedBytes: () => sink.buffered,
    ping() {},
    close: (code: number) => { sink.closed.push(code); },
  };
  return sink;
}

async function revise(revision: number): Promise<void> {
  await pipelineWriter(engines).eta(etaUpdate({ race_id: 'a', revision }));
  await until(() => view.get('a')?.eta?.revision === revision);
}

async function subscribed(): Promise<ReturnType<typeof client>> {
  await pipelineWriter(engines).state(raceState({ race_id: 'a' }));
  await until(() => view.get('a') !== undefined);
  const sink = client();
  fanout.open(sink).subscribe({}, null);
  await until(() => sink.frames.length === 1);
  return sink;
}

describe('a slow client', () => {
  test('is skipped above 256 KB and gets the latest state once it has read', async () => {
    const sink = await subscribed();
    sink.buffered = SKIP_BYTES + 1;
    for (let revision = 1; revision <= 5; revision++) {
      pass(300);
      await revise(revision);
    }
    expect(sink.frames).toHaveLength(1);
    sink.buffered = 0;
    pass(300);
    await until(() => sink.frames.length === 2);
    expect(sink.frames[1]).toMatchObject({ type: 'delta', seq: 2, races: [{ race_id: 'a', eta: { revision: 5 } }] });
    expect(sink.closed).toEqual([]);
  });

  test('is told and closed with 1013 above 1 MB', async () => {
    const sink = await subscribed();
    sink.buffered = CLOSE_BYTES + 1;
    pass(300);
    await revise(1);
    await until(() => sink.closed.length === 1);
    expect(sink.closed).toEqual([1013]);
    expect(sink.frames.at(-1)).toMatchObject({ type: 'error', code: 'slow_client' });
    expect([fanout.size(), slowCloses]).toEqual([0, 1]);
  });

  test('is closed after 5 s above 256 KB', async () => {
    const sink = await subscribed();
    sink.buffered = SKIP_BYTES + 1;
    await revise(1);
    // Seen for the first time at its tick.
    pass(300);
    for (let passedMs = 500; passedMs < SLOW_MS; passedMs += 500) {
      pass(500);
      expect(sink.closed).toEqual([]);
    }
    pass(500);
    expect(sink.closed).toEqual([1013]);
  });
});

test.each([0, 7, 20])('a busy client gets four frames a second with the latest state, though ticks come %i ms late', async (lateMs) => {
  const sink = await subscribed();
  pass(1_000);
  await revise(1);
  await until(() => sink.frames.length === 2);
  const startMs = nowMs;
  for (let revision = 2; nowMs < startMs + 10_000; revision++) {
    await revise(revision);
    const before = sink.frames.length;
    while (sink.frames.length === before) pass(25 + lateMs);
    expect(sink.frames.at(-1)).toMatchObject({ races: [{ eta: { revision } }] });
  }
  expect(sink.frames.length - 2).toBeGreaterThanOrEqual(38);
  expect(sink.frames.length - 2).toBeLessThanOrEqual(40);
});

describe('who asked for changes', () => {
  const stage = (index: number, state: StageState): Stage => ({
    name: `stage ${index}`, occurrence: 1, seq: index, state, started_at: null, completed_at: state === 'passed' ? 2_000_000 + index : null, planned_sec: null, at: 1_000_000,
  });
  const milestone = (index: number): Milestone => ({ name: `stage ${index}`, kind: 'stage', state: 'pending', eta_at: 3_000_000 + index, p10_at: 2_900_000, p90_at: 3_100_000, passed_at: null, distance_m: null, eta_type: 'estimated' });
  /** The first `passed` of `count` stages are over, all without a revision after the first. */
  const write = async (count: number, passed: number, more: Partial<RaceState> = {}): Promise<void> => {
    const stages = Array.from({ length: count }, (_, index) => stage(index, index < passed ? 'passed' : 'pending'));
    await pipelineWriter(engines).state(raceState({ race_id: 'a', revision: 1, last_at: 1_000_000 + passed, stages, ...more }));
    await until(() => view.get('a')?.facts.last_at === 1_000_000 + passed);
  };
  const next = async (sink: ReturnType<typeof client>): Promise<ServerFrame> => {
    await until(() => {
      pass(300);
      return sink.frames.length > 1;
    });
    return sink.frames.pop()!;
  };
  const open = async (count: number, filter: EtaFilter = {}): Promise<ReturnType<typeof client>> => {
    await pipelineWriter(engines).eta(etaUpdate({ race_id: 'a', revision: 1, milestones: Array.from({ length: Math.min(50, count) }, (_, index) => milestone(index)) }));
    await write(count, 0);
    await until(() => view.get('a')?.eta?.revision === 1);
    const sink = client();
    fanout.open(sink).subscribe(filter, null, true);
    await until(() => sink.frames.length === 1);
    expect(sink.frames[0]).toMatchObject({ type: 'snapshot', races: [{ eta: { revision: 1 } }] });
    return sink;
  };

  test('is told what stages did without a revision, and gets a race whole when it has one', async () => {
    const sink = await open(3);
    await write(3, 1);
    const told = await next(sink);
    expect(told).toMatchObject({ type: 'delta', races: [], changes: [{ race_id: 'a', moves: [['stage 0', 1, 'passed', 2_000_000]] }] });
    expect(told.type === 'delta' && told.changes![0]).not.toHaveProperty('eta');
    await revise(2);
    const revised = await next(sink);
    expect(revised).toMatchObject({ type: 'delta', races: [{ race_id: 'a', eta: { revision: 2 } }] });
    expect(revised).not.toHaveProperty('changes');
  });

  test('gets about a kilobyte a tick of a race of 100 stages at most, but for one tick in seventeen', async () => {
    const sink = await open(100);
    let whole = 0;
    for (let passed = 1; passed <= 50; passed++) {
      await write(100, passed);
      const frame = await next(sink);
      if (frame.type === 'delta' && frame.races.length > 0) whole++;
      else expect(JSON.stringify(frame).length).toBeLessThan(1_300);
    }
    expect(whole).toBeLessThanOrEqual(3);
  });

  test('gets a race whole that left its filter and came back', async () => {
    const sink = await open(3, { states: ['running'] });
    await write(3, 1, { state: 'queued' });
    expect(await next(sink)).toMatchObject({ removed: ['a'] });
    await write(3, 2, { state: 'queued' });
    await write(3, 3);
    expect(await next(sink)).toMatchObject({ races: [{ race_id: 'a', eta: { revision: 1, milestones: [{ state: 'passed' }, { state: 'passed' }, { state: 'passed' }] } }] });
  });

  test('gets a race whole where a stage is again what its revision said', async () => {
    const sink = await open(3);
    await write(3, 2);
    expect(await next(sink)).toMatchObject({ changes: [{ moves: [['stage 0', 1, 'passed', 2_000_000], ['stage 1', 1, 'passed', 2_000_001]] }] });
    await write(3, 1);
    expect(await next(sink)).toMatchObject({ races: [{ eta: { milestones: [{ state: 'passed' }, { state: 'pending', eta_at: 3_000_001 }, { state: 'pending' }] } }] });
  });
});

test('at most 10 subscriptions in 10 s', async () => {
  const sink = client();
  const subscriber = fanout.open(sink);
  for (let i = 0; i < 10; i++) expect(subscriber.subscribe({}, null).complaint).toBeNull();
  expect(subscriber.subscribe({}, null).complaint).toContain('10');
  pass(10_000);
  expect(subscriber.subscribe({}, null).complaint).toBeNull();
});

test('closing tells every client to go', async () => {
  const sink = await subscribed();
  fanout.close();
  expect(sink.closed).toEqual([1001]);
});
