import type { TopicName } from '../../../topology/topics.ts';

/**
 * Which member gets what: partition p of a topic goes to the member p mod n of the n that read the topic, so members
 * that read the same topics get the same partition numbers of each. Members are in the order of joining.
 * Pure; O(topics x partitions).
 */
export function assignPartitions<Member extends { readonly topics: readonly TopicName[] }>(
  members: readonly Member[],
  partitionCount: (topic: TopicName) => number,
): Map<Member, { topic: TopicName; partition: number }[]> {
  const assignment = new Map<Member, { topic: TopicName; partition: number }[]>(members.map((member) => [member, []]));
  const topics = new Set(members.flatMap((member) => member.topics));
  for (const topic of topics) {
    const readers = members.filter((member) => member.topics.includes(topic));
    for (let partition = 0; partition < partitionCount(topic); partition += 1) {
      assignment.get(readers[partition % readers.length]!)!.push({ topic, partition });
    }
  }
  return assignment;
}
