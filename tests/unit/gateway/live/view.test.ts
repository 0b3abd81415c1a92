import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { firstEtas } from '../../../../src/gateway/live/first-eta.ts';
import { openView, REMOVAL_MEMORY_MS, type RaceLiveView } from '../../../../src/gateway/live/view.ts';
import { etaUpdate, openEngines, pipelineWriter, raceState, until, type Engines } from '../../../integration/gateway/harness.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

let engines: Engines;
let writer: ReturnType<typeof pipelineWriter>;
let view: RaceLiveView | null = null;
let nowMs = 0;

beforeEach(async () => {
  nowMs = Date.now();
  engines = await openEngines();
  writer = pipelineWriter(engines);
});
afterEach(async () => {
  await view?.close();
  view = null;
  await engines.log.close();
});

async function open(): Promise<RaceLiveView> {
  view = await openView({ ...engines, clock: { nowMs: () => nowMs }, logger: silentLogger });
  await view.restored;
  return view;
}

describe('the view', () => {
  test('is restored from both topics', async () => {
    await writer.state(raceState({ race_id: 'a', revision: 1 }));
    await writer.eta(etaUpdate({ race_id: 'a', revision: 1 }));
    await writer.state(raceState({ race_id: 'b' }));
    await writer.removed('b');
    const view = await open();
    expect(view.size()).toBe(1);
    expect(view.get('a')).toMatchObject({ provisional: false, facts: { revision: 1 }, eta: { revision: 1, model_version: 'm1' } });
  });

  test('keeps a race whose EtaUpdate has left the topic, with what its state remembers', async () => {
    await writer.state(raceState({ race_id: 'a', revision: 4, published: { issued_at: 1, event_at: 1, eta_sec: 60, p10_sec: 50, p50_sec: 60, p90_sec: 90, confidence: 0.5, basis: 'source', reason: 'started', model_version: 'm', cluster_id: null, next_at: null } }));
    expect((await open()).get('a')).toMatchObject({ eta: { revision: 4, eta_sec: 60, finish_at: 1_060_000 } });
  });

  test('does not raise finished races from old revisions', async () => {
    await writer.eta(etaUpdate({ race_id: 'old' }));
    nowMs += 120_000;
    expect((await open()).get('old')).toBeUndefined();
  });

  test('shows a revision before its state, and drops it when none follows', async () => {
    const view = await open();
    await writer.eta(etaUpdate({ race_id: 'a', state: 'queued' }));
    await until(() => view.get('a') !== undefined);
    expect(view.get('a')).toMatchObject({ provisional: true, facts: { state: 'queued' } });
    nowMs += 61_000;
    view.sweep();
    expect(view.get('a')).toBeUndefined();
  });

  test('is not undone by a former owner\'s late state or an older revision', async () => {
    const view = await open();
    await writer.state(raceState({ race_id: 'a', applied_offset: 9, title: 'new' }));
    await writer.eta(etaUpdate({ race_id: 'a', revision: 5 }));
    await until(() => view.get('a')?.eta?.revision === 5);
    await writer.state(raceState({ race_id: 'a', applied_offset: 7, title: 'late' }));
    await writer.eta(etaUpdate({ race_id: 'a', revision: 4 }));
    await writer.state(raceState({ race_id: 'a', applied_offset: 9, title: 'newer', revision: 5 }));
    await until(() => view.get('a')?.facts.title === 'newer');
    expect(view.get('a')?.eta?.revision).toBe(5);
  });

  test('remembers removals for 10 minutes', async () => {
    const view = await open();
    await writer.state(raceState({ race_id: 'a' }));
    await until(() => view.get('a') !== undefined);
    const point = view.position();
    await writer.removed('a');
    await until(() => view.get('a') === undefined);
    expect(view.removalsSince(point)).toMatchObject([{ raceId: 'a', source: 'ci' }]);
    nowMs += REMOVAL_MEMORY_MS + 5_000;
    view.sweep();
    expect(view.removalsSince({ ...point, issuedAtMs: nowMs })).toBeNull();
    expect(view.removalsSince(view.position())).toEqual([]);
  });

  test('skips a record that cannot be read', async () => {
    const view = await open();
    await engines.log.append('race-states', 0, [{ key: Buffer.from('x'), value: Buffer.from('garbage') }]);
    await writer.state(raceState({ race_id: 'a' }));
    await until(() => view.get('a') !== undefined);
  });
});

describe('firstEtas()', () => {
  test('wakes all that wait for the race, and nobody waits for one that has its ETA', async () => {
    const view = await open();
    const waiting = firstEtas(view, () => nowMs);
    const both = Promise.all([waiting.wait('a'), waiting.wait('a')]);
    await writer.eta(etaUpdate({ race_id: 'a' }));
    await both;
    expect(view.get('a')?.eta?.revision).toBe(1);
    await waiting.wait('a');
    waiting.close();
  });

  test('stops to wait when nothing answers, but tries once a second', async () => {
    const view = await open();
    const waiting = firstEtas(view, () => nowMs);
    await Promise.all(Array.from({ length: 8 }, (_, i) => waiting.wait(`vain-${i}`)));
    let isProbeAnswered = false;
    const probe = waiting.wait('probe').then(() => { isProbeAnswered = true; });
    await Promise.all(Array.from({ length: 100 }, (_, i) => waiting.wait(`more-${i}`)));
    expect(isProbeAnswered).toBe(false);
    await writer.eta(etaUpdate({ race_id: 'probe' }));
    await probe;
    const again = waiting.wait('again');
    await writer.eta(etaUpdate({ race_id: 'again' }));
    await again;
    expect(view.get('again')?.eta?.revision).toBe(1);
    waiting.close();
  });

  test('close() lets everybody go', async () => {
    const waiting = firstEtas(await open(), () => nowMs);
    const left = waiting.wait('a');
    waiting.close();
    await left;
  });
});
