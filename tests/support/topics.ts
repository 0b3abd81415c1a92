import type { TopicDefinition } from '../../src/ports/record-log.ts';
import { partitionCounts, topics } from '../../topology/topics.ts';

/** Every topic there is, by default with as many partitions as the embedded log gives them. */
export function everyTopic(counts: Readonly<Record<keyof typeof partitionCounts.embedded, number>> = partitionCounts.embedded): TopicDefinition[] {
  return topics.map((topic) => ({ ...topic, partitions: counts[topic.partitions] }));
}
