-- Promised against realised: how many false openings were allowed to each series so far, and how many openings there were.

CREATE TABLE budgets (
    series_id        INTEGER PRIMARY KEY REFERENCES series (id),
    -- Event time of the last row counted.
    at_ms            INTEGER NOT NULL,
    -- The budget as asked for, in the user's unit.
    asked            TEXT    NOT NULL,
    -- Why it runs at a looser one, in the user's unit; null when it runs as asked.
    explanation      TEXT,
    -- False openings per row that it runs at now.
    openings_per_row REAL    NOT NULL,
    -- Rows judged so far, openings promised for them (the sum of what each row ran at), openings of anomaly alerts.
    n_judged         INTEGER NOT NULL,
    n_promised       REAL    NOT NULL,
    n_openings       INTEGER NOT NULL
) STRICT;
