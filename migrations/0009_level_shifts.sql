-- What the rules have accepted on a series by themselves, so that a person can see it and take it back.

CREATE TABLE level_shifts (
    series_id   INTEGER NOT NULL REFERENCES series (id),
    -- The row from which on the new level counts as normal.
    at_ms       INTEGER NOT NULL,
    -- How many times larger residuals count as normal from then on.
    factor      REAL    NOT NULL,
    -- Arrival time (wall clock) at which a person took it back; null while it stands.
    undone_at_ms INTEGER,
    PRIMARY KEY (series_id, at_ms)
) STRICT, WITHOUT ROWID;
