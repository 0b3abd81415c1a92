import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import { MAX_FORECAST_SEC } from '../../src/forecast/forecast.ts';
import type { Codec } from '../../src/ports/codec.ts';
import { normalizeUpdate } from '../../src/race/normalize.ts';
import { emptyUpdate, type RaceUpdate } from '../../src/race/update.ts';
import { runBacktest } from '../../src/runtime/backtest.ts';
import { FUZZ_TIMEOUT_MS, runsOf } from './runs.ts';

const START_MS = Date.UTC(2025, 0, 1);
const LONGEST_MS = 300 * 86_400_000;

const size = fc.oneof(fc.constantFrom(0, 1, 5, 999, 60_000), fc.integer({ min: 0, max: 600_000 }), fc.integer({ min: 0, max: LONGEST_MS }));
const quantity = fc.oneof(
  fc.integer({ min: 0, max: 1_000 }).map(String), fc.double().map(String), fc.constantFrom('1e308', '-1e308', '5e-324', '-0', '1e999', 'NaN', '99999999999999999999', '0', 'main', ''),
);
const race = fc.record({
  title: fc.constantFrom('build', 'test', 'deploy'),
  gapMs: fc.oneof(fc.nat(600_000), size),
  durationMs: size,
  plan: quantity, delay: quantity, size: quantity,
  /** The plan says what the race takes. */
  isPlanned: fc.boolean(),
  etaSec: fc.option(fc.oneof(fc.constantFrom(0, 1e-9, 315_360_000), fc.double({ min: 0, max: 315_360_000, noNaN: true }))),
  reports: fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), progress: fc.option(fc.double({ min: 0, max: 100, noNaN: true })), stage: fc.option(fc.constantFrom('a', 'b', 'c')), done: fc.boolean() }), { maxLength: 5 }),
  state: fc.constantFrom('passed' as const, 'passed' as const, 'failed' as const, 'canceled' as const, null),
});

/** Races one after another that may last into each other, as updates in the order of their instants. */
const fleet = fc.array(race, { minLength: 10, maxLength: 60 }).map((races) => {
  const updates: RaceUpdate[] = [];
  let startedAt = START_MS;
  for (const [i, { title, gapMs, durationMs, plan, delay, size: amount, isPlanned, etaSec, reports, state }] of races.entries()) {
    startedAt += gapMs;
    const update = (at: number): RaceUpdate => emptyUpdate(`r${i}`, 'ci', at);
    updates.push({
      ...update(startedAt), title, state: 'running', started_at: startedAt, eta_sec: etaSec, eta_kind: etaSec === null ? null : 'total',
      metadata: { plan: isPlanned ? String(durationMs / 1_000) : plan, delay, size: amount },
    });
    for (const { at: share, progress, stage, done } of reports) {
      const at = startedAt + Math.round(share * durationMs);
      updates.push({ ...update(at), progress, stage: stage === null ? null : { name: stage, state: done ? 'passed' : 'running', seq: null, started_at: at, completed_at: done ? at : null, planned_sec: null } });
    }
    if (state !== null) updates.push({ ...update(startedAt + durationMs), state, completed_at: startedAt + durationMs });
  }
  return updates.toSorted((a, b) => a.at - b.at);
});

let codec: Codec;
beforeAll(async () => {
  codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
});

function checkRevision({ race_id: raceId, revision, issued_at: issuedAt, started_at: startedAt, eta_sec: etaSec, p10_sec: p10, p50_sec: p50, p90_sec: p90, confidence, basis, display, milestones }: EtaUpdate): void {
  const told = `${raceId} revision ${revision} (${basis}): ${p10} ${p50} ${p90}, eta ${etaSec}, confidence ${confidence}`;
  expect(confidence >= 0 && confidence <= 1, told).toBe(true);
  if (etaSec === null) return;
  const most = Math.max(MAX_FORECAST_SEC, startedAt === null ? 0 : (issuedAt - startedAt) / 1_000) + 1e-3;
  expect(etaSec >= 0 && etaSec <= most, told).toBe(true);
  expect(p10! >= 0 && p10! <= p50! && p50! <= p90! && p90! <= most, told).toBe(true);
  expect(display.finish_at === null || Number.isInteger(display.finish_at), told).toBe(true);
  for (const { name, eta_at: at } of milestones) expect(at === null || Number.isInteger(at), `${told}; ${name}`).toBe(true);
}

test('whatever a fleet says of itself, every revision is in its range and can be written', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  let revisions = 0;
  await fc.assert(fc.asyncProperty(fleet, async (updates) => {
    for (const update of updates) expect(normalizeUpdate(update, START_MS + 1_000 * LONGEST_MS)).not.toHaveProperty('rejection');
    await runBacktest({ updates, codec, finishedTtlMs: 86_400_000, onRevision: (eta) => { revisions++; checkRevision(eta); codec.encode('eta-updates', eta); } });
  }), { numRuns: runsOf(100) });
  expect(revisions).toBeGreaterThan(1_000);
});
