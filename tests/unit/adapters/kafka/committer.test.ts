import { describe, expect, it } from 'vitest';
import { createCommitter, type OffsetToCommit } from '../../../../src/adapters/kafka/committer.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const clock = { nowMs: () => Date.now() };
const held = new AbortController().signal;

function of(partition: number, offset: number, holding: AbortSignal = held): OffsetToCommit {
  return { id: { topic: 'race-updates', partition }, offset, metadata: '', held: holding };
}

/** A coordinator whose answers the test gives. */
function coordinator() {
  const requests: { readonly offsets: readonly OffsetToCommit[]; readonly answer: PromiseWithResolvers<void> }[] = [];
  let arrived = Promise.withResolvers<void>();
  return {
    requests,
    send(offsets: readonly OffsetToCommit[]): Promise<void> {
      const answer = Promise.withResolvers<void>();
      requests.push({ offsets, answer });
      arrived.resolve();
      return answer.promise;
    },
    async next(): Promise<void> {
      await arrived.promise;
      arrived = Promise.withResolvers<void>();
    },
  };
}

describe('createCommitter()', () => {
  it('sends commits of one turn together and keeps one request in flight, in which the newest offset goes next', async () => {
    const remote = coordinator();
    const committer = createCommitter({ send: remote.send, clock, logger: silentLogger });
    const first = [committer.commit(of(0, 1)), committer.commit(of(1, 5))];
    await remote.next();
    expect(remote.requests[0]?.offsets.map((one) => [one.id.partition, one.offset])).toEqual([[0, 1], [1, 5]]);
    const later = [committer.commit(of(0, 2)), committer.commit(of(0, 3))];
    expect(remote.requests).toHaveLength(1);
    remote.requests[0]?.answer.resolve();
    await Promise.all(first);
    await remote.next();
    expect(remote.requests[1]?.offsets.map((one) => one.offset)).toEqual([3]);
    remote.requests[1]?.answer.resolve();
    await Promise.all(later);
    await committer.idle();
    expect(remote.requests).toHaveLength(2);
  });

  it('tries a refused commit again, with the newest offset', async () => {
    const remote = coordinator();
    const committer = createCommitter({ send: remote.send, clock, logger: silentLogger });
    const older = committer.commit(of(0, 1));
    await remote.next();
    const newer = committer.commit(of(0, 2));
    remote.requests[0]?.answer.reject(new Error('The group is rebalancing'));
    await remote.next();
    expect(remote.requests[1]?.offsets.map((one) => one.offset)).toEqual([2]);
    remote.requests[1]?.answer.resolve();
    await Promise.all([older, newer]);
  });

  it('refuses commits of a lost partition: before, while waiting, and after a refused try', async () => {
    const remote = coordinator();
    const committer = createCommitter({ send: remote.send, clock, logger: silentLogger });
    const holding = new AbortController();
    const inFlight = committer.commit(of(0, 1, holding.signal));
    await remote.next();
    const waiting = committer.commit(of(0, 2, holding.signal));
    const outcomes = Promise.allSettled([inFlight, waiting]);
    holding.abort();
    committer.dropLost();
    remote.requests[0]?.answer.reject(new Error('Illegal generation'));
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'partition_lost' } });
    await expect(committer.commit(of(0, 3, holding.signal))).rejects.toMatchObject({ code: 'partition_lost' });
    await committer.idle();
    expect(remote.requests).toHaveLength(1);
  });

  it('does not carry a commit over to a later holding of the same partition', async () => {
    const remote = coordinator();
    const committer = createCommitter({ send: remote.send, clock, logger: silentLogger });
    const before = new AbortController();
    const stale = committer.commit(of(0, 9, before.signal)).catch((error: unknown) => error);
    before.abort();
    const fresh = committer.commit(of(0, 4));
    await remote.next();
    expect(remote.requests[0]?.offsets.map((one) => one.offset)).toEqual([4]);
    remote.requests[0]?.answer.resolve();
    await fresh;
    expect(await stale).toMatchObject({ code: 'partition_lost' });
  });
});
