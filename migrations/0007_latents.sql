-- Latents of judged windows, when a series asks for them (`keep_latents`): a map of what the machine has been doing.

CREATE TABLE latents (
    series_id INTEGER NOT NULL REFERENCES series (id),
    -- The row that the window ends with, as in `scores`.
    at_ms     INTEGER NOT NULL,
    -- The latent, f32 [Z], little-endian, by the first member of the model in charge that has one. Which model that was
    -- follows from `take_overs`; latents of different models are not comparable.
    latent    BLOB    NOT NULL,
    PRIMARY KEY (series_id, at_ms)
) STRICT, WITHOUT ROWID;
