import { expect, test } from 'vitest';
import { SKIP_BYTES } from '../../../../src/gateway/live/fanout.ts';
import { ENCODED_RACE_BYTES } from '../../../../src/gateway/live/frame-sink.ts';
import { factsOf } from '../../../../src/gateway/live/facts.ts';
import { raceQueue } from '../../../../src/gateway/grpc/race-queue.ts';
import type { ViewedRace } from '../../../../src/gateway/live/view.ts';
import { raceState } from '../../../integration/gateway/harness.ts';

const race = (id: string): ViewedRace => ({ facts: factsOf(raceState({ race_id: id })), eta: null, partition: 0, etaOffset: -1, stateOffset: 0, provisional: false, changedAtMs: 0, json: null, changeJson: null, moves: null });
const delta = (...ids: string[]) => ({ kind: 'delta', first: false, complete: true, races: ids.map(race), removed: [], resume: null }) as const;
const signal = new AbortController().signal;

test('what a gRPC client has not read counts as unsent until it takes it, so that the fan-out skips and closes it', async () => {
  const queue = raceQueue(false);
  for (let i = 0; queue.sink.bufferedBytes() <= SKIP_BYTES; i++) queue.sink.sendRaces!(delta(`r${i}`, `s${i}`));
  expect(queue.sink.bufferedBytes()).toBeLessThan(SKIP_BYTES + 4 * ENCODED_RACE_BYTES);
  const before = queue.sink.bufferedBytes();
  expect(await queue.next(signal)).toHaveLength(2);
  expect(queue.sink.bufferedBytes()).toBe(before - 3 * ENCODED_RACE_BYTES);
  queue.sink.close(1013, 'slow_client');
  expect(queue.sink.bufferedBytes()).toBe(0);
  queue.sink.sendRaces!(delta('late'));
  expect(await queue.next(signal)).toBeNull();
  expect(queue.ended()).toEqual({ code: 1013, reason: 'slow_client' });
});

test('a client that waits is woken by a frame, and by its own end', async () => {
  const queue = raceQueue(false);
  const waiting = queue.next(signal);
  queue.sink.sendRaces!(delta('a'));
  expect(await waiting).toMatchObject([{ race: { id: 'a' } }]);
  const gone = new AbortController();
  const last = queue.next(gone.signal);
  gone.abort();
  expect(await last).toBeNull();
});
