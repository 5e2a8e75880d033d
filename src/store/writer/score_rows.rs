//! The tables `scores`, `settled_scores` and `latents`: append-only, a score once issued is never rewritten.

use sqlx::{Arguments, SqliteConnection};

use super::batch::Batch;
use super::rows::{ManyRows, Texts, execute_rows};
use crate::store::CommitError;

const LIVE: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO scores (series_id, at_ms, live_score, evidence, p_value, autoencoder_error, pca_error, \
           baseline_error, is_anomalous, detail) VALUES",
    n_columns: 10,
    tail: "ON CONFLICT DO NOTHING",
};

const SETTLED: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO settled_scores (series_id, at_ms, settled_score) VALUES",
    n_columns: 3,
    tail: "ON CONFLICT DO NOTHING",
};

const LATENTS: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO latents (series_id, at_ms, latent) VALUES",
    n_columns: 3,
    tail: "ON CONFLICT DO NOTHING",
};

/// Writes live and settled scores; returns how many of each are new.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(u64, u64), CommitError> {
    let n_live = execute_rows(conn, texts, &LIVE, &batch.scores, |(number, score), a| {
        let score = score.encoded();
        a.add(*number)?;
        a.add(score.at_ms)?;
        a.add(score.live_score)?;
        a.add(score.evidence)?;
        a.add(score.p_value)?;
        a.add(score.autoencoder_error)?;
        a.add(score.pca_error)?;
        a.add(score.baseline_error)?;
        a.add(score.is_anomalous)?;
        a.add(score.detail)
    })
    .await?;
    let n_settled = execute_rows(conn, texts, &SETTLED, &batch.settled, |(number, settled), a| {
        a.add(*number)?;
        a.add(settled.at.as_ms())?;
        a.add(settled.settled_score)
    })
    .await?;
    execute_rows(conn, texts, &LATENTS, &batch.latents, |(number, at_ms, latent), a| {
        a.add(*number)?;
        a.add(*at_ms)?;
        a.add(latent.encoded())
    })
    .await?;
    Ok((n_live, n_settled))
}
