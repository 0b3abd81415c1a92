import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rejectionCodes } from '../../../src/errors.ts';
import { evolve } from '../../../src/race/evolve.ts';
import { isFinished, type RaceState } from '../../../src/race/state.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';
import { fold, positionBefore, positionOf, sec, stage, updateAt } from './updates.ts';

type Fields = Partial<RaceUpdate>;

/**
 * What one producer says of one run: no two updates at the same instant, times that do not contradict each other (one true
 * start and end for the race and each stage), a state that goes forward. Any subset, in any order, is fair.
 */
const story: fc.Arbitrary<RaceUpdate[]> = fc.record({
  toldStart: fc.boolean(), toldEnd: fc.boolean(), seq: fc.boolean(), says: fc.boolean(),
  outcome: fc.option(fc.constantFrom('passed' as const, 'failed' as const, 'canceled' as const)),
  notes: fc.array(fc.record({
    at: fc.integer({ min: 0, max: 99 }),
    title: fc.option(fc.constantFrom('a', 'b', 'c')), progress: fc.option(fc.integer({ min: 0, max: 100 })), eta: fc.option(fc.integer({ min: 0, max: 9 })),
    key: fc.option(fc.constantFrom('k1', 'k2', 'k3')), value: fc.option(fc.constantFrom('x', 'y')), deeplink: fc.option(fc.constantFrom('x://1', 'x://2')),
    plan: fc.option(fc.array(fc.constantFrom('build', 'test'), { maxLength: 2 })), event: fc.option(fc.constantFrom('log', 'warn')),
    deadline: fc.option(fc.integer({ min: 1, max: 5 })), route: fc.option(fc.constantFrom('r1', 'r2')), next: fc.option(fc.integer({ min: 0, max: 3 })),
  }), { maxLength: 12 }),
  stages: fc.array(fc.record({
    startedSec: fc.integer({ min: 25, max: 60 }), lengthSec: fc.integer({ min: 0, max: 30 }), toldStart: fc.boolean(), toldEnd: fc.boolean(),
    ends: fc.constantFrom(null, 'passed' as const, 'failed' as const), planned: fc.boolean(), announced: fc.boolean(), reminded: fc.boolean(),
  }), { maxLength: 4 }),
}).map(({ toldStart, toldEnd, seq, says, outcome, notes, stages }) => {
  const parts: [number, Fields][] = [[0.5, { state: 'queued', queued_at: sec(0.5), title: 'submitted' }]];
  if (says) parts.push([20.5, { state: 'running', started_at: toldStart ? sec(20) : null }]);
  for (const [i, one] of stages.entries()) {
    const name = `stage ${i}`;
    const number = seq ? i : null;
    const facts = { seq: number, started_at: one.toldStart ? sec(one.startedSec) : null, planned_sec: one.planned ? 9 : null };
    if (one.announced) parts.push([21 + i / 10, { stage: stage(name, 'pending', { seq: number, planned_sec: facts.planned_sec }) }]);
    parts.push([one.startedSec + i / 100 + 0.001, { stage: stage(name, 'running', facts) }]);
    if (one.reminded) parts.push([one.startedSec + i / 100 + 0.002, { stage: stage(name, 'running', facts) }]);
    const endSec = one.startedSec + one.lengthSec + 1;
    if (one.ends !== null) parts.push([endSec + i / 100 + 0.003, { stage: stage(name, one.ends, { ...facts, completed_at: one.toldEnd ? sec(endSec) : null }) }]);
  }
  for (const [i, note] of notes.entries()) {
    parts.push([note.at + 0.6 + i / 1000, {
      title: note.title, progress: note.progress, eta_sec: note.eta, deeplink: note.deeplink, route_id: note.route,
      eta_kind: note.eta === null ? null : 'total', metadata: note.key === null ? null : { [note.key]: note.value },
      plan: note.plan?.map((name) => ({ name, planned_sec: null, planned_at: null })) ?? null,
      event: note.event === null ? null : { type: note.event, at: null, data: null }, deadline_at: note.deadline === null ? null : sec(note.deadline), position: note.next === null ? null : positionBefore(note.next),
    }]);
  }
  if (outcome !== null) parts.push([110, { state: outcome, completed_at: toldEnd ? sec(109) : null, metadata: { exit_code: '0' } }]);
  const seen = new Set<number>();
  return parts.map(([at, fields]) => updateAt(at, fields)).filter(({ at }) => !seen.has(at) && seen.add(at));
});

/** A story and another order of it; both shrink. */
const shuffledStory = fc.tuple(story, fc.array(fc.nat(1000), { minLength: 64, maxLength: 64 })).map(([updates, keys]) => {
  const shuffled = updates.map((update, i) => ({ update, key: keys[i % 64]! })).sort((a, b) => a.key - b.key).map(({ update }) => update);
  return [updates, shuffled] as const;
});

/** What is known of the race, without the traces of the order in which it came to be known. */
function factsOf(race: RaceState): unknown {
  const { title, attempt, state, queued_at, started_at, completed_at, started_derived, completed_derived, plan, stages, events } = race;
  const about = [race.deeplink, race.deadline_at, race.route_id, race.eta_kind, race.race_id, race.source];
  const metadata = race.metadata.filter(({ value }) => value !== null).map(({ key, value }) => `${key}=${value}`).sort();
  const facts = { title, attempt, state, queued_at, started_at, completed_at, started_derived, completed_derived, plan, events, about, metadata };
  // After the end repeats, progress and estimates are late: what they would have told depends on when they come.
  if (isFinished(state)) return { ...facts, stages: stages.map(({ at: _at, ...rest }) => rest), about: about.slice(0, 3), plan };
  return { ...facts, stages, progress: race.progress, eta: race.eta_sec, last_at: race.last_at, field_at: race.field_at, position: race.position };
}

/** Anything that passes normalization, at few instants, so that ties, conflicts, ends and new attempts abound. */
const anyUpdate: fc.Arbitrary<RaceUpdate> = fc.record({
  at: fc.integer({ min: 1, max: 12 }),
  source: fc.constantFrom('s', 's', 's', 's', 's', 's', 's', 't'),
  title: fc.option(fc.constantFrom('a', 'b')),
  state: fc.option(fc.constantFrom('queued' as const, 'running' as const, 'passed' as const, 'failed' as const)),
  progress: fc.option(fc.constantFrom(0, 50, 100)), eta_sec: fc.option(fc.constantFrom(1, 2)),
  started_at: fc.option(fc.integer({ min: 1, max: 12 })), completed_at: fc.option(fc.integer({ min: 1, max: 12 })), queued_at: fc.option(fc.integer({ min: 1, max: 12 })),
  metadata: fc.option(fc.dictionary(fc.constantFrom('a', 'b'), fc.option(fc.constantFrom('x', 'y')))),
  stage: fc.option(fc.record({
    name: fc.constantFrom('build', 'test'), state: fc.constantFrom('pending' as const, 'running' as const, 'passed' as const, 'skipped' as const),
    seq: fc.option(fc.constantFrom(1, 2)), started_at: fc.constant(null), completed_at: fc.constant(null), planned_sec: fc.option(fc.constantFrom(1, 2)),
  })),
  event: fc.option(fc.record({ type: fc.constantFrom('a', 'b'), at: fc.constant(null), data: fc.constant(null) })),
  position: fc.option(fc.constantFrom(1, 2).map(positionBefore)),
}, { requiredKeys: ['at'] }).map((fields) => {
  const instants = Object.fromEntries(
    (['started_at', 'completed_at', 'queued_at'] as const).map((name) => [name, fields[name] == null ? null : sec(fields[name])]),
  );
  return updateAt(0, { ...fields, ...instants, at: sec(fields.at) });
}).filter(({ started_at, completed_at }) => started_at === null || completed_at === null || started_at <= completed_at);

describe('evolve() as a whole', () => {
  test('gives the same facts in whatever order the updates come', () => {
    fc.assert(fc.property(shuffledStory, ([updates, shuffled]) => {
      expect(factsOf(fold(shuffled).race!)).toEqual(factsOf(fold(updates).race!));
    }), { numRuns: 3000 });
  });

  // Late where a part of it had been older than what was known: then it brought less than it says.
  test('takes an update that comes twice for a duplicate, or for late', () => {
    fc.assert(fc.property(shuffledStory, ([, shuffled]) => {
      let race: RaceState | undefined;
      for (const [i, update] of shuffled.entries()) {
        const first = evolve(race, update, positionOf(i, update));
        if (first.outcome !== 'applied') continue;
        race = first.race;
        expect(['duplicate', 'late']).toContain(evolve(race, update, positionOf(i + 1, update)).outcome);
      }
    }), { numRuns: 1000 });
  });

  test('never applies an update twice, however updates contradict each other', () => {
    fc.assert(fc.property(fc.array(anyUpdate, { minLength: 1, maxLength: 15 }), (updates) => {
      let race: RaceState | undefined;
      for (const [i, update] of updates.entries()) {
        const first = evolve(race, update, positionOf(i, update));
        if (first.outcome !== 'applied') continue;
        race = first.race;
        expect(['duplicate', 'late']).toContain(evolve(race, update, positionOf(i + 1, update)).outcome);
      }
    }), { numRuns: 3000 });
  });

  test('puts every update in one class, changes no input and keeps its own rules', () => {
    fc.assert(fc.property(fc.array(anyUpdate, { minLength: 1, maxLength: 15 }), (updates) => {
      let race: RaceState | undefined;
      for (const [i, update] of updates.entries()) {
        const before = structuredClone(race);
        const said = structuredClone(update);
        const result = evolve(deepFreeze(race), deepFreeze(update), positionOf(i, update));
        expect(race).toEqual(before);
        expect(update).toEqual(said);
        if (result.outcome === 'rejected') expect(rejectionCodes).toHaveProperty(result.rejection.code);
        if (result.outcome !== 'applied') continue;
        const { race: next, change } = result;
        expect(next.applied_offset).toBe(i);
        if (isFinished(next.state)) {
          expect(next.version).toBeGreaterThan(0);
          expect(next.completed_at).toBeGreaterThanOrEqual(next.started_at!);
        }
        if (before !== undefined) {
          expect(next.attempt - before.attempt).toBe(change.restarted ? 1 : 0);
          expect(next.last_at).toBeGreaterThanOrEqual(before.last_at);
          if (isFinished(before.state) && !change.restarted) expect(next.state).toBe(before.state);
          if (change.corrected) expect(next.version).toBe(before.version + 1);
        }
        for (const ended of change.finishedStages) expect(next.stages).toContain(ended);
        race = next;
      }
    }), { numRuns: 2000 });
  });

  test('depends on nothing but its arguments', () => {
    fc.assert(fc.property(fc.array(anyUpdate, { minLength: 1, maxLength: 10 }), (updates) => {
      expect(fold(updates)).toEqual(fold(structuredClone(updates)));
    }));
  });
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
