-- Silences, and notices that wait for one to end. All times integer milliseconds, wall clock unless said otherwise.

-- Alertmanager's shape: who is quiet, from when to when, who said so and why.
CREATE TABLE silences (
    -- 16 hex digits over its content and the time it was made.
    id            TEXT    PRIMARY KEY,
    -- [{name, value, isRegex, isEqual}], all of which must match an alert.
    matchers      TEXT    NOT NULL,
    -- Half-open span in which it may hold anything at all.
    starts_at_ms  INTEGER NOT NULL,
    ends_at_ms    INTEGER NOT NULL,
    -- {weekdays, startTime, endTime, location}: within the span only at these local times; null for all of it.
    schedule      TEXT,
    -- Who, and why.
    created_by    TEXT    NOT NULL,
    comment       TEXT    NOT NULL,
    -- Last change: made, or expired before its end.
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX silences_by_end ON silences (ends_at_ms);

-- Openings that a target has not been told, because a silence or the wait for an acknowledgement held them. The row is
-- gone once the target is told, or once the alert is over and there is nothing left to tell.
CREATE TABLE held_notices (
    target        TEXT    NOT NULL,
    alert_id      TEXT    NOT NULL,
    -- The opening to tell later, in transitions.
    transition_id INTEGER NOT NULL,
    -- Since when it is held: the wait for an acknowledgement counts from here.
    held_at_ms    INTEGER NOT NULL,
    PRIMARY KEY (target, alert_id)
) STRICT, WITHOUT ROWID;

-- How often an alert opened: one that comes back soon after it resolved is the same one again.
ALTER TABLE alerts ADD COLUMN openings INTEGER NOT NULL DEFAULT 1;

-- The state of the judge shortly before an alert opened, kept as long as the alert: from it and the frames after it the
-- score is computed again, to the last bit, without going back to the beginning.
CREATE TABLE alert_checkpoints (
    alert_id TEXT    PRIMARY KEY,
    -- The last row that the state includes, event time; before the opening.
    at_ms    INTEGER NOT NULL,
    -- As in checkpoints.
    bytes    BLOB    NOT NULL
) STRICT;
