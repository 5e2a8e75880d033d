-- What judges the series: fitted models, the rows at which they took over, and the state of each judge.

CREATE TABLE models (
    -- First 16 hex digits of the SHA-256 of the bundle: the same bytes are the same model.
    id            TEXT    PRIMARY KEY,
    -- The series it was fitted on; null for a model shared by several.
    series_id     INTEGER REFERENCES series (id),
    -- Event time of the last row it was fitted on; models of a series are listed by it.
    trained_to_ms INTEGER NOT NULL,
    -- Everything needed to judge a series, as the bundle encodes itself (weights as safetensors).
    bundle        BLOB    NOT NULL,
    -- SHA-256 of the bundle in hex, all 64 digits: checked on every load, so a damaged model is never used.
    checksum      TEXT    NOT NULL,
    -- Channels of the model in the order of its contributions, JSON array of names.
    channels      TEXT    NOT NULL,
    -- Its members in the order of their contributions, JSON array of names.
    members       TEXT    NOT NULL,
    -- Data span, seed, version, parameters of the fit, JSON object.
    provenance    TEXT    NOT NULL
) STRICT;

CREATE INDEX models_by_series ON models (series_id, trained_to_ms);

CREATE TABLE take_overs (
    series_id INTEGER NOT NULL REFERENCES series (id),
    -- First row that the model judges, so that any score can be computed again.
    from_ms   INTEGER NOT NULL,
    -- Index of that row among the closed rows of the series, from 0.
    from_row  INTEGER NOT NULL,
    -- The model. No reference: retention may remove a model that no kept score needs.
    model_id  TEXT    NOT NULL,
    PRIMARY KEY (series_id, from_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    series_id INTEGER PRIMARY KEY REFERENCES series (id),
    -- The last row that the state includes; a restart replays the frames after it.
    at_ms     INTEGER NOT NULL,
    -- State of the series' chain, versioned by the pipeline.
    bytes     BLOB    NOT NULL
) STRICT;
