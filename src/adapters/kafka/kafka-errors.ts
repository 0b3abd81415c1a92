import { AppError, messageOf } from '../../errors.ts';

type KafkaError = { readonly type?: unknown; readonly retriable?: unknown; readonly cause?: unknown; readonly originalError?: unknown; readonly name?: unknown };

/** The producer's sequence numbers and the broker's no longer agree, or its identity is gone: only a new producer helps. */
const producerIsSpent: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER', 'DUPLICATE_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING', 'PRODUCER_FENCED', 'CONCURRENT_TRANSACTIONS', 'INVALID_TXN_STATE',
]);

const tooLarge: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** No retry can help: rights, credentials, names. */
const hopeless: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED', 'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM', 'INVALID_TOPIC_EXCEPTION', 'INVALID_REPLICATION_FACTOR', 'INVALID_PARTITIONS', 'INVALID_CONFIG',
  'POLICY_VIOLATION', 'UNSUPPORTED_VERSION',
]);

const hopelessNames: ReadonlySet<string> = new Set(['KafkaJSSASLAuthenticationError', 'KafkaJSServerDoesNotSupportApiKey', 'KafkaJSNotImplemented']);

/** kafkajs wraps errors in errors; this is the whole chain, outermost first, at most eight. */
function chain(error: unknown): KafkaError[] {
  const found: KafkaError[] = [];
  let next = error;
  while (typeof next === 'object' && next !== null && found.length < 8 && !found.includes(next)) {
    const link: KafkaError = next;
    found.push(link);
    next = link.cause ?? link.originalError;
  }
  return found;
}

/** The protocol's name of the error, as `NOT_LEADER_FOR_PARTITION`; '' where it is none of the protocol's. */
export function errorType(error: unknown): string {
  for (const link of chain(error)) if (typeof link.type === 'string') return link.type;
  return '';
}

export function isProducerSpent(error: unknown): boolean {
  return producerIsSpent.has(errorType(error));
}

export function isTooLarge(error: unknown): boolean {
  return tooLarge.has(errorType(error));
}

export function isHopeless(error: unknown): boolean {
  return hopeless.has(errorType(error)) || chain(error).some((link) => typeof link.name === 'string' && hopelessNames.has(link.name));
}

export function asUnavailable(doing: string, error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('log_unavailable', `Cannot ${doing}: ${messageOf(error)}`, { cause: error });
}
