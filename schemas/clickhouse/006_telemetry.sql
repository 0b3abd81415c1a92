-- Positions of vehicles, thinned: of the positions of a race within ten seconds (slot) the last that came. Those that were
-- refused (nowhere, in the future) are not here, those of races without a route are. For 30 days, or less where history is kept shorter.
CREATE TABLE IF NOT EXISTS telemetry
(
    race_id String,
    slot DateTime('UTC'),
    version UInt64,
    at DateTime64(3, 'UTC'),
    lat Float64,
    lon Float64,
    speed_mps Nullable(Float64),
    heading_deg Nullable(Float64),
    altitude_m Nullable(Float64),
    accuracy_m Nullable(Float64),
    device LowCardinality(Nullable(String)),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ingested_at)
ORDER BY (race_id, slot)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE OR REPLACE VIEW v_telemetry AS SELECT * FROM telemetry FINAL;
