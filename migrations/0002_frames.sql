-- Rows of the grid. One row holds all channels in two blobs: a row per channel would cost eight times the keys.

-- Closed rows: nothing can change them. Training, explaining and restarting need no other source.
CREATE TABLE frames (
    series_id    INTEGER NOT NULL REFERENCES series (id),
    -- Start of the grid cell (time grid) or event time of the message (row grid).
    at_ms        INTEGER NOT NULL,
    -- Values in the sender's unit, f64 little-endian, [channel] by channel_index; 0.0 where missing. As many as the
    -- series had channels then; channels discovered later are missing in older rows.
    channel_values BLOB  NOT NULL,
    -- Origin of each value, one byte a channel: 0 missing, 1 measured, 2 held, 3 interpolated.
    cells        BLOB    NOT NULL,
    -- Clustered by series and time: a window, a training set or a chart is one contiguous read.
    PRIMARY KEY (series_id, at_ms)
) STRICT, WITHOUT ROWID;

-- Rows still being filled. Apart from `frames`, because they are rewritten with every message while frames are only
-- ever appended; this table stays a few pages for thousands of series. A row leaves it when it closes.
CREATE TABLE open_rows (
    series_id    INTEGER NOT NULL REFERENCES series (id),
    -- As in `frames`.
    at_ms        INTEGER NOT NULL,
    channel_values BLOB  NOT NULL,
    cells        BLOB    NOT NULL,
    -- For each channel, milliseconds from at_ms to the event time of the reading that stands in the cell, i32
    -- little-endian, -1 when nothing was heard: tells the newer of two readings in a cell after a restart.
    heard_ms     BLOB    NOT NULL,
    PRIMARY KEY (series_id, at_ms)
) STRICT, WITHOUT ROWID;

-- Closed rows summed up by minute and hour, written once a bucket is over; a year of readings is drawn from these.
CREATE TABLE frame_rollups (
    series_id INTEGER NOT NULL REFERENCES series (id),
    -- Length of the bucket: 60000 (a minute) or 3600000 (an hour).
    level_ms  INTEGER NOT NULL,
    -- Start of the bucket, a multiple of level_ms.
    bucket_ms INTEGER NOT NULL,
    -- Closed rows in the bucket.
    n_rows    INTEGER NOT NULL,
    -- For each channel 32 bytes, little-endian: number of present cells (u64), minimum, maximum and sum of their
    -- values in the sender's unit (f64).
    summaries BLOB    NOT NULL,
    PRIMARY KEY (series_id, level_ms, bucket_ms)
) STRICT, WITHOUT ROWID;
