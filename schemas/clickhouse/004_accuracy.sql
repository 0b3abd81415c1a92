-- How right forecasts were over a race's life, what confidence was worth, what the spread of like runs allows, and how calm
-- the published ETAs were. Shares are 0..1. The views that aggregate look at the
-- last 30 days; those that end in _over at as many as they are told: SELECT * FROM v_ceiling_over(days = 7).
-- (Those need ClickHouse 23.1.)

-- The served forecast in force at each tenth of a race's life; races that passed or failed. So each race counts alike,
-- however often it was forecast. share 0 is the submission: the last forecast within a second of the start. Where none was
-- made by then, is_answered is 0 and what it would have said NULL. within20 is of the total, within20_of_remaining of what
-- was left then: both count a missing forecast as a miss.
CREATE VIEW IF NOT EXISTS v_forecasts_in_force AS
SELECT
    source,
    race_id,
    attempt,
    outcome,
    completed_at,
    truth_sec,
    tenth / 10 AS share,
    said.revision > 0 AS is_answered,
    if(is_answered, said.basis, 'none') AS basis,
    if(is_answered, said.eta_sec, NULL) AS eta_sec,
    if(is_answered, said.p10_sec, NULL) AS p10_sec,
    if(is_answered, said.p50_sec, NULL) AS p50_sec,
    if(is_answered, said.p90_sec, NULL) AS p90_sec,
    if(is_answered, said.confidence, NULL) AS confidence,
    if(is_answered, said.reason, '') AS reason,
    if(is_answered, said.model_version, '') AS model_version,
    eta_sec - truth_sec AS error_sec,
    log(greatest(eta_sec, 0.5) / greatest(truth_sec, 0.5)) AS log_ratio,
    ifNull(abs(error_sec) <= 0.2 * truth_sec, 0) AS within20,
    ifNull(abs(error_sec) <= 0.2 * truth_sec * (1 - share), 0) AS within20_of_remaining,
    truth_sec <= p90_sec AS below_p90,
    p10_sec <= truth_sec AND truth_sec <= p90_sec AS within_p10_p90,
    (greatest(0.1 * (truth_sec - p10_sec), 0.9 * (p10_sec - truth_sec)) + 0.5 * abs(truth_sec - p50_sec) + greatest(0.9 * (truth_sec - p90_sec), 0.1 * (p90_sec - truth_sec))) / 3 / truth_sec AS pinball
FROM
(
    SELECT
        source,
        race_id,
        attempt,
        outcome,
        completed_at,
        truth_sec,
        tenth,
        arrayLast(forecast -> forecast.elapsed_sec <= if(tenth = 0, 1, tenth / 10 * truth_sec), forecasts) AS said
    FROM
    (
        SELECT
            source,
            race_id,
            attempt,
            completed_at,
            any(forecast_errors.outcome) AS outcome,
            any(forecast_errors.truth_sec) AS truth_sec,
            arraySort(groupArray(CAST(
                (revision, elapsed_sec, eta_sec, p10_sec, p50_sec, p90_sec, confidence, toString(basis), toString(reason), toString(model_version)),
                'Tuple(revision UInt32, elapsed_sec Float64, eta_sec Float64, p10_sec Float64, p50_sec Float64, p90_sec Float64, confidence Float64, basis String, reason String, model_version String)'
            ))) AS forecasts
        FROM forecast_errors FINAL
        WHERE role = 'served' AND forecast_errors.truth_sec > 0
        GROUP BY source, race_id, attempt, completed_at
    )
    ARRAY JOIN range(10) AS tenth
);

-- By source, what the forecast rested on, and share of life. error_sec > 0 = too long; bias_log_ratio is the median of
-- ln(forecast / truth), nmae the mean error over the mean duration, pinball the mean loss of p10, p50 and p90 over the
-- duration. p90_coverage should be 0.9, p10_p90_coverage 0.8, within20 as large as mean_confidence.
CREATE VIEW IF NOT EXISTS v_accuracy AS
SELECT
    source,
    basis,
    share,
    count() AS races,
    avg(v_forecasts_in_force.within20) AS within20,
    avg(v_forecasts_in_force.within20_of_remaining) AS within20_of_remaining,
    avg(confidence) AS mean_confidence,
    avg(abs(error_sec)) AS mean_abs_error_sec,
    quantileExactInclusive(0.5)(abs(error_sec)) AS median_abs_error_sec,
    sum(abs(error_sec)) / sumIf(truth_sec, is_answered) AS nmae,
    avg(error_sec) AS bias_sec,
    quantileExactInclusive(0.5)(log_ratio) AS bias_log_ratio,
    avg(below_p90) AS p90_coverage,
    avg(within_p10_p90) AS p10_p90_coverage,
    avg(v_forecasts_in_force.pinball) AS pinball
FROM v_forecasts_in_force
WHERE completed_at >= now() - INTERVAL 30 DAY
GROUP BY source, basis, share;

-- Forecasts that promised about the same (confidence in [confidence_from, confidence_from + 0.1), the last with 1), and the
-- share of them that came true: came_true should be as large as mean_confidence.
CREATE VIEW IF NOT EXISTS v_calibration AS
SELECT
    source,
    least(9, floor(confidence * 10)) / 10 AS confidence_from,
    count() AS forecasts,
    avg(confidence) AS mean_confidence,
    avg(within20) AS came_true
FROM v_forecasts_in_force
WHERE is_answered AND completed_at >= now() - INTERVAL 30 DAY
GROUP BY source, confidence_from;

-- What the spread of like runs allows at submission. Like runs have the same title, if there are 10 of it, else a title
-- that differs only in numbers and hashes; only races that were forecast and passed or failed. A point c is within 20 % of
-- every run in [c / 1.2, c / 0.8]: a window whose ends are as 1 to 1.5, or
-- ln 1.5 apart (frames of a window take whole numbers: ten-millionths).
-- within20: the share in the best window of each kind, chosen with hindsight: no constant per kind can do better.
-- within20_learned: half of the runs choose the window for the other half: what a constant learned from so many does.
-- A forecast that knows more of a run than its title, or follows a shift, can be above both.
CREATE VIEW IF NOT EXISTS v_ceiling_by_kind_over AS
SELECT
    source,
    kind,
    count() AS races,
    max(window_0 + window_1) AS in_best_window,
    argMaxIf(window_1, window_0, half = 0) + argMaxIf(window_0, window_1, half = 1) AS in_learned_windows,
    exp(avg(log_sec)) AS geometric_mean_sec,
    stddevPop(log_sec) AS log_sd
FROM
(
    SELECT
        source,
        kind,
        log_sec,
        half,
        countIf(half = 0) OVER like_runs AS window_0,
        countIf(half = 1) OVER like_runs AS window_1
    FROM
    (
        SELECT
            source,
            kind,
            log_sec,
            (row_number() OVER (PARTITION BY source, kind ORDER BY completed_at, race_id, attempt)) % 2 AS half
        FROM
        (
            SELECT
                source,
                race_id,
                attempt,
                completed_at,
                log(duration_sec) AS log_sec,
                replaceRegexpAll(replaceRegexpAll(title, '\\b[0-9a-fA-F-]{7,64}\\b', '#'), '[0-9]+', '#') AS masked,
                if(count() OVER (PARTITION BY source, title) >= 10, title, masked) AS kind
            FROM races FINAL
            WHERE outcome IN ('passed', 'failed') AND revisions > 0 AND duration_sec > 0 AND completed_at >= now() - toIntervalDay({days:UInt32})
        )
    )
    WINDOW like_runs AS (PARTITION BY source, kind ORDER BY toInt32(round(log_sec * 1e7)) RANGE BETWEEN CURRENT ROW AND 4054652 FOLLOWING)
)
GROUP BY source, kind
HAVING count() >= 10;

CREATE VIEW IF NOT EXISTS v_ceiling_over AS
SELECT
    source,
    sum(kinds.races) AS races,
    count() AS kinds,
    sum(in_best_window) / sum(kinds.races) AS within20,
    sum(in_learned_windows) / sum(kinds.races) AS within20_learned,
    sqrt(sum(kinds.races * kinds.log_sd * kinds.log_sd) / sum(kinds.races)) AS log_sd
FROM v_ceiling_by_kind_over(days = {days:UInt32}) AS kinds
GROUP BY source;

CREATE VIEW IF NOT EXISTS v_ceiling_by_kind AS SELECT * FROM v_ceiling_by_kind_over(days = 30);

CREATE VIEW IF NOT EXISTS v_ceiling AS SELECT * FROM v_ceiling_over(days = 30);

-- How much was said of each race that began and ended within so many days, before its end, and how far it moved: jitter is
-- the sum of all moves of the ETA over the duration, display_jitter that of the finish that screens show.
CREATE VIEW IF NOT EXISTS v_calm_races_over AS
SELECT
    source,
    race_id,
    attempt,
    truth_sec,
    length(etas) AS revisions,
    arraySum(arrayMap(move -> abs(move), moves)) / truth_sec AS jitter,
    arraySum(arrayMap(move -> abs(move), arrayPopFront(arrayDifference(finishes)))) / truth_sec AS display_jitter,
    arrayCount(move -> move > 0, moves) AS later_moves
FROM
(
    SELECT
        source,
        race_id,
        attempt,
        argMaxIf(assumeNotNull(ifNull(eta_sec, 0)), revision, is_end) AS truth_sec,
        arrayMap(said -> said.2, arraySort(groupArrayIf((revision, assumeNotNull(ifNull(eta_sec, 0))), NOT is_end AND eta_sec IS NOT NULL))) AS etas,
        arrayMap(said -> said.2, arraySort(groupArrayIf((revision, toUnixTimestamp64Milli(assumeNotNull(ifNull(display_finish_at, issued_at))) / 1000), NOT is_end AND display_finish_at IS NOT NULL))) AS finishes,
        arrayPopFront(arrayDifference(etas)) AS moves
    FROM
    (
        SELECT source, race_id, attempt, revision, state IN ('passed', 'failed') AS is_end, started_at, issued_at, eta_sec, display_finish_at
        FROM eta_revisions FINAL
        WHERE ingested_at >= now() - toIntervalDay({days:UInt32})
    )
    GROUP BY source, race_id, attempt
    HAVING countIf(is_end) > 0 AND truth_sec > 0 AND length(etas) > 0 AND minIf(started_at, is_end) >= now() - toIntervalDay({days:UInt32})
);

CREATE VIEW IF NOT EXISTS v_calm_over AS
SELECT
    source,
    count() AS races,
    avg(calm.revisions) AS revisions_per_race,
    quantileExactInclusive(0.5)(jitter) AS median_jitter,
    quantileExactInclusive(0.5)(display_jitter) AS median_display_jitter,
    avg(later_moves) AS later_moves_per_race
FROM v_calm_races_over(days = {days:UInt32}) AS calm
GROUP BY source;

CREATE VIEW IF NOT EXISTS v_calm AS SELECT * FROM v_calm_over(days = 30);
