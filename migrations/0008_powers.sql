-- What each model would see: injected faults, measured after its fit and every night.

CREATE TABLE powers (
    series_id     INTEGER NOT NULL REFERENCES series (id),
    -- The model. No reference: a model may be forgotten before what it would have seen.
    model_id      TEXT    NOT NULL,
    -- Event time of the last row that faults were put into: one measurement a model and stretch of rows.
    at_ms         INTEGER NOT NULL,
    -- How much larger the mean area under the curve over shifts, drifts and noise is than the PCA's alone; null
    -- without a PCA. A column, because the metric is set from it at every start.
    model_skill   REAL,
    -- Channels, their units as configured, and the report, JSON: read only when somebody looks.
    body          TEXT    NOT NULL,
    PRIMARY KEY (series_id, model_id, at_ms)
) STRICT, WITHOUT ROWID;
