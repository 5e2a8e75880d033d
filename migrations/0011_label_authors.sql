-- Who labelled an alert, and when, so that whoever would say the opposite learns whom to ask.

-- The name the person gave; null when none was given, and for labels of before.
ALTER TABLE alerts ADD COLUMN labelled_by TEXT;
-- Arrival time (wall clock) of the label, integer milliseconds; null without one, and for labels of before.
ALTER TABLE alerts ADD COLUMN labelled_at_ms INTEGER;
