//! Many rows in one statement: the trip to the connection's thread costs more than a row does.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::store::CommitError;

/// Rows of the largest statement. Twice as many would save under 0.1 µs a row and cost half a megabyte of prepared
/// statement each.
const ROWS_MAX: usize = 256;

/// What SQLite binds in one statement.
const BINDS_MAX: usize = 32_766;

/// A statement over any number of rows: `head (?,…),(?,…) tail`.
///
/// Statements are written `OR FAIL` where SQLite lets them be. One that may abort half-way through its rows copies every
/// page that it is about to touch, so that it can be undone alone, which costs as much as all else it does: 5.4 µs a score
/// row instead of 2.8. Nothing needs that here, because a fault in any statement takes the whole transaction with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ManyRows {
    /// Up to and including `VALUES`.
    pub(super) head: &'static str,
    /// Values a row.
    pub(super) n_columns: usize,
    /// Behind the rows.
    pub(super) tail: &'static str,
}

/// Texts of the statements met so far, so that each is built once. Sizes are powers of two: ten sizes a statement,
/// so that nearly every statement is already prepared.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<(&'static str, &'static str, usize), Arc<str>>);

impl Texts {
    fn text(&mut self, statement: &ManyRows, n_rows: usize) -> Arc<str> {
        let build = || {
            let row = format!("({})", vec!["?"; statement.n_columns].join(","));
            format!("{} {} {}", statement.head, vec![row; n_rows].join(","), statement.tail).into()
        };
        Arc::clone(self.0.entry((statement.head, statement.tail, n_rows)).or_insert_with(build))
    }
}

/// Runs the statement over all rows and returns how many rows it changed. `bind` adds the values of one row, as many
/// as the statement has columns.
pub(super) async fn execute_rows<T: Sync>(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    statement: &ManyRows,
    rows: &[T],
    bind: impl Fn(&T, &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError>,
) -> Result<u64, CommitError> {
    let most = ROWS_MAX.min(BINDS_MAX / statement.n_columns);
    let encode = |rows: &[T]| {
        let mut arguments = SqliteArguments::default();
        sqlx::Arguments::reserve(&mut arguments, rows.len() * statement.n_columns, 0);
        for row in rows {
            bind(row, &mut arguments).map_err(|e| CommitError::Refused { detail: e.to_string() })?;
        }
        Ok::<_, CommitError>(arguments)
    };
    let part = |rest: usize| if rest == 0 { 0 } else { 1 << rest.min(most).ilog2() };
    let (mut now, mut rest) = rows.split_at(part(rows.len()));
    let mut arguments = encode(now)?;
    let mut n_changed = 0;
    while !now.is_empty() {
        let text = texts.text(statement, now.len());
        let (next, behind) = rest.split_at(part(rest.len()));
        let running = sqlx::query_with(AssertSqlSafe(text), arguments).execute(&mut *conn);
        // The next rows are encoded while the connection's thread writes these.
        let (changed, encoded) = futures_util::join!(running, async { encode(next) });
        n_changed += changed?.rows_affected();
        (now, rest, arguments) = (next, behind, encoded?);
    }
    Ok(n_changed)
}
