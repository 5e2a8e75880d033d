-- Series and their channels. All times in every table are integer milliseconds since 1970-01-01T00:00:00Z (`_ms`),
-- event time unless the column says otherwise. An applied migration is final; a change is a new file.

-- Marks the file as Kilter's ("KILT"), so that another program's database is refused before anything is written.
PRAGMA application_id = 0x4B494C54;

CREATE TABLE series (
    -- Small number that the big tables carry instead of the name: 1 to 3 bytes a row.
    id              INTEGER PRIMARY KEY,
    -- The series id as users write it.
    name            TEXT    NOT NULL UNIQUE,
    -- Event time of the first reading ever seen.
    first_at_ms     INTEGER NOT NULL,
    -- What the series is doing: normal, anomalous, warming_up, no_data or model_stale.
    state           TEXT    NOT NULL DEFAULT 'warming_up',
    -- Since when; an older state that is delivered again must not overwrite a newer one.
    state_at_ms     INTEGER NOT NULL,
    -- One sentence for people: why, or how far the warm-up is.
    state_reason    TEXT    NOT NULL DEFAULT '',
    -- Last closed row. Rows close in rising order, so this tells a redelivered row from a new one without a lookup,
    -- and a restart reads it instead of searching the frames.
    last_closed_ms  INTEGER,
    -- Closed rows so far. Kept, not counted: retention removes frames, and take-overs are given as row numbers.
    n_closed        INTEGER NOT NULL DEFAULT 0,
    -- Last row with a live score; roll-ups are complete for every bucket that ends before it.
    last_scored_ms  INTEGER,
    -- Last row with a settled score.
    last_settled_ms INTEGER
) STRICT;

CREATE TABLE channels (
    series_id     INTEGER NOT NULL REFERENCES series (id),
    -- Position of the channel in the blobs of this series' frames; the order in which channels were discovered.
    channel_index INTEGER NOT NULL,
    -- The channel as users write it.
    name          TEXT    NOT NULL,
    PRIMARY KEY (series_id, channel_index),
    UNIQUE (series_id, name)
) STRICT, WITHOUT ROWID;
