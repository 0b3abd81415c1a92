import kafkajs, { type GroupMember, type GroupMemberAssignment, type PartitionAssigner } from 'kafkajs';

const NAME = 'raceline-sticky';
const VERSION = 1;

/**
 * Which member gets which partition numbers: partition p of every topic goes to one member, shares differ by one at
 * most, and members keep what they have as far as that allows. Equal input gives equal output: members are taken in
 * the order of their ids. O(members · partitions).
 */
export function sharePartitions(members: readonly { readonly id: string; readonly owned: readonly number[] }[], partitions: number): Map<string, number[]> {
  const ordered = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const shares = new Map<string, number[]>(ordered.map((member) => [member.id, []]));
  if (ordered.length === 0) return shares;
  const least = Math.floor(partitions / ordered.length);
  let largerShares = partitions % ordered.length;
  const taken = new Set<number>();
  // Whoever owns more comes first, so that the larger shares stay where they are.
  for (const member of ordered.toSorted((a, b) => b.owned.length - a.owned.length)) {
    const kept = [...new Set(member.owned)].filter((partition) => Number.isInteger(partition) && partition >= 0 && partition < partitions && !taken.has(partition)).sort((a, b) => a - b);
    const quota = kept.length > least && largerShares > 0 ? least + 1 : least;
    if (quota > least) largerShares -= 1;
    for (const partition of kept.slice(0, quota)) {
      taken.add(partition);
      shares.get(member.id)?.push(partition);
    }
  }
  for (let partition = 0; partition < partitions; partition += 1) {
    if (taken.has(partition)) continue;
    const [smallest] = [...shares.values()].sort((a, b) => a.length - b.length);
    smallest?.push(partition);
  }
  for (const share of shares.values()) share.sort((a, b) => a - b);
  return shares;
}

/** The group protocol for `sharePartitions`; `ownedNow` is asked at every join. Topics are Kafka's names. */
export function stickyAssigner(ownedNow: () => readonly number[]): PartitionAssigner {
  return ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({ version: VERSION, topics, userData: Buffer.from(JSON.stringify(ownedNow())) }),
    }),
    async assign({ members, topics }): Promise<GroupMemberAssignment[]> {
      const counts = topics.map((topic) => ({ topic, partitions: cluster.findTopicPartitionMetadata(topic).map((found) => found.partitionId) }));
      const most = Math.max(0, ...counts.map(({ partitions }) => partitions.length));
      const shares = sharePartitions(members.map((member) => ({ id: member.memberId, owned: readOwned(member) })), most);
      return members.map(({ memberId }) => {
        const share = new Set(shares.get(memberId));
        const assignment = Object.fromEntries(counts.map(({ topic, partitions }) => [topic, partitions.filter((partition) => share.has(partition))]));
        return { memberId, memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({ version: VERSION, assignment, userData: Buffer.alloc(0) }) };
      });
    },
  });
}

/** What a member says that it has; nothing where it says something else. */
function readOwned(member: GroupMember): number[] {
  try {
    const owned: unknown = JSON.parse(kafkajs.AssignerProtocol.MemberMetadata.decode(member.memberMetadata)?.userData.toString() ?? '[]');
    return Array.isArray(owned) ? owned.filter((partition): partition is number => Number.isInteger(partition)) : [];
  } catch {
    return [];
  }
}
