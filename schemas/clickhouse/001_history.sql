-- What happened: finished races, their stages, the ETAs that were published, and how right they were.
-- Every row carries the record it came from (topic, partition, offset). ingested_at is that record's append time, so
-- that a row read again is the same row; the sort key holds what names a row and never changes for it.
-- non_replicated_deduplication_window: inserts carry a token; one seen within the last 1,000 blocks is not stored again.

CREATE TABLE IF NOT EXISTS races
(
    race_id String,
    attempt UInt32,
    version UInt32,
    source LowCardinality(String),
    title String,
    outcome LowCardinality(String),
    queued_at Nullable(DateTime64(3, 'UTC')),
    started_at DateTime64(3, 'UTC'),
    completed_at DateTime64(3, 'UTC'),
    duration_sec Float64,
    submitted_at DateTime64(3, 'UTC'),
    metadata Map(LowCardinality(String), String),
    client_eta_sec Nullable(Float64),
    revisions UInt32,
    is_correction Bool,
    origin_epoch UInt32,
    origin_partition UInt32,
    origin_offset Int64,
    origin_index UInt32,
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC'),
    INDEX by_race_id race_id TYPE bloom_filter GRANULARITY 4,
    INDEX by_completed_at completed_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (source, race_id, attempt)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- One row per stage of a finished race: a record gives several, so (topic, partition, offset, name, occurrence) is unique.
CREATE TABLE IF NOT EXISTS stages
(
    race_id String,
    attempt UInt32,
    name LowCardinality(String),
    occurrence UInt32,
    version UInt32,
    source LowCardinality(String),
    seq Int32,
    state LowCardinality(String),
    started_at Nullable(DateTime64(3, 'UTC')),
    completed_at Nullable(DateTime64(3, 'UTC')),
    duration_sec Nullable(Float64),
    planned_sec Nullable(Float64),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC'),
    INDEX by_race_id race_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (source, race_id, attempt, name, occurrence)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- A revision sent again after a crash has a later offset: the later one wins.
CREATE TABLE IF NOT EXISTS eta_revisions
(
    race_id String,
    attempt UInt32,
    revision UInt32,
    version UInt64,
    source LowCardinality(String),
    issued_at DateTime64(3, 'UTC'),
    event_at DateTime64(3, 'UTC'),
    state LowCardinality(String),
    started_at Nullable(DateTime64(3, 'UTC')),
    eta_sec Nullable(Float64),
    remaining_sec Nullable(Float64),
    finish_at Nullable(DateTime64(3, 'UTC')),
    p10_sec Nullable(Float64),
    p50_sec Nullable(Float64),
    p90_sec Nullable(Float64),
    confidence Float64,
    deadline_at Nullable(DateTime64(3, 'UTC')),
    deadline_probability Nullable(Float64),
    basis LowCardinality(String),
    reason LowCardinality(String),
    model_version LowCardinality(String),
    cluster_id LowCardinality(Nullable(String)),
    previous_eta_sec Nullable(Float64),
    display_state LowCardinality(String),
    display_finish_at Nullable(DateTime64(3, 'UTC')),
    progress Nullable(Float64),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (race_id, attempt, revision)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- One row per forecast kept of a race that passed or failed: unique by (topic, partition, offset, checkpoint).
-- Canceled and abandoned races have no truth, only a lower bound: they are not here.
CREATE TABLE IF NOT EXISTS forecast_errors
(
    race_id String,
    attempt UInt32,
    checkpoint UInt16,
    version UInt32,
    source LowCardinality(String),
    outcome LowCardinality(String),
    completed_at DateTime64(3, 'UTC'),
    revision UInt32,
    issued_at DateTime64(3, 'UTC'),
    elapsed_sec Float64,
    elapsed_share Float64,
    eta_sec Float64,
    p10_sec Float64,
    p50_sec Float64,
    p90_sec Float64,
    confidence Float64,
    truth_sec Float64,
    error_sec Float64,
    abs_log_ratio Float64,
    is_within20 Bool,
    is_covered Bool,
    basis LowCardinality(String),
    reason LowCardinality(String),
    model_version LowCardinality(String),
    role LowCardinality(String),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC'),
    INDEX by_race_id race_id TYPE bloom_filter GRANULARITY 4,
    INDEX by_completed_at completed_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (source, race_id, attempt, checkpoint)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- Cumulative totals of an input partition; merges leave the last of each minute.
CREATE TABLE IF NOT EXISTS audit
(
    input_partition UInt32,
    epoch UInt32,
    minute DateTime('UTC'),
    version UInt64,
    applied_offset Int64,
    read UInt64,
    applied UInt64,
    late UInt64,
    duplicate UInt64,
    forgotten UInt64,
    rejected UInt64,
    rerouted UInt64,
    skipped UInt64,
    at DateTime64(3, 'UTC'),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (input_partition, epoch, minute)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- Races whose rows must go, for revisions that arrive after their race was forgotten. Outlives the retention of eta-updates.
CREATE TABLE IF NOT EXISTS forgotten
(
    race_id String,
    forgotten_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(forgotten_at)
ORDER BY race_id
TTL toDateTime(forgotten_at) + INTERVAL 14 DAY;

-- By source and day of completion. Durations are those of races that passed or failed. Holds no race, so it has no TTL.
CREATE TABLE IF NOT EXISTS source_stats
(
    source LowCardinality(String),
    day Date,
    races SimpleAggregateFunction(sum, UInt64),
    passed SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64),
    canceled SimpleAggregateFunction(sum, UInt64),
    abandoned SimpleAggregateFunction(sum, UInt64),
    duration_sum_sec SimpleAggregateFunction(sum, Float64),
    duration_min_sec AggregateFunction(minIf, Float64, UInt8),
    duration_max_sec AggregateFunction(maxIf, Float64, UInt8),
    duration_quantiles_sec AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8)
)
ENGINE = AggregatingMergeTree
ORDER BY (source, day)
SETTINGS non_replicated_deduplication_window = 1000;

-- A view sees inserts, not merges: corrections are left out, replays are stopped by the token.
CREATE MATERIALIZED VIEW IF NOT EXISTS source_stats_of_races TO source_stats AS
SELECT
    source,
    toDate(completed_at) AS day,
    count() AS races,
    countIf(outcome = 'passed') AS passed,
    countIf(outcome = 'failed') AS failed,
    countIf(outcome = 'canceled') AS canceled,
    countIf(outcome = 'abandoned') AS abandoned,
    sumIf(duration_sec, outcome IN ('passed', 'failed')) AS duration_sum_sec,
    minIfState(duration_sec, toUInt8(outcome IN ('passed', 'failed'))) AS duration_min_sec,
    maxIfState(duration_sec, toUInt8(outcome IN ('passed', 'failed'))) AS duration_max_sec,
    quantilesTDigestIfState(0.5, 0.95, 0.99)(duration_sec, toUInt8(outcome IN ('passed', 'failed'))) AS duration_quantiles_sec
FROM races
WHERE NOT is_correction
GROUP BY source, day;
