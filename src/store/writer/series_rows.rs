//! The tables `series` and `channels`.

use sqlx::{Arguments, SqliteConnection};

use super::batch::Batch;
use super::rows::{ManyRows, Texts, execute_rows};
use crate::store::CommitError;

const NEW_SERIES: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO series (id, name, first_at_ms, state_at_ms) VALUES",
    n_columns: 4,
    tail: "ON CONFLICT DO NOTHING",
};

const NEW_CHANNELS: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO channels (series_id, channel_index, name) VALUES",
    n_columns: 3,
    tail: "ON CONFLICT DO NOTHING",
};

const PROGRESS: ManyRows = ManyRows {
    head: "UPDATE OR FAIL series SET last_closed_ms = v.column2, n_closed = v.column3, last_scored_ms = v.column4, \
           last_settled_ms = v.column5 FROM (VALUES",
    n_columns: 5,
    tail: ") AS v WHERE series.id = v.column1",
};

const STATES: ManyRows = ManyRows {
    head: "UPDATE OR FAIL series SET state = v.column2, state_reason = v.column4, \
           state_at_ms = CASE WHEN state = v.column2 AND state_at_ms > 0 THEN state_at_ms ELSE v.column3 END FROM (VALUES",
    n_columns: 4,
    tail: ") AS v WHERE series.id = v.column1 AND v.column3 >= series.state_at_ms",
};

/// Series and channels that speak for the first time.
pub(super) async fn write_new(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(), CommitError> {
    execute_rows(conn, texts, &NEW_SERIES, &batch.new_series, |(number, series, at), a| {
        a.add(*number)?;
        a.add(series.as_str())?;
        a.add(at.as_ms())?;
        // A state of any time replaces the first, which nobody has stated.
        a.add(0_i64)
    })
    .await?;
    execute_rows(conn, texts, &NEW_CHANNELS, &batch.channels, |(number, index, name), a| {
        a.add(*number)?;
        a.add(*index)?;
        a.add(*name)
    })
    .await?;
    Ok(())
}

/// How far the rows of each series go now.
pub(super) async fn write_progress(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(), CommitError> {
    let moved: Vec<_> = batch.progress.iter().filter(|(_, (from, to))| from != to).collect();
    execute_rows(conn, texts, &PROGRESS, &moved, |(number, (_, now)), a| {
        a.add(**number)?;
        a.add(now.last_closed_ms)?;
        a.add(now.n_closed)?;
        a.add(now.last_scored_ms)?;
        a.add(now.last_settled_ms)
    })
    .await?;
    Ok(())
}

/// What each series is doing.
pub(super) async fn write_states(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(), CommitError> {
    let states: Vec<_> = batch.states.iter().collect();
    execute_rows(conn, texts, &STATES, &states, |(number, (at, state, reason)), a| {
        a.add(**number)?;
        a.add(state.as_str())?;
        a.add(at.as_ms())?;
        a.add(*reason)
    })
    .await?;
    Ok(())
}
