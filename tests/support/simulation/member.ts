import { AppError } from '../../../src/errors.ts';
import type { PartitionId, SubscribeOptions, Subscription } from '../../../src/ports/record-log.ts';
import type { Cluster } from './cluster.ts';
import { keyOf, type Member } from './group.ts';
import type { Process, World } from './world.ts';

const RETRY_MS = 250;
const MOST_RECORDS = 30;

export type MemberOptions = SubscribeOptions & {
  readonly world: World;
  readonly cluster: Cluster;
  readonly process: Process;
  readonly onCommitted?: ((group: string, id: PartitionId, nextOffset: number) => void) | undefined;
};

/** A partition from its assignment to its loss. */
type Holding = { readonly id: PartitionId; readonly term: number; readonly loss: AbortController; delivering: Promise<void> | null };

/** A subscription as the adapters make it: see SubscriptionHandler for what is promised, and the Kafka adapter for the order of calls. */
export function subscribeMember({ world, cluster, process, group: groupName, topics, handler, onCommitted }: MemberOptions): Subscription {
  const group = cluster.group(groupName);
  const held = new Map<string, Holding>();
  /** What must have settled before a partition that was lost is restored again. */
  const aftermath = new Map<string, Promise<unknown>>();
  const stopping = new AbortController();
  let waiting: (() => void)[] = [];
  const wakeAll = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  cluster.onAppended(wakeAll);

  const isHeld = (holding: Holding): boolean => held.get(keyOf(holding.id)) === holding;

  function trace(what: 'gains' | 'loses', holdings: readonly Holding[]): void {
    cluster.trace(`  ${process.name} ${what} ${groupName} ${holdings.map(({ id }) => keyOf(id)).join(' ')}`);
  }

  function leaveBehind(id: PartitionId, work: Promise<unknown>): void {
    aftermath.set(keyOf(id), Promise.allSettled([aftermath.get(keyOf(id)), work]));
  }

  async function restore(holdings: readonly Holding[]): Promise<void> {
    await Promise.all(holdings.map(({ id }) => aftermath.get(keyOf(id))));
    for (;;) {
      const wanted = holdings.filter(isHeld);
      if (wanted.length === 0 || stopping.signal.aborted) return;
      const restoring = handler.onAssigned(wanted.map(({ id }) => id));
      for (const { id } of wanted) leaveBehind(id, restoring);
      try {
        await restoring;
        await world.sleep(cluster.latencyMs(), process);
        for (const holding of wanted) if (isHeld(holding)) holding.delivering = deliver(holding);
        return;
      } catch {
        await world.sleep(RETRY_MS, process);
      }
    }
  }

  async function deliver({ id, loss }: Holding): Promise<void> {
    const ended = (): boolean => loss.signal.aborted || stopping.signal.aborted;
    let next = cluster.partitionAt(id).committed(groupName).offset ?? 0;
    while (!ended()) {
      const partition = cluster.partitionAt(id);
      // Created again: from its start, as the Kafka adapter does.
      if (partition.endOffset() < next) next = 0;
      const records = partition.read(next, world.whole(1, MOST_RECORDS), Infinity);
      const last = records.at(-1);
      if (last === undefined) {
        await new Promise<void>((resolve) => { waiting.push(resolve); });
      } else {
        const batch = { ...id, records, endOffset: partition.endOffset(), signal: loss.signal };
        while (!ended()) {
          try {
            await handler.onBatch(batch);
            break;
          } catch {
            await world.sleep(RETRY_MS, process);
          }
        }
        next = last.offset + 1;
        if (world.chance(cluster.faults.redelivered)) next = Math.min(next, cluster.partitionAt(id).committed(groupName).offset ?? 0);
      }
      await world.sleep(cluster.latencyMs(), process);
    }
  }

  async function lose(ids: readonly PartitionId[]): Promise<void> {
    const lost = ids.flatMap((id) => held.get(keyOf(id)) ?? []);
    if (lost.length === 0) return;
    trace('loses', lost);
    for (const { id, loss } of lost) {
      held.delete(keyOf(id));
      loss.abort();
    }
    wakeAll();
    const told = handler.onRevoked(lost.map(({ id }) => id)).catch(() => undefined);
    for (const { id, delivering } of lost) leaveBehind(id, Promise.all([told, delivering]));
    await told;
  }

  const member: Member = {
    process, topics, lose,
    gain(owned) {
      if (stopping.signal.aborted) return;
      const fresh = owned.filter(({ id }) => !held.has(keyOf(id))).map(({ id, term }): Holding => ({ id, term, loss: new AbortController(), delivering: null }));
      for (const holding of fresh) held.set(keyOf(holding.id), holding);
      if (fresh.length === 0) return;
      trace('gains', fresh);
      void restore(fresh);
    },
  };

  const refuse = (id: PartitionId): never => {
    throw new AppError('partition_lost', `${keyOf(id)} belongs to another member now`);
  };

  let closing: Promise<void> | null = null;
  async function leave(drainMs: number): Promise<void> {
    stopping.abort();
    wakeAll();
    const drained = Promise.all([...held.values()].map(({ delivering }) => delivering));
    await Promise.race([drained, world.sleep(drainMs, process)]);
    await lose([...held.values()].map(({ id }) => id));
    group.leave(member);
  }

  world.after(cluster.latencyMs(), () => { if (!stopping.signal.aborted) group.join(member); }, process);
  return {
    async commit(id, nextOffset, metadata = '') {
      const { term } = held.get(keyOf(id)) ?? refuse(id);
      await cluster.request(process, `commit ${keyOf(id)}`, () => {
        if (group.termOf(id) !== term) refuse(id);
        cluster.partitionAt(id).commit(groupName, nextOffset, metadata);
        onCommitted?.(groupName, id, nextOffset);
      });
    },
    async committed(id) {
      await world.sleep(cluster.latencyMs(), process);
      return cluster.partitionAt(id).committed(groupName);
    },
    assigned: () => [...held.values()].map(({ id }) => id),
    close({ drainMs = 10_000 } = {}) {
      closing ??= leave(drainMs);
      return closing;
    },
  };
}
