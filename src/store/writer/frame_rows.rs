//! The tables `frames` and `open_rows`.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, SqliteConnection};

use super::batch::Batch;
use super::encoded::EncodedFrame;
use super::rows::{ManyRows, Texts, execute_rows};
use crate::store::CommitError;

const CLOSED: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO frames (series_id, at_ms, channel_values, cells) VALUES",
    n_columns: 4,
    tail: "ON CONFLICT DO NOTHING",
};

const OPEN: ManyRows = ManyRows {
    head: "INSERT OR FAIL INTO open_rows (series_id, at_ms, channel_values, cells, heard_ms) VALUES",
    n_columns: 5,
    tail: "ON CONFLICT DO UPDATE SET channel_values = excluded.channel_values, cells = excluded.cells, \
           heard_ms = excluded.heard_ms",
};

const FINISHED: ManyRows =
    ManyRows { head: "DELETE FROM open_rows WHERE (series_id, at_ms) IN (VALUES", n_columns: 2, tail: ")" };

/// Writes closed rows; returns how many are new.
pub(super) async fn write_closed(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<u64, CommitError> {
    execute_rows(conn, texts, &CLOSED, &batch.frames, |(number, frame), a| add_frame(*number, frame.encoded(), a)).await
}

/// Writes rows that are being filled, and takes those away that have closed.
pub(super) async fn write_open(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(), CommitError> {
    let finished: Vec<_> = batch.finished.iter().collect();
    execute_rows(conn, texts, &FINISHED, &finished, |(number, at_ms), a| {
        a.add(*number)?;
        a.add(*at_ms)
    })
    .await?;
    let open: Vec<_> = batch.open.iter().collect();
    execute_rows(conn, texts, &OPEN, &open, |((n, _), row), a| {
        let row = row.encoded();
        add_frame(*n, row.frame, a)?;
        a.add(row.heard_ms)
    })
    .await?;
    Ok(())
}

fn add_frame(number: i64, frame: EncodedFrame<'_>, a: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
    let EncodedFrame { at_ms, values, cells } = frame;
    a.add(number)?;
    a.add(at_ms)?;
    a.add(values)?;
    a.add(cells)
}
