import type { TopicName } from '../../topology/topics.ts';

/** A value as decoded. `kind` names the branch where the schema is a union (`RaceState`, `FinishedRace`...). */
export type Decoded<T = unknown> = { readonly kind: string; readonly value: T };

/** Bytes that cannot be read, for good: to dead-letters with this code. */
export type Undecodable = { readonly code: 'undecodable' | 'unknown_schema'; readonly message: string };

/**
 * Values of topics to and from bytes: Avro in Confluent framing; JSON is recognised on reading.
 * Synchronous on the hot path: `prepare` fetches what `decode` will need.
 */
export type Codec = {
  /** Registers the writer schemas of all topics. Rejects with `registry_unavailable` or `schema_incompatible`. */
  register(): Promise<void>;
  /** What the registry has of the writer schemas of all topics; registers nothing. Rejects with `registry_unavailable`. */
  inspect(): Promise<readonly { readonly subject: string; readonly state: SchemaState }[]>;
  /**
   * Makes sure that the schemas these values were written with are known. Call once a batch.
   * Rejects with `registry_unavailable` (retry the batch); an id that the registry does not know is not an error here.
   */
  prepare(topic: TopicName, values: readonly (Buffer | null)[]): Promise<void>;
  /** Never throws: bytes that cannot be read are a value. `raw` = JSON, whose field types are not yet checked. */
  decode(topic: TopicName, bytes: Buffer): { readonly decoded: Decoded; readonly raw: boolean } | { readonly error: Undecodable };
  /** `kind` is needed where the topic's schema is a union. Throws on a value that does not fit (a bug). */
  encode(topic: TopicName, value: unknown, kind?: string): Buffer;
};

/** `missing` = not registered, but it could be. */
export type SchemaState = 'registered' | 'missing' | 'incompatible';

/** A schema registry: Confluent's REST API, or the checked-in table of the embedded default. */
export type SchemaRegistry = {
  /** Registers (or finds) the schema under the subject; returns its id. */
  register(subject: string, schema: string): Promise<number>;
  /** Changes nothing. Rejects with `registry_unavailable`. */
  inspect(subject: string, schema: string): Promise<SchemaState>;
  /** null = no such id. Rejects with `registry_unavailable`. */
  schemaById(id: number): Promise<string | null>;
};
