-- Judged rows. Append-only: a score once issued is never rewritten, so every statement that writes here is
-- INSERT OR IGNORE. Live and settled scores are apart because they are issued at different moments.

CREATE TABLE scores (
    series_id         INTEGER NOT NULL REFERENCES series (id),
    -- The row that was judged, as in `frames`.
    at_ms             INTEGER NOT NULL,
    -- Smoothed fused score from nothing later than this row; 1.0 is the notable level of the calibration.
    live_score        REAL    NOT NULL,
    -- What the decision rule has gathered; an alert opens at 1.0.
    evidence          REAL    NOT NULL,
    -- Share of calibration scores at least as high, in (0, 1].
    p_value           REAL    NOT NULL,
    -- Mean squared residual of the row in scaled units; null while the member is off.
    autoencoder_error REAL,
    pca_error         REAL,
    -- Smoothed squared z-score: the trivial baseline that stands in every table.
    baseline_error    REAL    NOT NULL,
    -- 1 while an alert is open on this row.
    is_anomalous      INTEGER NOT NULL,
    -- Who is to blame and what was expected, read only when somebody looks: u16 number of channels C, u16 number of
    -- members M, then contributions f32 [C] (channels of the model that judged the row, sum 1), contributions
    -- f32 [M] (members of that model, sum 1), expected values f64 [C] in the sender's unit; little-endian.
    -- One blob, not three: each bound value costs time on the way in.
    detail            BLOB    NOT NULL,
    PRIMARY KEY (series_id, at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE settled_scores (
    series_id     INTEGER NOT NULL REFERENCES series (id),
    -- The row that the score belongs to (issued later, after the settle delay).
    at_ms         INTEGER NOT NULL,
    -- Two-sided smoothed score; 1.0 is the notable level.
    settled_score REAL    NOT NULL,
    PRIMARY KEY (series_id, at_ms)
) STRICT, WITHOUT ROWID;

-- Scores summed up by minute and hour, written once a bucket is over.
CREATE TABLE score_rollups (
    series_id    INTEGER NOT NULL REFERENCES series (id),
    -- Length of the bucket: 60000 (a minute) or 3600000 (an hour).
    level_ms     INTEGER NOT NULL,
    -- Start of the bucket, a multiple of level_ms.
    bucket_ms    INTEGER NOT NULL,
    -- Scored rows in the bucket.
    n_rows       INTEGER NOT NULL,
    -- Least, greatest and summed live score: no spike disappears, and means of means stay means.
    live_min     REAL    NOT NULL,
    live_max     REAL    NOT NULL,
    live_sum     REAL    NOT NULL,
    -- Greatest evidence and smallest p-value.
    evidence_max REAL    NOT NULL,
    p_value_min  REAL    NOT NULL,
    -- Greatest error of each member shown beside the score; null while the member was off.
    autoencoder_max REAL,
    pca_max      REAL,
    baseline_max REAL    NOT NULL,
    -- Rows on which an alert was open.
    n_anomalous  INTEGER NOT NULL,
    PRIMARY KEY (series_id, level_ms, bucket_ms)
) STRICT, WITHOUT ROWID;

-- The same for settled scores, whose buckets are over later.
CREATE TABLE settled_rollups (
    series_id   INTEGER NOT NULL REFERENCES series (id),
    level_ms    INTEGER NOT NULL,
    bucket_ms   INTEGER NOT NULL,
    -- Rows with a settled score in the bucket, and their greatest settled score.
    n_rows      INTEGER NOT NULL,
    settled_max REAL    NOT NULL,
    PRIMARY KEY (series_id, level_ms, bucket_ms)
) STRICT, WITHOUT ROWID;
