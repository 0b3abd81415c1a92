import { topics, type TopicName } from '../../topology/topics.ts';
import type { GatewayContext } from './context.ts';
import { failure } from './failures.ts';
import { submitForget } from './submit.ts';

export type PurgeResult = {
  /** Ids in the order asked for. */
  readonly purged: string[];
  readonly notFound: string[];
  /** When the last copy in the log has expired; epoch ms. */
  readonly expiresAtMs: number;
  /** Until when a topic may still hold records of the races. */
  readonly remains: readonly { readonly topic: TopicName; readonly untilMs: number }[];
};

/** Ids in one statement: over HTTP they stand in the URL. */
const IDS_PER_QUERY = 100;

/**
 * Forgets races for good. What is live goes at once; the pipeline then writes tombstones to the compacted topics and a
 * Forget to race-history, by which learners drop the samples and the historian deletes the rows. Records that were
 * appended before stay in the topics that only retention cleans: the answer says until when.
 *
 * All or nothing is looked up first: rejects with `history_unavailable`, nothing purged, where it cannot be known whether
 * an id is in history. Idempotent; an id that is gone is not found.
 */
export async function purgeRaces(context: GatewayContext, ids: readonly string[]): Promise<PurgeResult> {
  const wanted = [...new Set(ids)];
  const isLive = (id: string): boolean => context.pending.read(id) !== null;
  const stored = await storedSources(context, wanted, wanted.every(isLive));
  const purged: string[] = [];
  const notFound: string[] = [];
  for (const id of wanted) {
    const sources = stored.get(id) ?? [];
    if (sources.length === 0 && !isLive(id)) notFound.push(id);
    else {
      await submitForget(context, id, sources);
      purged.push(id);
    }
  }
  const nowMs = context.clock.nowMs();
  const remains = topics
    .filter((topic) => holding.has(topic.name) && topic.retentionMs !== null)
    .map(({ name, retentionMs }) => ({ topic: name, untilMs: nowMs + retentionMs! }));
  return { purged, notFound, remains, expiresAtMs: Math.max(...remains.map(({ untilMs }) => untilMs)) };
}

/** Topics with records of a race that no tombstone takes away. */
const holding: ReadonlySet<TopicName> = new Set<TopicName>(['race-updates', 'telemetry', 'race-history', 'dead-letters']);

/** The sources that ClickHouse has a race under, by id. */
async function storedSources(context: GatewayContext, ids: readonly string[], areAllLive: boolean): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  if (context.history === null) {
    if (areAllLive) return found;
    throw failure('history_unavailable', 'Some of the races are not live, and without ClickHouse nobody can tell whether they ever were; nothing was purged');
  }
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
    const rows = await context.history.query<{ race_id: string; sources: string[] }>(
      `SELECT race_id, groupUniqArray(source) AS sources FROM (
         SELECT race_id, source FROM races WHERE has({ids:Array(String)}, race_id)
         UNION ALL SELECT race_id, source FROM eta_revisions WHERE has({ids:Array(String)}, race_id)
       ) GROUP BY race_id`,
      { ids: ids.slice(start, start + IDS_PER_QUERY) },
    );
    for (const row of rows) found.set(row.race_id, row.sources);
  }
  return found;
}
