import type { LogFinding, TopicDefinition } from '../../ports/record-log.ts';

/** What of the declared topics is missing or otherwise. */
export function compareTopics(found: readonly TopicDefinition[], declared: readonly TopicDefinition[]): LogFinding[] {
  const findings: LogFinding[] = [];
  for (const topic of declared) {
    const add = (problem: string, remedy: string, isMissing = false): void => { findings.push({ topic: topic.name, isMissing, problem, remedy }); };
    const stored = found.find((one) => one.name === topic.name);
    if (stored === undefined) add('it does not exist', 'Run: raceline topics apply', true);
    else if (stored.partitions !== topic.partitions) add(`it has ${stored.partitions} partitions, ${topic.partitions} are declared`, 'Start with a new RACELINE_DATA_DIR: keys would move');
    else if (stored.cleanup !== topic.cleanup || stored.retentionMs !== topic.retentionMs || stored.minCompactionLagMs !== topic.minCompactionLagMs) add('its cleanup or retention is another than declared', 'Run: raceline topics apply');
  }
  return findings;
}
