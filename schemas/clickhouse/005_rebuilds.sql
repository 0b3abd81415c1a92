-- Rebuilds of clusters, one row each: what was asked, what was found, and why it was accepted or not. Holds no race, so it
-- has no TTL. status: running, accepted, refused, failed, cancelled, skipped. Losses are means of |ln(forecast / truth)| at
-- submission over races that the rebuild had not seen, by the new clusters and by what was in force (in_force_).
CREATE TABLE IF NOT EXISTS rebuilds
(
    source LowCardinality(String),
    request_id String,
    row_version UInt64,
    trigger LowCardinality(String),
    requested_by String,
    detail String,
    status LowCardinality(String),
    message String,
    started_at DateTime64(3, 'UTC'),
    finished_at Nullable(DateTime64(3, 'UTC')),
    version String,
    races UInt32,
    unseen UInt32,
    distinct UInt32,
    clusters UInt32,
    eps Nullable(Float64),
    eps_rule LowCardinality(String),
    exact Bool,
    distance_calls UInt64,
    noise_ratio Nullable(Float64),
    cohesion Nullable(Float64),
    silhouette Nullable(Float64),
    agreement Nullable(Float64),
    judged UInt32,
    loss Nullable(Float64),
    in_force_loss Nullable(Float64),
    loss_difference Nullable(Float64),
    loss_difference_error Nullable(Float64),
    mae_sec Nullable(Float64),
    in_force_mae_sec Nullable(Float64),
    within20 Nullable(Float64),
    in_force_within20 Nullable(Float64),
    coverage Nullable(Float64),
    in_force_coverage Nullable(Float64),
    checks String,
    stage_ms Map(String, UInt32),
    watch_error_ratio Nullable(Float64),
    watch_cohesion Nullable(Float64),
    watch_noise_ratio Nullable(Float64)
)
ENGINE = ReplacingMergeTree(row_version)
ORDER BY (source, request_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- Decisions of rollouts in their order: which version went into which stage, and why. source * is the phase.
CREATE TABLE IF NOT EXISTS model_swaps
(
    decided_at DateTime64(3, 'UTC'),
    source LowCardinality(String),
    stage LowCardinality(String),
    version String,
    share Float64,
    previous Nullable(String),
    kind LowCardinality(String),
    reason String
)
ENGINE = ReplacingMergeTree
ORDER BY (decided_at, source, stage, version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE OR REPLACE VIEW v_rebuilds AS SELECT * FROM rebuilds FINAL;

CREATE OR REPLACE VIEW v_model_swaps AS SELECT * FROM model_swaps FINAL ORDER BY decided_at, source, stage;

-- Forecasts that two versions of the clusters made of the same race at the same moment, each at submission: what a rollout is
-- decided by. A version is the part of model_version behind the slash; '' = without clusters. Losses are at most 3.
CREATE OR REPLACE VIEW v_paired_losses AS
SELECT
    source,
    race_id,
    attempt,
    completed_at,
    issued_at,
    served_version,
    served_loss,
    other.1 AS other_version,
    other.2 AS other_loss
FROM
(
    SELECT
        source,
        race_id,
        attempt,
        first_offset,
        revision,
        any(forecast_errors.completed_at) AS completed_at,
        any(forecast_errors.issued_at) AS issued_at,
        splitByChar('/', anyIf(toString(model_version), role = 'served'))[2] AS served_version,
        anyIf(least(abs_log_ratio, 3), role = 'served') AS served_loss,
        groupArrayIf((splitByChar('/', toString(model_version))[2], least(abs_log_ratio, 3)), role != 'served') AS others
    FROM forecast_errors FINAL
    GROUP BY source, race_id, attempt, first_offset, revision
    HAVING length(others) > 0 AND countIf(role = 'served') = 1
)
ARRAY JOIN others AS other;
