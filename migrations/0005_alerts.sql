-- Alerts, what they did, and who has been told.

CREATE TABLE alerts (
    -- 16 hex digits over series, kind and opening time: the same readings give the same alert.
    id              TEXT    PRIMARY KEY,
    series_id       INTEGER NOT NULL REFERENCES series (id),
    -- anomaly, stuck, silent or out_of_range.
    kind            TEXT    NOT NULL,
    -- open or resolved.
    state           TEXT    NOT NULL,
    -- warning or critical.
    severity        TEXT    NOT NULL,
    opened_at_ms    INTEGER NOT NULL,
    -- Null while open.
    resolved_at_ms  INTEGER,
    -- Highest live score (1.0 is the notable level), smallest p-value, largest evidence (it opened at 1.0).
    peak_score      REAL    NOT NULL,
    p_value         REAL    NOT NULL,
    evidence        REAL    NOT NULL,
    -- The budget it was judged under, in the user's unit ("1 per week").
    alarm_budget    TEXT    NOT NULL,
    -- [{channel, contribution, observed, expected}], most to blame first; values in the sender's unit.
    channels        TEXT    NOT NULL,
    -- The model that judged it; null for kinds that need none.
    model_id        TEXT,
    -- Sequence of the last transition it has seen: an older one delivered again changes nothing.
    sequence        INTEGER NOT NULL,
    -- Arrival time (wall clock) at which a person said they have seen it. Transitions never touch this or the label.
    acknowledged_at_ms INTEGER,
    -- 1 a true alert, 0 a false alarm, null when nobody has said.
    label           INTEGER,
    -- What the person added.
    label_note      TEXT
) STRICT;

CREATE INDEX alerts_by_series ON alerts (series_id, opened_at_ms);
CREATE INDEX alerts_by_opening ON alerts (opened_at_ms);
-- Open alerts are few and asked for at every start and on every page.
CREATE INDEX alerts_open ON alerts (series_id) WHERE state = 'open';

-- The outbox: written in the transaction that writes the row which caused it, delivered afterwards.
CREATE TABLE transitions (
    -- Order of writing; AUTOINCREMENT because event streams resume from it and a number must never come twice.
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    series_id INTEGER NOT NULL REFERENCES series (id),
    alert_id  TEXT    NOT NULL,
    -- 1 for the first transition of an alert, then rising by one.
    sequence  INTEGER NOT NULL,
    -- Event time.
    at_ms     INTEGER NOT NULL,
    -- The transition with the alert as it then was, JSON: a receiver that was down is told what happened, not what
    -- the alert has become.
    body      TEXT    NOT NULL,
    -- Makes a redelivery change nothing.
    UNIQUE (alert_id, sequence)
) STRICT;

-- Who is told. A target is served in order, so one number says what it has received.
CREATE TABLE targets (
    -- As in the configuration: mqtt, webhook:<name>.
    name         TEXT    PRIMARY KEY,
    -- Last transition that the receiver has acknowledged, or that was there when the target was added.
    delivered_id INTEGER NOT NULL,
    -- Arrival time (wall clock) of that acknowledgement; null before the first.
    delivered_at_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Transitions that a receiver refused for good, so that they stop neither the queue nor go unseen.
CREATE TABLE dead_letters (
    target        TEXT    NOT NULL,
    transition_id INTEGER NOT NULL,
    -- Arrival time (wall clock) of the last attempt.
    at_ms         INTEGER NOT NULL,
    -- How often it was tried, and what the receiver said.
    attempts      INTEGER NOT NULL,
    error         TEXT    NOT NULL,
    PRIMARY KEY (target, transition_id)
) STRICT, WITHOUT ROWID;
