-- Rows of large fleets in the order in which they came. A row of each series lies in a page of its own in each of the
-- tables `frames`, `scores` and `settled_scores`; written at once, ten thousand series touch thirty thousand pages a
-- second. So they wait here, one record a commit, until a series has several, which then share their pages. Within a
-- service every question about a series first has its rows sorted in; a start sorts all in.

CREATE TABLE arrivals (
    -- Order of the commits.
    id   INTEGER PRIMARY KEY,
    -- [(series_id, rows)], the rows of each series in their order, as the writer encodes them; gone once the rows of all
    -- its series are in their tables.
    rows BLOB    NOT NULL
) STRICT;
