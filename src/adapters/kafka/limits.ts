// Numbers of the Kafka adapter in one place. "Chosen" means chosen, not tuned.

/** Largest append, bytes of keys, values and headers together (the port's 900 KB). */
export const MAX_APPEND_BYTES = 900 * 1024;
/** Largest append with framing counted, so that it fits `max.message.bytes`; matters for tens of thousands of tiny records. */
export const MAX_FRAMED_BYTES = 1_000_000;
/** Bytes a record costs beside key, value and headers, at most (record batch format 2: varints, attributes, counts). */
export const RECORD_FRAME_BYTES = 16;
/** `max.message.bytes` of created topics. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/**
 * Queued appends of one partition travel in one send up to these. kafkajs copies the n records of a send n²/2 times:
 * sends of 2,000 took 1.6 times the CPU per record that sends of 1,000 took.
 */
export const MERGE_MAX_BYTES = 512 * 1024;
export const MERGE_MAX_RECORDS = 1_000;

/**
 * Producers beside one another. Each has one send in flight; a partition always uses the same one. With 4, revisions of 24
 * partitions waited for each other: at 2,000 updates/s half of them took 2.3 times as long as in a bare loop, with 12 1.8 times.
 */
export const LANES = 8;
/** No send is begun later than this after its `append`, ms. Chosen: outlives a leader election by far. */
export const APPEND_DEADLINE_MS = 45_000;

/** ms. A dead broker is noticed at once by its closed socket; these are for one that hangs. */
export const CONNECT_TIMEOUT_MS = 5_000;
export const REQUEST_TIMEOUT_MS = 15_000;
/** Tries inside one kafkajs `send`, beyond the first. */
export const SEND_RETRIES = 1;
/** A send begun at the deadline may go on this long: every try a connection and a request. */
export const ZOMBIE_WINDOW_MS = APPEND_DEADLINE_MS + (SEND_RETRIES + 1) * (CONNECT_TIMEOUT_MS + REQUEST_TIMEOUT_MS);

/** Longest wait of a fetch, ms: bounds how late a resumed partition and a close are noticed. */
export const FETCH_WAIT_MS = 250;
export const FETCH_PARTITION_BYTES = 1_048_576;
export const FETCH_BYTES = 4 * 1_048_576;

/**
 * How long members have to join again. A member does within a heartbeat or two, whatever its handlers do. kafkajs waits
 * 5 s longer than this for the answer to a join, and a coordinator that is moved may lose it: with a minute here, a group
 * stood still for a minute.
 */
export const REBALANCE_TIMEOUT_MS = 15_000;
/** What kafkajs waits for the answer to a join beyond that, ms. */
export const JOIN_GRACE_MS = 5_000;
/** Also how late a member notices that others have come or gone. */
export const HEARTBEAT_MS = 1_000;
export const METADATA_MAX_AGE_MS = 60_000;

/** A partition's queue is full at either of these, and takes more again below half. */
export const QUEUE_MAX_BYTES = 2 * 1_048_576;
export const QUEUE_MAX_RECORDS = 10_000;
/** How long a full queue holds up its broker's fetches before its partition is paused, ms. Chosen: see partition-queue.ts. */
export const FULL_QUEUE_WAIT_MS = 50;
export const DEFAULT_BATCH_RECORDS = 1_000;

/** A commit that the coordinator refuses is tried again this long, ms. */
export const COMMIT_DEADLINE_MS = 60_000;
/** Default of `Subscription.close`, ms. */
export const DEFAULT_DRAIN_MS = 10_000;
/** Looking up offsets, creating topics, first connection: tried again this long, ms. */
export const ADMIN_DEADLINE_MS = 30_000;
