import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type registryApi from '@kafkajs/confluent-schema-registry/dist/api/index.js';
import { AppError, messageOf } from '../../errors.ts';
import type { SchemaRegistry } from '../../ports/codec.ts';
import type { Logger } from '../../ports/logger.ts';

// Only the REST client of the library: its `register` refuses unions ("Invalid name"), its `getSchema` keeps every
// schema for ever and gives back a parsed type, and neither lets a caller tell a refusal from a broken connection.
// Required, not imported: Node and Vite disagree on what the default import of such a CommonJS module is.
const createApi = (createRequire(import.meta.url)('@kafkajs/confluent-schema-registry/dist/api/index.js') as typeof registryApi).default;

export type ConfluentRegistryOptions = {
  /** Base of the API, such as http://registry:8081 or Apicurio's .../apis/ccompat/v7. A user in it counts as below. */
  readonly url: string;
  /** Empty = no authentication. */
  readonly username: string;
  readonly password: string;
  readonly logger?: Logger;
  /** Most time for one request, ms; default 5,000. */
  readonly requestTimeoutMs?: number;
  /** Tries of one request before `registry_unavailable`; default 4, about a second apart in all. */
  readonly attempts?: number;
};

const CLIENT_ID = 'raceline';
const FIRST_RETRY_MS = 100;
const FORBIDDEN: ReadonlySet<number> = new Set([401, 403]);
/** Levels that promise at least what BACKWARD does: whoever set one of these meant it. */
const STRICT_LEVELS: ReadonlySet<string> = new Set(['BACKWARD', 'BACKWARD_TRANSITIVE', 'FULL', 'FULL_TRANSITIVE']);

/**
 * A registry that speaks Confluent's REST API (Confluent, Apicurio's ccompat, Karapace, Redpanda).
 *
 * `register` looks the schema up first, so that a user without the right to write can run on schemas registered
 * beforehand; a subject's level is set to BACKWARD before its first version unless it is stricter already, since
 * Apicurio checks nothing by default. Rejects with `schema_incompatible` when the registry refuses the schema (409, 422),
 * else with `registry_unavailable`: unreachable, no answer in time, 5xx, wrong path, wrong user.
 * `schemaById` gives null for an id the registry says it does not know, and for a schema that is not Avro.
 */
export function confluentRegistry(options: ConfluentRegistryOptions): SchemaRegistry {
  const { logger, requestTimeoutMs: timeout = 5_000, attempts = 4 } = options;
  const { host, auth } = splitUrl(options);
  // Own retries below: the library's treat a broken connection as the client's fault, status 400.
  const api = createApi({ host, clientId: CLIENT_ID, retry: { retries: 0 }, ...(auth === null ? {} : { auth }) });

  const ask = async <T>(what: string, request: () => Promise<{ data(): T }>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await request();
        return answer.data();
      } catch (error) {
        const failure = classify(error);
        if (failure.kind === 'refused') throw new Refusal(failure.status, failure.message);
        if (attempt >= attempts || !failure.again) throw new AppError('registry_unavailable', `Cannot ${what} at ${host}: ${failure.message}`, { cause: error });
        logger?.warn({ what, attempt, problem: failure.message }, 'The schema registry does not answer, trying again');
        await sleep(FIRST_RETRY_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
      }
    }
  };

  const lookUp = async (subject: string, schema: string): Promise<number | null> => {
    try {
      return idOf(await ask(`look up the schema of ${subject}`, () => api.Subject.registered({ subject, timeout, body: { schema } })), host);
    } catch (error) {
      if (error instanceof Refusal && error.status !== 422) return null;
      throw error;
    }
  };

  const isStrict = async (subject: string): Promise<boolean> => {
    const level = await ask<{ compatibilityLevel?: string }>(`look up the compatibility of ${subject}`, () => api.Subject.config({ subject, timeout })).catch((error: unknown) => {
      if (error instanceof Refusal && error.status === 404) return { compatibilityLevel: '' };
      throw error;
    });
    return STRICT_LEVELS.has(level.compatibilityLevel?.toUpperCase() ?? '');
  };

  const setLevel = async (subject: string): Promise<void> => {
    if (await isStrict(subject)) return;
    try {
      await ask(`set the compatibility of ${subject}`, () => api.Subject.updateConfig({ subject, timeout, body: { compatibility: 'BACKWARD' } }));
    } catch (error) {
      // Apicurio refuses the slower of two instances that set it at the same moment.
      if (!(error instanceof Refusal) || !(await isStrict(subject))) throw error;
    }
  };

  // A 404 from a wrong path or an emptied registry would turn every good record into a dead letter. So it counts only
  // while the same address still knows what it knew before.
  let registeredId: number | null = null;
  const knowsAnything = async (): Promise<boolean> => {
    const id = registeredId;
    try {
      await (id === null ? ask('list subjects', () => api.Subject.all({ timeout })) : ask(`fetch schema ${id}`, () => api.Schema.find({ id, timeout })));
      return true;
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  };

  const registerNew = async (subject: string, schema: string): Promise<number> => {
    try {
      return idOf(await ask(`register the schema of ${subject}`, () => api.Subject.register({ subject, timeout, body: { schema } })), host);
    } catch (error) {
      // Also what Apicurio tells the slower of two instances that register the same new subject at the same moment.
      const known = error instanceof Refusal && error.status === 409 ? await lookUp(subject, schema) : null;
      if (known === null) throw error;
      return known;
    }
  };

  return {
    async register(subject, schema) {
      try {
        const known = await lookUp(subject, schema);
        try {
          await setLevel(subject);
        } catch (error) {
          if (known === null || !(error instanceof Refusal)) throw error;
          logger?.warn({ subject, problem: error.message }, 'The compatibility level of a subject cannot be set');
        }
        registeredId = known ?? await registerNew(subject, schema);
        return registeredId;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.status === 409 || error.status === 422) throw new AppError('schema_incompatible', `The schema of ${subject} is refused: ${error.message}`, { cause: error });
        throw new AppError('registry_unavailable', `Cannot register the schema of ${subject} at ${host}: ${error.message}`, { cause: error });
      }
    },

    async inspect(subject, schema) {
      try {
        if (await lookUp(subject, schema) !== null) return 'registered';
        const answer = await ask<{ is_compatible?: unknown }>(`compare the schema of ${subject}`, () => api.Subject.compatible({ subject, timeout, body: { schema } }));
        return answer.is_compatible === false ? 'incompatible' : 'missing';
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        // No such subject, so nothing to be compatible with.
        if (error.status === 404) return 'missing';
        if (error.status === 409 || error.status === 422) return 'incompatible';
        throw new AppError('registry_unavailable', `Cannot compare the schema of ${subject} at ${host}: ${error.message}`, { cause: error });
      }
    },

    async schemaById(id) {
      try {
        const found = await ask<{ schema?: unknown; schemaType?: string }>(`fetch schema ${id}`, () => api.Schema.find({ id, timeout }));
        if (typeof found.schema !== 'string') throw new AppError('registry_unavailable', `Cannot fetch schema ${id} at ${host}: the answer has no schema`);
        if (found.schemaType === undefined || found.schemaType === 'AVRO') return found.schema;
        logger?.warn({ schemaId: id, schemaType: found.schemaType }, 'A schema that is not Avro');
        return null;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.status === 404 && await knowsAnything()) return null;
        throw new AppError('registry_unavailable', `Cannot fetch schema ${id} at ${host}: ${error.message}`, { cause: error });
      }
    },
  };
}

/** The registry has answered, and the answer is no. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

type Failure = { readonly kind: 'refused'; readonly status: number; readonly message: string } | { readonly kind: 'unavailable'; readonly again: boolean; readonly message: string };

/**
 * A registry's refusal is JSON with a message, which the client passes on as it is. What it words itself as "Error,
 * status N: ..." came from elsewhere: 400 is a broken connection, 404 with a page in it is a proxy or a wrong path.
 */
function classify(error: unknown): Failure {
  const message = messageOf(error).replace(`${CLIENT_ID} - `, '');
  const status = typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number' ? error.status : 0;
  const worded = /^Error, status \d+/.test(message);
  if (FORBIDDEN.has(status)) return { kind: 'refused', status, message: `status ${status}: ${message}` };
  const again = status === 0 || status === 400 || status === 408 || status === 429 || status >= 500;
  if (worded || (again && status !== 400)) return { kind: 'unavailable', again, message };
  return { kind: 'refused', status, message };
}

function idOf(answer: unknown, host: string): number {
  if (typeof answer === 'object' && answer !== null && 'id' in answer && typeof answer.id === 'number') return answer.id;
  throw new AppError('registry_unavailable', `Cannot register a schema at ${host}: the answer has no id`);
}

function splitUrl({ url, username, password }: ConfluentRegistryOptions): { readonly host: string; readonly auth: { readonly username: string; readonly password: string } | null } {
  const parsed = new URL(url);
  const user = username === '' ? decodeURIComponent(parsed.username) : username;
  const secret = username === '' ? decodeURIComponent(parsed.password) : password;
  parsed.username = '';
  parsed.password = '';
  return { host: parsed.href.replace(/\/+$/, ''), auth: user === '' ? null : { username: user, password: secret } };
}
