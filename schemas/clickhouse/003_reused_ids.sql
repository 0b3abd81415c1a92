-- An id may be used again once its race was forgotten or has left race-states: attempts, versions and revisions then
-- begin anew. first_offset, of the update that opened the race, tells the two apart.
ALTER TABLE races ADD COLUMN IF NOT EXISTS first_offset Int64, MODIFY ORDER BY (source, race_id, attempt, first_offset);

ALTER TABLE stages ADD COLUMN IF NOT EXISTS first_offset Int64, MODIFY ORDER BY (source, race_id, attempt, name, occurrence, first_offset);

ALTER TABLE eta_revisions ADD COLUMN IF NOT EXISTS first_offset Int64, MODIFY ORDER BY (race_id, attempt, revision, first_offset);

ALTER TABLE forecast_errors ADD COLUMN IF NOT EXISTS first_offset Int64, MODIFY ORDER BY (source, race_id, attempt, checkpoint, first_offset);

CREATE OR REPLACE VIEW v_races AS SELECT * FROM races FINAL;

CREATE OR REPLACE VIEW v_stages AS SELECT * FROM stages FINAL;

-- A number that is sent again after a crash takes back what was numbered from it on: the second time there may be fewer.
CREATE OR REPLACE VIEW v_eta_revisions AS
SELECT * EXCEPT last_offset FROM
(
    SELECT *, max(offset) OVER (PARTITION BY race_id, first_offset ORDER BY revision ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS last_offset
    FROM eta_revisions FINAL
)
WHERE offset = last_offset;

CREATE OR REPLACE VIEW v_forecast_errors AS SELECT * FROM forecast_errors FINAL;

-- The origins of finishes whose rows are deleted because their race is forgotten: one of them may have been the highest
-- of its input partition, by which a finish that is sent again is known. Names no race; outlives race-history's 90 days.
CREATE TABLE IF NOT EXISTS forgotten_origins
(
    topic LowCardinality(String),
    partition UInt32,
    origin_partition UInt32,
    origin_epoch UInt32,
    origin_offset Int64,
    origin_index UInt32,
    offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset)
TTL toDateTime(ingested_at) + INTERVAL 100 DAY;
