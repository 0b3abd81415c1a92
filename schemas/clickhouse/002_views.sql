-- What analysts query: rows without superseded versions, and the figures people ask for first.

CREATE VIEW IF NOT EXISTS v_races AS SELECT * FROM races FINAL;

CREATE VIEW IF NOT EXISTS v_stages AS SELECT * FROM stages FINAL;

CREATE VIEW IF NOT EXISTS v_eta_revisions AS SELECT * FROM eta_revisions FINAL;

CREATE VIEW IF NOT EXISTS v_forecast_errors AS SELECT * FROM forecast_errors FINAL;

-- The newest totals of each input partition. The six classes add up to what was read.
CREATE VIEW IF NOT EXISTS v_audit AS
SELECT
    *,
    read = applied + late + duplicate + forgotten + rejected + rerouted AS is_balanced
FROM audit
ORDER BY input_partition, epoch DESC, version DESC
LIMIT 1 BY input_partition;

CREATE VIEW IF NOT EXISTS v_source_stats AS
SELECT
    source,
    day,
    sum(source_stats.races) AS races,
    sum(source_stats.passed) AS passed,
    sum(source_stats.failed) AS failed,
    sum(source_stats.canceled) AS canceled,
    sum(source_stats.abandoned) AS abandoned,
    if(passed + failed = 0, NULL, minIfMerge(duration_min_sec)) AS min_sec,
    if(passed + failed = 0, NULL, maxIfMerge(duration_max_sec)) AS max_sec,
    if(passed + failed = 0, NULL, sum(duration_sum_sec) / (passed + failed)) AS mean_sec,
    if(passed + failed = 0, NULL, quantilesTDigestIfMerge(0.5, 0.95, 0.99)(duration_quantiles_sec) AS quantiles_sec)[1] AS p50_sec,
    if(passed + failed = 0, NULL, quantiles_sec[2]) AS p95_sec,
    if(passed + failed = 0, NULL, quantiles_sec[3]) AS p99_sec,
    if(passed + failed = 0, NULL, failed / (passed + failed)) AS failure_rate
FROM source_stats
GROUP BY source, day;

-- How right the served forecasts were, by day of completion, source and phase of the race.
-- within20 is what confidence promises, coverage is that of p10..p90 (0.8 is right), mean_abs_log_ratio is free of units.
CREATE VIEW IF NOT EXISTS v_accuracy_daily AS
SELECT
    toDate(completed_at) AS day,
    source,
    role,
    multiIf(checkpoint = 0, 'submission', elapsed_share < 0.5, 'first half', 'second half') AS phase,
    count() AS forecasts,
    uniqExact(race_id, attempt) AS races,
    avg(abs(error_sec)) AS mean_abs_error_sec,
    quantileExact(0.5)(abs(error_sec)) AS median_abs_error_sec,
    avg(error_sec) AS bias_sec,
    avg(abs_log_ratio) AS mean_abs_log_ratio,
    avg(is_within20) AS within20,
    avg(confidence) AS mean_confidence,
    avg(is_covered) AS coverage
FROM forecast_errors FINAL
GROUP BY day, source, role, phase;

-- Service levels of the last 30 days, by day: forecasts at submission, coverage, and races that ended without any ETA
-- (imported ones, which get none, left out: they were taken in more than an hour after their end).
CREATE VIEW IF NOT EXISTS v_slo AS
SELECT
    day,
    ended.races AS races,
    ended.races_without_eta AS races_without_eta,
    forecasts,
    within20_at_submission,
    coverage,
    coverage BETWEEN 0.7 AND 0.9 AS is_coverage_kept
FROM
(
    SELECT toDate(completed_at) AS day, count() AS races, countIf(revisions = 0 AND completed_at > ingested_at - INTERVAL 1 HOUR) AS races_without_eta
    FROM races FINAL
    WHERE completed_at >= now() - INTERVAL 30 DAY
    GROUP BY day
) AS ended
LEFT JOIN
(
    SELECT
        toDate(completed_at) AS day,
        count() AS forecasts,
        if(countIf(checkpoint = 0) = 0, NULL, countIf(is_within20 AND checkpoint = 0) / countIf(checkpoint = 0)) AS within20_at_submission,
        toNullable(avg(is_covered)) AS coverage
    FROM forecast_errors FINAL
    WHERE role = 'served' AND completed_at >= now() - INTERVAL 30 DAY
    GROUP BY day
) AS judged USING (day)
ORDER BY day DESC;

-- Sources by the 95th percentile of their durations in the last 30 days.
CREATE VIEW IF NOT EXISTS v_slowest_sources AS
SELECT
    source,
    sum(source_stats.races) AS races,
    sum(duration_sum_sec) AS total_sec,
    quantilesTDigestIfMerge(0.5, 0.95, 0.99)(duration_quantiles_sec) AS quantiles_sec,
    quantiles_sec[1] AS p50_sec,
    quantiles_sec[2] AS p95_sec,
    maxIfMerge(duration_max_sec) AS max_sec
FROM source_stats
WHERE day >= today() - 30
GROUP BY source
HAVING sum(source_stats.passed) + sum(source_stats.failed) > 0
ORDER BY p95_sec DESC;

-- Titles whose last five passed races run at another level than the twenty before them: by half more, or by a third less.
CREATE VIEW IF NOT EXISTS v_level_shifts AS
SELECT
    source,
    title,
    length(durations) AS races,
    arraySort(arraySlice(durations, -5))[3] AS recent_median_sec,
    arraySort(arraySlice(durations, 1, length(durations) - 5)) AS earlier,
    earlier[intDiv(length(earlier) + 1, 2)] AS earlier_median_sec,
    recent_median_sec / earlier_median_sec AS ratio,
    last_completed_at
FROM
(
    SELECT
        source,
        title,
        arrayMap(run -> run.2, arraySlice(arraySort(groupArray((completed_at, duration_sec))), -25)) AS durations,
        max(completed_at) AS last_completed_at
    FROM races FINAL
    WHERE outcome = 'passed' AND completed_at >= now() - INTERVAL 90 DAY
    GROUP BY source, title
    HAVING count() >= 10
)
WHERE earlier_median_sec > 0 AND (ratio >= 1.5 OR ratio <= 0.67)
ORDER BY abs(log(ratio)) DESC;
