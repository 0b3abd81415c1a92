import { AppError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SchemaRegistry, Undecodable } from '../../ports/codec.ts';
import type { Logger } from '../../ports/logger.ts';
import type { TopicType } from './topic-type.ts';
import { compileReader } from './value-reader.ts';
import type { ValueReader } from './value-reader.ts';

export type ReaderCacheOptions = {
  readonly registry: SchemaRegistry;
  readonly type: TopicType;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  /** Writer schemas kept; the longest unused go first. */
  readonly capacity: number;
};

/** The readers of one topic, by the id of the writer's schema. */
export type ReaderCache = {
  /** Fetches and compiles what is missing. Rejects with `registry_unavailable`; an id that nobody knows is remembered. */
  prepare(ids: Iterable<number>): Promise<void>;
  /** What is known of an id; undefined = not fetched, or unknown to the registry. */
  find(id: number): ValueReader | Undecodable | undefined;
  /** Takes a schema whose id is known without asking. */
  add(id: number, schemaText: string): void;
  /** Worth a call of prepare. */
  isMissing(id: number): boolean;
};

/** How long the registry is not asked again for an id it does not know, ms: chosen, not tuned; ±20 % at random. */
const UNKNOWN_MS = 30_000;
/** Unknown ids remembered: one batch of garbage fits. */
const MAX_UNKNOWN = 10_000;
/** Requests at once: garbage with 1,000 invented ids must not become 1,000 connections. */
const MAX_REQUESTS = 8;

export function createReaderCache({ registry, type, clock, logger, capacity }: ReaderCacheOptions): ReaderCache {
  const readers = new Map<number, ValueReader | Undecodable>();
  /** Id to the time until which it is not asked for again, epoch ms. */
  const unknown = new Map<number, number>();
  const requests = new Map<number, Promise<void>>();
  // Nearly all records of a topic are of one schema: this saves the order-keeping of the map.
  let lastId = -1;
  let last: ValueReader | Undecodable | undefined;

  const add = (id: number, schemaText: string): void => {
    readers.set(id, compile(id, schemaText));
    unknown.delete(id);
    if (lastId === id) lastId = -1;
    trim(readers, capacity);
  };

  const compile = (id: number, schemaText: string): ValueReader | Undecodable => {
    try {
      return compileReader(schemaText, type);
    } catch (error) {
      const message = `Schema ${id} cannot be read on ${type.topic}: ${messageOf(error)}`;
      logger?.warn({ topic: type.topic, schemaId: id }, message);
      return { code: 'undecodable', message };
    }
  };

  const fetch = async (id: number): Promise<void> => {
    const schemaText = await registry.schemaById(id).catch((error: unknown) => {
      if (error instanceof AppError) throw error;
      throw new AppError('registry_unavailable', `Cannot fetch schema ${id} for ${type.topic}: ${messageOf(error)}`, { cause: error });
    });
    if (schemaText !== null) {
      add(id, schemaText);
      return;
    }
    logger?.warn({ topic: type.topic, schemaId: id }, 'A schema id that the registry does not know');
    unknown.delete(id);
    unknown.set(id, clock.nowMs() + UNKNOWN_MS * (0.8 + 0.4 * Math.random()));
    trim(unknown, MAX_UNKNOWN);
  };

  const fetchOnce = (id: number): Promise<void> => {
    const running = requests.get(id);
    if (running !== undefined) return running;
    const request = fetch(id).finally(() => requests.delete(id));
    requests.set(id, request);
    return request;
  };

  const isMissing = (id: number): boolean => id > 0 && id !== lastId && !readers.has(id) && !(clock.nowMs() < (unknown.get(id) ?? 0));

  return {
    add,
    isMissing,
    async prepare(ids) {
      const missing = [...new Set(ids)].filter(isMissing);
      for (let at = 0; at < missing.length; at += MAX_REQUESTS) {
        await Promise.all(missing.slice(at, at + MAX_REQUESTS).map(fetchOnce));
      }
    },
    find(id) {
      if (id === lastId) return last;
      const found = readers.get(id);
      if (found === undefined) return undefined;
      readers.delete(id);
      readers.set(id, found);
      lastId = id;
      last = found;
      return found;
    },
  };
}

/** Maps keep the order of insertion: the first key is the one longest unused. */
function trim(map: Map<number, unknown>, capacity: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= capacity) return;
    map.delete(oldest);
  }
}
