import kafkajs, { type LogEntry, type logCreator, type logLevel } from 'kafkajs';
import type { Logger } from '../../ports/logger.ts';

/** What may be passed on of kafkajs's log fields: none of these can hold a credential or a payload. */
const passedOn = ['broker', 'clientId', 'correlationId', 'groupId', 'memberId', 'topic', 'partition', 'error', 'retryCount', 'retryTime', 'size'] as const;

/** Said on every producer whose retries are bounded; ours is discarded when they run out, which is what it asks for. */
const EXPECTED_WARNING = 'Limiting retries for the idempotent producer';

/** Answers of brokers while leaders and coordinators are elected, each tried again: our own lines say what lasts. */
const passing: ReadonlySet<unknown> = new Set([
  'This server does not host this topic-partition',
  'There is no leader for this topic-partition as we are in the middle of a leadership election',
  'This server is not the leader for that topic-partition',
  "The coordinator is loading and hence can't process requests for this group",
  'The group coordinator is not available',
  'This is not the correct coordinator for this group',
  'The group is rebalancing, so a rejoin is needed',
]);

/**
 * kafkajs's log lines on our logger. Its errors become warnings: it retries them, and what it cannot make good comes
 * to us as a rejection. `secrets` are cut out of every text.
 */
export function bridgeLogs(logger: Logger, secrets: readonly string[]): logCreator {
  const clean = (text: string): string => secrets.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '***')), text);
  return (_level: logLevel) => ({ namespace, level, log }: LogEntry): void => {
    if (log.message.includes(EXPECTED_WARNING)) return;
    const details: Record<string, unknown> = { from: `kafkajs ${namespace}` };
    for (const name of passedOn) {
      const value: unknown = log[name];
      if (typeof value === 'string') details[name] = clean(value);
      else if (typeof value === 'number') details[name] = value;
    }
    const message = clean(log.message);
    const isPassing = message.startsWith('Response ') && passing.has(details['error']);
    if (level <= kafkajs.logLevel.WARN && !isPassing) logger.warn(details, message);
    else logger.debug(details, message);
  };
}
