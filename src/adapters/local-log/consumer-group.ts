import { assignPartitions } from './assign-partitions.ts';
import { makeGroupMember } from './group-member.ts';
import { nextTurn } from './waiting.ts';
import type { GroupMember, GroupMemberOptions } from './group-member.ts';
import type { Subscription } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

export type ConsumerGroup = {
  join(options: Omit<GroupMemberOptions, 'onLeft'>): Subscription;
  members(): readonly Subscription[];
};

/**
 * The subscriptions of one group name. When members come or go, partitions move in two steps: first those who lose
 * some are told, then the others take them.
 */
export function makeConsumerGroup(partitionCount: (topic: TopicName) => number): ConsumerGroup {
  let members: readonly GroupMember[] = [];
  let isRebalancing = false;

  const rebalance = async (): Promise<void> => {
    if (isRebalancing) return;
    isRebalancing = true;
    // Whoever joins has the subscription in hand before its first assignment, and those who join together move once.
    await nextTurn();
    for (let done: readonly GroupMember[] | null = null; done !== members;) {
      done = members;
      const assignment = assignPartitions(members, partitionCount);
      await Promise.all([...assignment].map(([member, partitions]) => member.releaseAllBut(partitions)));
      if (done !== members) continue;
      for (const [member, partitions] of assignment) member.acquire(partitions);
    }
    isRebalancing = false;
  };

  const change = (next: readonly GroupMember[]): void => {
    members = next;
    void rebalance();
  };

  return {
    members: () => members,
    join(options) {
      const member = makeGroupMember({ ...options, onLeft: (left) => { change(members.filter((one) => one !== left)); } });
      change([...members, member]);
      return member;
    },
  };
}
