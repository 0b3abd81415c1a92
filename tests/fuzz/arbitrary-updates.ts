import * as fc from 'fast-check';

const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 300 }), fc.constantFrom('', ' ', '\0', '__proto__', 'constructor', '__partition/0', '\ud800', 'x'.repeat(2_001), '\u202e', 'a\nb', '{"a":1}', '[', 'null'),
);
const oddNumber = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-0, 1e308, -1, 140, Number.MAX_SAFE_INTEGER + 2, 0.1, 4_102_444_800_000, 1_772_366_400_000));
const oddInstant = fc.oneof(oddNumber, fc.constantFrom('2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00', '1969-12-31T23:59:59Z', 'now', '2026-01-01T24:00:00+99:99'));
const anything = fc.anything({ withBigInt: false, withDate: false, withMap: false, withSet: false, withTypedArray: false, withSparseArray: false, maxDepth: 3 });
/** Mostly good, so that an update with many fields is taken now and then; sometimes near a limit, sometimes anything. */
const often = <T>(good: fc.Arbitrary<T>, odd: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ arbitrary: good, weight: 40 }, { arbitrary: odd, weight: 2 }, { arbitrary: anything, weight: 1 });
const oddly = <T>(usual: fc.Arbitrary<T>): fc.Arbitrary<unknown> => often(usual, anything);
const text = often(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), oddText);
const number = often(fc.double({ min: 0, max: 100, noNaN: true }), oddNumber);
const start = Date.UTC(2025, 0, 1);
const instant = often(fc.oneof(fc.integer({ min: start, max: start + 86_400_000 }), fc.date({ min: new Date(start), max: new Date(start + 86_400_000), noInvalidDate: true }).map((date) => date.toISOString())), oddInstant);

const stage = fc.record({
  name: oddly(text), state: oddly(fc.constantFrom('pending', 'running', 'passed', 'failed', 'skipped')), seq: often(fc.nat(100), oddNumber), started_at: oddly(instant), completed_at: often(fc.constant(start + 2 * 86_400_000), oddInstant), planned_sec: oddly(number),
}, { requiredKeys: [] });

const position = fc.record({
  route_version: often(fc.nat(100), oddNumber), along_m: oddly(number), off_m: oddly(number), next: often(fc.nat(40), oddNumber), own_mps: oddly(number), last_mps: oddly(number), usual_mps: oddly(number),
  moves: oddly(fc.boolean()), moved_at: oddly(instant), trail_at: oddly(instant), trail_m: oddly(number), passed: often(fc.nat(40), oddNumber), passed_at: oddly(instant), delay_sec: often(fc.double({ min: -900, max: 900, noNaN: true }), oddNumber),
}, { requiredKeys: ['route_version', 'along_m', 'off_m', 'next', 'moves', 'moved_at'] });

/** Objects with the fields of a RaceUpdate, in right and wrong forms. */
export const anyUpdate: fc.Arbitrary<Record<string, unknown>> = fc.record({
  race_id: oddly(fc.oneof(fc.constantFrom('r1', 'r2', 'r3'), text)),
  source: oddly(fc.oneof(fc.constantFrom('ci'), text)),
  at: oddly(instant),
  title: oddly(text),
  state: oddly(fc.constantFrom('queued', 'running', 'passed', 'failed', 'canceled')),
  progress: oddly(number),
  eta_sec: oddly(number),
  eta_kind: oddly(fc.constantFrom('total', 'remaining')),
  queued_at: oddly(instant), started_at: oddly(instant), completed_at: often(fc.constant(start + 2 * 86_400_000), oddInstant), deadline_at: oddly(instant),
  metadata: oddly(fc.dictionary(fc.oneof(fc.string({ maxLength: 20 }), oddText), fc.oneof(text, number, fc.boolean(), fc.constant(null)), { maxKeys: 6 })),
  stage: oddly(stage),
  plan: oddly(fc.array(oddly(fc.oneof(text, stage)), { maxLength: 5 })),
  update_interval_hint_sec: oddly(number), update_interval_hint: oddly(number), duration_sec: oddly(number),
  deeplink: often(fc.webUrl(), fc.oneof(fc.constantFrom('javascript://x', 'data://x', 'x'), oddText)),
  event: oddly(fc.record({ type: oddly(text), at: oddly(instant), data: anything }, { requiredKeys: [] })),
  events: oddly(fc.array(fc.record({ type: oddly(text), timestamp: oddly(instant), data: anything }, { requiredKeys: [] }), { maxLength: 3 })),
  route_id: oddly(text),
  position: fc.oneof({ arbitrary: fc.constant(null), weight: 5 }, { arbitrary: oddly(position), weight: 1 }),
}, { requiredKeys: ['race_id', 'source'] });

/** Any JSON value, and mostly something like an update. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof({ arbitrary: anyUpdate, weight: 5 }, { arbitrary: fc.jsonValue(), weight: 2 }, { arbitrary: anything, weight: 1 });

/** CloudEvents and CDEvents, bent. */
export const anyEvent: fc.Arbitrary<Record<string, unknown>> = fc.record({
  specversion: oddly(fc.constantFrom('1.0')),
  type: oddly(fc.constantFrom('dev.cdevents.pipelinerun.finished.0.2.0', 'dev.cdevents.taskrun.started.0.2.0', 'acme.update')),
  source: oddly(text), subject: oddly(text), time: oddly(instant), id: oddly(text),
  context: oddly(fc.record({
    type: oddly(fc.tuple(fc.constantFrom('pipelinerun', 'taskrun', 'build', 'testsuiterun', 'service', ''), fc.constantFrom('queued', 'started', 'finished', 'deployed', '')).map(([subject, predicate]) => `dev.cdevents.${subject}.${predicate}.0.2.0`)),
    source: oddly(text), timestamp: oddly(instant),
  }, { requiredKeys: [] })),
  data: oddly(anyUpdate),
}, { requiredKeys: [] }).chain((event) => fc.record({
  id: oddly(text), source: oddly(text),
  content: oddly(fc.record({
    pipelineName: oddly(text), taskName: oddly(text), outcome: oddly(fc.constantFrom('success', 'failure', 'error', 'cancel', 'pass', 'what')), errors: oddly(text), url: oddly(text), uri: oddly(text),
    pipelineRun: oddly(fc.record({ id: oddly(text), source: oddly(text) }, { requiredKeys: [] })), environment: oddly(fc.record({ id: oddly(text) }, { requiredKeys: [] })), testSuite: oddly(fc.record({ name: oddly(text) }, { requiredKeys: [] })),
  }, { requiredKeys: [] })),
}, { requiredKeys: [] }).map((subject) => (typeof event['specversion'] === 'string' ? event : { ...event, subject })));
