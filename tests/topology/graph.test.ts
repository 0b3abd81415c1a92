import { describe, expect, it } from 'vitest';
import type { Codec } from '../../src/ports/codec.ts';
import { emptyUpdate } from '../../src/race/update.ts';
import { giveUpRecord } from '../../src/runtime/give-up-record.ts';
import type { GraphOutputs } from '../../src/runtime/partition-graph.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { embeddedCodec, graphDriver, HOUR_MS, type GraphDriver } from '../support/graph-driver.ts';

const T0 = Date.UTC(2026, 0, 1);
const submission = { ...emptyUpdate('r1', 'ci/acme', T0), title: 'build', state: 'running' as const, started_at: T0 };

describe('the graph', () => {
  it('answers a submission with revision 1', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    const { etas } = driver.send(submission);
    expect(etas).toHaveLength(1);
    expect(etas[0]?.eta).toMatchObject({ race_id: 'r1', revision: 1, reason: 'submitted', state: 'running', started_at: T0 });
    expect(etas[0]?.eta.finish_at).toBe(Math.round(T0 + (etas[0]?.eta.eta_sec ?? 0) * 1_000));
  });

  it('teaches a finish once and forecasts the next race from it', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    driver.send(submission);
    driver.nowMs = T0 + 100_000;
    const { etas, history } = driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 100_000), state: 'passed' });
    expect(etas.at(-1)?.eta).toMatchObject({ reason: 'finished', eta_sec: 100, remaining_sec: 0, confidence: 1 });
    expect(history).toHaveLength(1);
    expect(history[0]).toMatchObject({ kind: 'FinishedRace', value: { duration_sec: 100, outcome: 'passed', origin: { epoch: 0, partition: 0, offset: 1, index: 0 } } });
    const next = driver.send({ ...submission, race_id: 'r2', at: driver.nowMs, started_at: driver.nowMs });
    expect(next.etas[0]?.eta.basis).toBe('key');
    expect(next.etas[0]?.eta.eta_sec).toBeGreaterThan(80);
    expect(next.etas[0]?.eta.eta_sec).toBeLessThan(120);
  });

  it('numbers revisions 1, 2, 3... per race, and counts every input in one class', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    const updates = fleetUpdates({ seed: 7, races: 40, startMs: T0, spacingMs: 20_000, durationMs: 120_000 });
    const revisions = new Map<string, number[]>();
    const note = (list: { eta: { race_id: string; revision: number } }[]): void => {
      for (const { eta } of list) revisions.set(eta.race_id, [...(revisions.get(eta.race_id) ?? []), eta.revision]);
    };
    for (const update of updates) {
      note(driver.advanceTo(update.at).etas);
      note(driver.send(update).etas);
    }
    expect(revisions.size).toBe(40);
    for (const numbers of revisions.values()) expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    const { read, applied, late, duplicate, forgotten, rejected, rerouted } = driver.store.position;
    expect(read).toBe(updates.length);
    expect(applied + late + duplicate + forgotten + rejected + rerouted).toBe(read);
    expect(applied).toBe(read);
  });

  it('classes a repeat as duplicate, an older fact as late, a null as forgotten, rubbish as rejected', async () => {
    const driver = await graphDriver({ nowMs: T0 + 60_000 });
    driver.send(submission);
    driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 50_000), progress: 50 });
    driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 50_000), progress: 50 });
    driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 10_000), progress: 10 });
    const refused = driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 51_000), progress: 140 });
    driver.sendRaw({ key: Buffer.from('r1'), value: Buffer.from('\u0001\u0002') });
    const forgotten = driver.sendRaw({ key: Buffer.from('r1'), value: null });
    expect(driver.store.position).toMatchObject({ read: 7, applied: 2, duplicate: 1, late: 1, rejected: 2, forgotten: 1 });
    expect(refused.deadLetters[0]?.rejection).toMatchObject({ code: 'progress_out_of_range' });
    expect(refused.deadLetters[0]?.rejection.message).toMatch(/140/);
    expect(forgotten.history).toMatchObject([{ kind: 'Forget', value: { race_id: 'r1' } }]);
    expect(driver.store.get('r1')).toBeUndefined();
  });

  it.each([
    ['r1', 'r1', true], ['r1', 'r2', false], ['r1', 'r11', false], ['r11', 'r1', false], ['läufer', 'läufer', true], ['läufer', 'laufer', false], ['läufer', 'läufe', false], ['r\u{1f3c1}', 'r\u{1f3c1}', true],
  ])('under the key %s it takes an update of race %s: %s', async (key, raceId, isTaken) => {
    const driver = await graphDriver({ nowMs: T0 });
    const { deadLetters } = driver.sendRaw({ key: Buffer.from(key), value: Buffer.from(JSON.stringify({ race_id: raceId, source: 'ci/acme', at: T0 })) });
    expect(deadLetters.map(({ rejection }) => rejection.code)).toEqual(isTaken ? [] : ['key_mismatch']);
  });

  it('withdraws the revisions of a forgotten race, and forgets it under the sources that the order names', async () => {
    const driver = await graphDriver({ nowMs: T0 + 60_000 });
    driver.send(submission);
    const gone = driver.sendRaw({ key: Buffer.from('r1'), value: null, headers: [['source', Buffer.from('ci/other')], ['source', Buffer.from('a\u0000b')], ['x', Buffer.from('y')]] });
    expect(gone.withdrawals).toEqual([{ raceId: 'r1', after: 0 }]);
    expect(gone.history.map(({ kind, value }) => [kind, value.source])).toEqual([['Forget', submission.source], ['Forget', 'ci/other']]);
    const unknown = driver.sendRaw({ key: Buffer.from('r9'), value: null, headers: [['source', Buffer.from('ci/old')]] });
    expect(unknown).toMatchObject({ withdrawals: [{ raceId: 'r9', after: 0 }], history: [{ kind: 'Forget', value: { race_id: 'r9', source: 'ci/old' } }] });
    expect(driver.sendRaw({ key: Buffer.from('r8'), value: null }).history).toEqual([]);
  });

  it('sends a record on the wrong partition to the right one, unjudged', async () => {
    const driver = await graphDriver({ nowMs: T0, partitionCount: 16 });
    const ids = Array.from({ length: 40 }, (_, index) => `race-${index}`);
    const rerouted = ids.flatMap((id) => driver.send({ ...submission, race_id: id }).reroutes);
    expect(rerouted.length).toBeGreaterThan(20);
    expect(rerouted.every(({ partition }) => partition > 0 && partition < 16)).toBe(true);
    expect(driver.store.position.rerouted).toBe(rerouted.length);
    expect(driver.store.position.applied).toBe(40 - rerouted.length);
  });

  it('skips what it has applied when a record comes again after a crash', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    driver.send(submission);
    const again = driver.sendRaw({ offset: 0, key: Buffer.from('r1'), value: driver.codec.encode('race-updates', submission) });
    expect(again).toEqual({ etas: [], withdrawals: [], history: [], deadLetters: [], reroutes: [], giveUps: [] });
    expect(driver.store.position).toMatchObject({ read: 1, applied: 1, skipped: 1 });
  });

  it('learns from history without publishing it', async () => {
    const driver = await graphDriver({ nowMs: T0 + 48 * HOUR_MS });
    const start = driver.send(submission);
    const end = driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 90_000), state: 'passed' });
    expect([...start.etas, ...end.etas]).toEqual([]);
    expect(end.history).toMatchObject([{ kind: 'FinishedRace', value: { duration_sec: 90, checkpoints: [] } }]);
    const live = driver.send({ ...submission, race_id: 'r2', at: driver.nowMs, started_at: driver.nowMs });
    expect(live.etas[0]?.eta.basis).toBe('key');
  });

  it('says that a race is overdue by itself, a bounded number of times, and abandons it in the end', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    driver.send(submission);
    const soon = driver.advanceTo(T0 + HOUR_MS);
    expect(soon.etas.some(({ eta }) => eta.reason === 'overdue')).toBe(true);
    expect(soon.etas.length).toBeLessThan(60);
    for (const [index, { eta }] of soon.etas.entries()) expect(eta.revision).toBe(index + 2);
    const end = driver.advanceTo(T0 + 40 * 24 * HOUR_MS);
    expect(end.history).toMatchObject([{ kind: 'FinishedRace', value: { outcome: 'abandoned' } }]);
    expect(driver.store.size).toBe(0);
  });

  it('has what is submitted beside overdue races expect to take as long, and says once of each that it is', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    for (let i = 0; i < 20; i++) {
      const began = T0 + i * HOUR_MS;
      driver.advanceTo(began);
      driver.send({ ...submission, race_id: `ended-${i}`, at: began, started_at: began });
      const endedMs = began + (i % 3 === 0 ? 900_000 : 100_000);
      driver.advanceTo(endedMs);
      driver.send({ ...emptyUpdate(`ended-${i}`, 'ci/acme', endedMs), state: 'passed' });
    }
    const began = T0 + 30 * HOUR_MS;
    driver.advanceTo(began);
    const etaOf = (id: string): number => driver.send({ ...submission, race_id: id, at: driver.nowMs, started_at: driver.nowMs }).etas[0]!.eta.eta_sec!;
    expect(etaOf('first')).toBeLessThan(130);
    for (const id of ['second', 'third', 'fourth']) driver.send({ ...submission, race_id: id, at: began, started_at: began });
    const said: string[] = [];
    for (let sec = 10; sec <= 600; sec += 10) said.push(...driver.advanceTo(began + sec * 1000).history.flatMap(({ kind, value }) => (kind === 'OverdueRace' ? [value.race_id] : [])));
    expect(said.sort()).toEqual(['first', 'fourth', 'second', 'third']);
    expect(etaOf('beside')).toBeGreaterThan(800);
    driver.send({ ...emptyUpdate('beside', 'ci/acme', driver.nowMs + 90_000), state: 'passed' });
    expect(etaOf('once one has ended')).toBeLessThan(130);
  });

  it('tells a race that comes back under an id from the one that had it, and a further attempt from neither', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    const ends: unknown[] = [];
    const see = ({ history }: GraphOutputs): void => {
      for (const { value } of history) if ('race_id' in value && 'attempt' in value && value.race_id === 'r1') ends.push([value.attempt, value.first_offset]);
    };
    driver.send({ ...submission, race_id: 'other' });
    see(driver.send(submission));
    see(driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 10_000), state: 'passed' }));
    see(driver.send({ ...submission, at: T0 + 20_000, started_at: T0 + 20_000 }));
    see(driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 30_000), state: 'failed' }));
    see(driver.advanceTo(T0 + 30 * HOUR_MS));
    expect(driver.store.get('r1')).toBeUndefined();
    const offset = driver.store.position.applied_offset + 1;
    expect(driver.send({ ...submission, at: driver.nowMs, started_at: driver.nowMs }).etas[0]?.eta).toMatchObject({ attempt: 1, revision: 1, first_offset: offset });
    see(driver.send({ ...emptyUpdate('r1', 'ci/acme', driver.nowMs + 1_000), state: 'passed' }));
    expect(ends).toEqual([[1, 1], [2, 1], [1, offset]]);
  });

  describe('a race that is asked to be given up', () => {
    const silentFor = async (hours: number): Promise<{ driver: GraphDriver; ask: (heard: number) => GraphOutputs }> => {
      const driver = await graphDriver({ nowMs: T0 });
      driver.send(submission);
      driver.nowMs = T0 + hours * HOUR_MS;
      return { driver, ask: (offset) => driver.sendRaw(giveUpRecord(driver.codec, { kind: 'give-up', raceId: 'r1', source: 'ci/acme', lastAtMs: T0, heard: { epoch: 0, offset } })) };
    };

    it('is closed once, however often that is asked', async () => {
      const { driver, ask } = await silentFor(30);
      expect(ask(0).history).toMatchObject([{ value: { outcome: 'abandoned', version: 1, origin: { offset: 1, index: 0 } } }]);
      expect(ask(0).history).toEqual([]);
      expect(driver.store.position).toMatchObject({ read: 3, applied: 2, late: 1 });
    });

    it('is not closed when it was heard of since', async () => {
      const { driver, ask } = await silentFor(30);
      driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 1), progress: 3 });
      driver.nowMs += 30 * HOUR_MS;
      expect(ask(0).history).toEqual([]);
      expect(driver.store.get('r1')?.state).toBe('running');
      expect(ask(1).history).toMatchObject([{ value: { outcome: 'abandoned' } }]);
    });

    it('is not closed when only the clock of who asks has gone on for a day', async () => {
      const { driver, ask } = await silentFor(2);
      expect(ask(0).history).toEqual([]);
      expect(driver.store.position).toMatchObject({ applied: 1, late: 1 });
    });

    it('to a reader that does not know of it, is a repeat', async () => {
      const { driver } = await silentFor(30);
      const { key, value } = giveUpRecord(driver.codec, { kind: 'give-up', raceId: 'r1', source: 'ci/acme', lastAtMs: T0, heard: { epoch: 0, offset: 0 } });
      driver.sendRaw({ key, value });
      expect(driver.store.position).toMatchObject({ applied: 1, duplicate: 1 });
    });
  });

  it('takes a late stray of a race that has left the store as late, not as a new race', async () => {
    const driver = await graphDriver({ nowMs: T0 });
    driver.send({ ...emptyUpdate('gone', 'ci/acme', T0), progress: 40 });
    expect(driver.store.position).toMatchObject({ applied: 0, late: 1 });
    expect(driver.store.size).toBe(0);
  });

  it('dead-letters a record on which it breaks, takes its effects back, and goes on', async () => {
    const codec = await embeddedCodec();
    const broken: Codec = { ...codec, decode: (topic, bytes) => (bytes.includes('break me') ? { decoded: { kind: 'RaceUpdate', value: hostile() }, raw: true } : codec.decode(topic, bytes)) };
    const driver = await graphDriver({ nowMs: T0, codec: broken });
    driver.send(submission);
    const { deadLetters } = driver.sendRaw({ key: Buffer.from('r1'), value: Buffer.from('break me') });
    expect(deadLetters).toMatchObject([{ rejection: { code: 'processing_failed' } }]);
    expect(driver.send({ ...emptyUpdate('r1', 'ci/acme', T0 + 1), progress: 3 }).deadLetters).toEqual([]);
    expect(driver.store.position).toMatchObject({ read: 3, applied: 2, rejected: 1 });
  });
});

/** A value that no input can be: reading it throws, as a defect of ours would. */
function hostile(): object {
  return new Proxy({}, { get() {
    throw new Error('out of order');
  } });
}
