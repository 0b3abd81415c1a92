import type { TopicName } from '../../../topology/topics.ts';
import type { PartitionId } from '../../../src/ports/record-log.ts';
import type { Process, World } from './world.ts';

/** A partition with the number of its assignment: a member that lost it and has it again has another one. */
export type Owned = { readonly id: PartitionId; readonly term: number };

/** A member as the coordinator sees it. */
export type Member = {
  readonly process: Process;
  readonly topics: readonly TopicName[];
  /** Told after the fact; resolves when its handler has been told. */
  lose(partitions: readonly PartitionId[]): Promise<void>;
  gain(partitions: readonly Owned[]): void;
};

export type GroupOptions = { readonly world: World; readonly partitionCount: (topic: TopicName) => number; readonly zombieWindowMs: number };

export type Group = ReturnType<typeof createGroup>;

/**
 * The coordinator of one group. A partition moves either politely, the new owner told when the old one has let go, or
 * abruptly: the old one hears of it late and goes on working meanwhile.
 */
export function createGroup({ world, partitionCount, zombieWindowMs }: GroupOptions) {
  let members: Member[] = [];
  const owners = new Map<string, Owned & { readonly member: Member }>();
  let terms = 0;
  const commands = new Map<string, Promise<void>>();
  const gone = new Map<Member, PromiseWithResolvers<void>>();
  let isFrozen = false;

  /** Gives every partition an owner; with `churn` some move although they need not. */
  function rebalance(churn: number, abrupt: boolean): void {
    if (isFrozen) return;
    const alive = members.filter(({ process }) => process.isAlive);
    const losses = new Map<Member, PartitionId[]>();
    const gains = new Map<Member, (Owned & { readonly from: Member | null })[]>();
    for (const topic of new Set(alive.flatMap((member) => member.topics))) {
      const readers = alive.filter((member) => member.topics.includes(topic));
      for (let partition = 0; partition < partitionCount(topic); partition++) {
        const id = { topic, partition };
        const from = owners.get(keyOf(id))?.member ?? null;
        const keeps = from !== null && readers.includes(from) && !world.chance(churn);
        const to = keeps ? from : world.pick(readers);
        // Lost and given back to the same member: nothing moves, as far as the coordinator can tell.
        if (to === from) continue;
        owners.set(keyOf(id), { id, term: ++terms, member: to });
        if (from !== null) pushTo(losses, from, id);
        pushTo(gains, to, { id, term: terms, from });
      }
    }
    for (const [member, ids] of losses) {
      const delayMs = world.between(1, abrupt ? zombieWindowMs / 2 : 30);
      command(member, ids, Promise.resolve(), delayMs, () => member.lose(ids));
    }
    for (const [member, list] of gains) {
      const ids = list.map(({ id }) => id);
      const polite = abrupt ? [] : list.map(({ id, from }) => from?.process.isAlive ? lastCommand(from, id) : undefined);
      command(member, ids, Promise.all(polite), world.between(1, 30), async () => {
        const still = list.filter(({ id, term }) => owners.get(keyOf(id))?.term === term);
        if (still.length > 0) member.gain(still);
      });
    }
  }

  /** Members hear of one partition's moves in the order in which they were decided. */
  function command(member: Member, ids: readonly PartitionId[], condition: Promise<unknown>, delayMs: number, run: () => Promise<void>): void {
    const before = Promise.all([condition, ...ids.map((id) => lastCommand(member, id))]);
    const carriedOut = before.then(() => world.sleep(delayMs)).then(() => member.process.isAlive ? run() : undefined);
    // Nobody waits for the answer of a member that has left.
    const done = Promise.race([carriedOut, goneOf(member).promise]);
    for (const id of ids) commands.set(`${member.process.name} ${keyOf(id)}`, done);
  }

  function goneOf(member: Member): PromiseWithResolvers<void> {
    let leaving = gone.get(member);
    if (leaving === undefined) gone.set(member, leaving = Promise.withResolvers<void>());
    return leaving;
  }

  function lastCommand(member: Member, id: PartitionId): Promise<void> | undefined {
    return commands.get(`${member.process.name} ${keyOf(id)}`);
  }

  return {
    ownerOf: (id: PartitionId): Member | undefined => owners.get(keyOf(id))?.member,
    /** The assignment in force; commits of any other are refused. */
    termOf: (id: PartitionId): number | undefined => owners.get(keyOf(id))?.term,
    join(member: Member): void {
      members = [...members, member];
      rebalance(0.4, world.chance(0.3));
    },
    /** The member is gone, by its own word or because nothing is heard of it any more. */
    leave(member: Member): void {
      if (!members.includes(member)) return;
      members = members.filter((one) => one !== member);
      goneOf(member).resolve();
      for (const [key, owner] of owners) if (owner.member === member) owners.delete(key);
      if (members.length > 0) rebalance(0.1, false);
    },
    /** What session timeouts do. */
    dropDead(): void {
      for (const member of members) if (!member.process.isAlive) this.leave(member);
    },
    rebalance,
    /** From now on partitions stay where they are. */
    freeze(): void {
      isFrozen = true;
    },
  };
}

export function keyOf({ topic, partition }: PartitionId): string {
  return `${topic}/${partition}`;
}

function pushTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
