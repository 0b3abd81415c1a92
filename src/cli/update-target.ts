import { setTimeout as delay } from 'node:timers/promises';
import { AppError, messageOf } from '../errors.ts';
import type { Codec } from '../ports/codec.ts';
import type { RecordLog } from '../ports/record-log.ts';
import { partitionOf } from '../race/partition.ts';
import type { RaceUpdate } from '../race/update.ts';

/**
 * Where updates go: the gateway or the log itself.
 *
 * **Delivery.** At least once: what was sent may be sent again when the answer is not known, and is then counted as a
 * duplicate by the pipeline. `send` calls for the same race must not overlap; the order within one call is kept.
 */
export type UpdateTarget = {
  /** Resolves when all are stored. Rejects with `unavailable` when the target stays away too long. */
  send(updates: readonly RaceUpdate[]): Promise<void>;
  close(): Promise<void>;
  readonly counts: TargetCounts;
};

type TargetCounts = {
  /** Updates sent again after an unknown or refused attempt. */
  resent: number;
  /** Updates that the target refused, by code. */
  readonly rejected: Record<string, number>;
};

/** Limits of one POST /v1/updates. */
const MAX_LINES = 1_000;
const MAX_BODY_BYTES = 1_000_000;
const REQUEST_TIMEOUT_MS = 30_000;
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;

export type HttpTargetOptions = {
  /** How long the server may stay away before `send` gives up, ms; default 60 s. */
  readonly patienceMs?: number;
  /** Ends waiting and requests under way. */
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Sends to POST /v1/updates of a gateway, as NDJSON. Retries while the gateway is away, busy or starting. */
export function httpTarget(server: string, options: HttpTargetOptions = {}): UpdateTarget {
  const counts: TargetCounts = { resent: 0, rejected: {} };
  const { patienceMs = 60_000, signal, headers = {} } = options;
  const deliver = async (lines: readonly string[]): Promise<void> => {
    let deadlineMs: number | null = null;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
      const answer = await postUpdates(server, lines, signal === undefined ? { headers } : { headers, signal });
      if (answer.kind === 'stored') {
        for (const { code } of answer.rejected) counts.rejected[code] = (counts.rejected[code] ?? 0) + 1;
        return;
      }
      if (answer.kind === 'refused') throw new AppError('invalid_request', `${server} refused updates: ${answer.message}`);
      deadlineMs ??= performance.now() + patienceMs;
      if (signal?.aborted || performance.now() + pauseMs > deadlineMs) {
        throw new AppError('unavailable', `Cannot send updates to ${server}: ${answer.message}`);
      }
      // A wait that the signal ends is followed by one last attempt, which ends at once.
      await delay(Math.max(pauseMs, answer.retryAfterMs), undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      counts.resent += lines.length;
    }
  };
  return {
    counts,
    async send(updates) {
      for (const lines of chunksOf(updates.map(encodeLine), (line) => Buffer.byteLength(line) + 1, MAX_LINES, MAX_BODY_BYTES)) await deliver(lines);
    },
    async close() {
      // Nothing is held: connections are the HTTP agent's.
    },
  };
}

/** What became of one POST: taken (but for the lines it names), refused for good, or worth another try. */
export type PostAnswer =
  | { readonly kind: 'stored'; readonly rejected: readonly { readonly code: string; readonly message: string }[] }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'away'; readonly message: string; readonly retryAfterMs: number };

export type PostOptions = { readonly signal?: AbortSignal; readonly timeoutMs?: number; readonly headers?: Readonly<Record<string, string>> };

/** One attempt to store lines of `encodeLine`. Never rejects. */
export async function postUpdates(server: string, lines: readonly string[], options: PostOptions = {}): Promise<PostAnswer> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(`${server}/v1/updates`, {
      method: 'POST',
      headers: { ...options.headers, 'content-type': 'application/x-ndjson' },
      body: `${lines.join('\n')}\n`,
      signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
    });
    const text = await response.text();
    const rejected = rejectedIn(text);
    // 400 with line errors: every line was looked at and refused, which is as final as 200 with some refused.
    if (response.ok || (response.status === 400 && rejected.length > 0)) return { kind: 'stored', rejected };
    const message = `${response.status} ${text.slice(0, 300).trim()}`;
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      return { kind: 'away', message, retryAfterMs: Math.min(60, Number(response.headers.get('retry-after')) || 0) * 1_000 };
    }
    return { kind: 'refused', message };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { kind: 'away', message: messageOf(cause) || 'no connection', retryAfterMs: 0 };
  }
}

/** The refused lines that an answer names: `{ accepted, rejected_total, rejected: [{ line, code, message }] }`. */
function rejectedIn(text: string): readonly { code: string; message: string }[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return [];
  }
  const rejected = typeof body === 'object' && body !== null && 'rejected' in body ? body.rejected : null;
  if (!Array.isArray(rejected)) return [];
  return rejected.filter((item: unknown) => typeof item === 'object' && item !== null)
    .map((item: { code?: unknown; message?: unknown }) => ({ code: String(item.code ?? 'unknown'), message: String(item.message ?? '') }));
}

/** An update as a line of JSON; fields that say nothing (null) are left out, removed metadata keys are kept. */
export function encodeLine(update: RaceUpdate): string {
  const { metadata, ...rest } = update;
  const text = JSON.stringify(rest, (_key, value: unknown) => (value === null ? undefined : value));
  return metadata === null ? text : `${text.slice(0, -1)},"metadata":${JSON.stringify(metadata)}}`;
}

/** The log's limit for one append is 900 KB with keys and framing. */
const MAX_APPEND_BYTES = 800_000;

/** Appends to race-updates directly, each update on its race's partition. */
export function logTarget(log: RecordLog, codec: Codec): UpdateTarget {
  return {
    counts: { resent: 0, rejected: {} },
    async send(updates) {
      const count = await log.partitionCount('race-updates');
      const byPartition = Map.groupBy(updates, (update) => partitionOf(update.race_id, count));
      await Promise.all([...byPartition].map(async ([partition, list]) => {
        const records = list.map((update) => ({ key: Buffer.from(update.race_id), value: codec.encode('race-updates', update) }));
        for (const chunk of chunksOf(records, (record) => record.key.length + record.value.length + 100, MAX_LINES, MAX_APPEND_BYTES)) {
          await log.append('race-updates', partition, chunk);
        }
      }));
    },
    close: () => log.close(),
  };
}

/** Consecutive pieces of at most `maxItems` and `maxBytes`; an item above `maxBytes` goes alone. */
export function* chunksOf<T>(items: readonly T[], bytesOf: (item: T) => number, maxItems: number, maxBytes: number): Generator<T[]> {
  let chunk: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (chunk.length > 0 && (chunk.length === maxItems || bytes + size > maxBytes)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
