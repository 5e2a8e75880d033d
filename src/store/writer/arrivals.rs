//! The table `arrivals`: rows of large fleets wait in the order in which they came until a series has several, which
//! are then sorted into the tables of rows together.
//!
//! A row of each series lies in pages of its own in `frames`, `scores` and `settled_scores`, so what a fleet costs is
//! pages, not bytes: each is written to the log, read back, and written to the file. Four rows of a series share them.
//! Small fleets gain nothing by it, because rows of one commit share pages already, and are written at once.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use sqlx::{Executor, SqliteConnection};

use super::batch::Batch;
use super::encoded::{Form, Waiter, as_bytes};
use super::known::{Known, OpenChanges, Progress};
use super::rows::Texts;
use super::{Writer, commit, finish};
use crate::series::Timestamp;
use crate::store::{CommitError, Store};

/// Series from which on rows wait.
const SERIES_MIN: usize = 256;

/// Rows that wait for each series of the store, those of all tables counted: five closed rows, their live and their
/// settled scores, and what each was while it was filled; without such, six. More save fewer pages each, and take memory:
/// 300 bytes for the first three, of eight channels. Thirty-two of each took the store's thread from 13.8 to 7.0 us a row
/// of a thousand series, and 27 KiB of each series.
const ROWS_A_SERIES: usize = 20;

/// Bytes that wait at most.
const BYTES_MAX: usize = 64 << 20;

/// Series sorted in together: many share the trips to the connection's thread, and a commit that waits for them waits
/// some twenty milliseconds.
const SERIES_AT_ONCE: usize = 256;

/// First byte of a record: how the rest is encoded. A newer form gets the next number, and this one stays readable: a
/// service that was killed is followed by a newer one at times.
const FORMAT: u8 = 2;
/// The oldest that is read. Records of 1 are laid out like those of 2, and have no open rows.
const FORMAT_OLDEST: u8 = 1;

/// Rows of a series that came in one commit, as a record holds them.
#[derive(Debug, Serialize, Deserialize)]
struct Part<'a> {
    /// Number of the series.
    number: i64,
    n_rows: usize,
    /// [`Waiter`]s, encoded one after the other.
    #[serde(serialize_with = "as_bytes")]
    rows: &'a [u8],
}

/// The same in the writer's memory: where they are in their record.
#[derive(Debug)]
struct Piece {
    record: Arc<[u8]>,
    rows: Range<usize>,
    n_rows: usize,
}

impl Piece {
    /// The rows, in their order.
    fn decode(&self) -> Result<Vec<Waiter<'_>>, CommitError> {
        let mut rest = &self.record[self.rows.clone()];
        let mut rows = Vec::with_capacity(self.n_rows);
        while !rest.is_empty() {
            let (row, behind) = postcard::take_from_bytes(rest).map_err(undecodable)?;
            rows.push(row);
            rest = behind;
        }
        Ok(rows)
    }
}

fn unencodable(error: postcard::Error) -> CommitError {
    CommitError::Refused { detail: format!("a row cannot be encoded: {error}") }
}

fn undecodable(error: postcard::Error) -> CommitError {
    CommitError::Damaged { detail: format!("arrivals holds a damaged record: {error}") }
}

/// The rows of a batch as one record of the table: [`FORMAT`], then a [`Part`] for each series.
#[derive(Debug)]
pub(super) struct Arrived {
    record: Arc<[u8]>,
    /// Number of the series, its rows in the record, and how many they are.
    parts: Vec<(i64, Range<usize>, usize)>,
}

impl Arrived {
    /// Nothing; a record is not written for it.
    pub(super) fn nothing() -> Self {
        Self { record: Arc::default(), parts: Vec::new() }
    }

    pub(super) fn of(batch: &Batch<'_>) -> Result<Self, CommitError> {
        let frames = batch.frames.iter().map(|(number, frame)| (*number, Waiter::Frame(frame.encoded())));
        let scores = batch.scores.iter().map(|(number, score)| (*number, Waiter::Score(score.encoded())));
        let settled = batch.settled.iter().map(|(number, settled)| (*number, Waiter::Settled(**settled)));
        let latents =
            batch.latents.iter().map(|(number, at_ms, latent)| (*number, Waiter::Latent(*at_ms, latent.encoded())));
        let open = batch.open.iter().map(|((number, _), row)| (*number, Waiter::Open(row.encoded())));
        let mut waiters: Vec<_> = frames.chain(scores).chain(settled).chain(latents).chain(open).collect();
        waiters.sort_by_key(|(number, _)| *number);
        let (mut record, mut parts, mut rows) = (vec![FORMAT], Vec::new(), Vec::new());
        for of_series in waiters.chunk_by(|(one, _), (other, _)| one == other) {
            let (number, n_rows) = (of_series[0].0, of_series.len());
            rows.clear();
            for (_, row) in of_series {
                rows = postcard::to_extend(row, rows).map_err(unencodable)?;
            }
            record = postcard::to_extend(&Part { number, n_rows, rows: &rows }, record).map_err(unencodable)?;
            parts.push((number, record.len() - rows.len()..record.len(), n_rows));
        }
        Ok(Self { record: record.into(), parts })
    }

    /// From the record.
    fn read(record: Vec<u8>) -> Result<Self, CommitError> {
        let record: Arc<[u8]> = record.into();
        let mut parts = Vec::new();
        let mut rest = match record.split_first() {
            Some((&(FORMAT_OLDEST..=FORMAT), rest)) => rest,
            found => {
                let found = found.map_or("none".to_owned(), |(format, _)| format.to_string());
                let detail = format!("arrivals holds a record of format {found}, expected {FORMAT_OLDEST} to {FORMAT}");
                return Err(CommitError::Damaged { detail });
            }
        };
        while !rest.is_empty() {
            let (Part { number, n_rows, rows }, behind) = postcard::take_from_bytes(rest).map_err(undecodable)?;
            // A row takes a byte at least; memory is set aside for as many as are told.
            if n_rows > rows.len() {
                let detail = format!("arrivals tells of {n_rows} rows in {} bytes", rows.len());
                return Err(CommitError::Damaged { detail });
            }
            let end = record.len() - behind.len();
            parts.push((number, end - rows.len()..end, n_rows));
            rest = behind;
        }
        Ok(Self { record, parts })
    }
}

/// Rows of a series that wait.
#[derive(Debug)]
struct Waiting {
    /// Record that holds the oldest of them.
    first_id: i64,
    /// How far the rows in the tables go.
    from: Progress,
    pieces: Vec<Piece>,
}

/// Series with rows that wait, each with the last closed row that is in its table, ms: what a question must know, kept
/// where it need not wait for the writer.
pub(super) type Behind = HashMap<i64, Option<i64>>;

/// What the writer remembers of the table. It changes only after a commit.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: HashMap<i64, Waiting>,
    /// Series by the record that holds the oldest of their rows. Some have been sorted in since.
    order: VecDeque<(i64, i64)>,
    last_id: i64,
    n_rows: usize,
    n_bytes: usize,
}

impl Arrivals {
    /// Whether rows of a store of so many series wait.
    pub(super) fn are_wanted(n_series: usize) -> bool {
        n_series >= SERIES_MIN
    }

    fn oldest(&self) -> impl Iterator<Item = i64> {
        let waits = |&(id, number): &(i64, i64)| {
            self.waiting.get(&number).filter(|waiting| waiting.first_id == id).map(|_| number)
        };
        self.order.iter().filter_map(waits)
    }

    /// Series to sort in, longest waiting first: none until more rows wait than may.
    pub(super) fn due(&self, n_series: usize) -> Vec<i64> {
        if self.n_rows <= ROWS_A_SERIES * n_series && self.n_bytes <= BYTES_MAX {
            return Vec::new();
        }
        self.oldest().take(SERIES_AT_ONCE).collect()
    }

    /// Writes a record.
    pub(super) async fn keep(&self, conn: &mut SqliteConnection, arrived: &Arrived) -> Result<(), CommitError> {
        if arrived.parts.is_empty() {
            return Ok(());
        }
        sqlx::query("INSERT INTO arrivals (id, rows) VALUES (?, ?)")
            .bind(self.last_id + 1)
            .bind(&*arrived.record)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Writes the rows of some series into their tables. An open row that closed while it waited is never written.
    pub(super) async fn sort_in(
        &self,
        conn: &mut SqliteConnection,
        texts: &mut Texts,
        numbers: &[i64],
        known: &Known,
    ) -> Result<OpenChanges, CommitError> {
        let mut rows = Vec::new();
        let mut batch = Batch::default();
        for number in numbers {
            let Some(waiting) = self.waiting.get(number) else { continue };
            batch.progress.insert(*number, (waiting.from, waiting.from));
            for piece in &waiting.pieces {
                rows.extend(piece.decode()?.into_iter().map(|row| (*number, row)));
            }
        }
        for (number, row) in &rows {
            // A record is kept until the last of its series is sorted in; a start finds rows again that are in their
            // table already.
            match row {
                Waiter::Frame(frame) => batch.close(*number, Form::Encoded(frame), known),
                Waiter::Score(score) => batch.score(*number, Form::Encoded(score), known),
                Waiter::Settled(settled) => batch.settle(*number, settled, known),
                Waiter::Latent(at_ms, latent) => batch.latents.push((*number, *at_ms, Form::Encoded(latent))),
                Waiter::Open(open) => batch.fill(*number, Form::Encoded(open), known),
            }
        }
        commit::write_rows(conn, texts, &batch).await?;
        Ok(batch.open_changes())
    }

    /// Removes the records of which every row is in its table once those of `numbers` are.
    pub(super) async fn forget(&self, conn: &mut SqliteConnection, numbers: &[i64]) -> Result<(), CommitError> {
        let is_left = |number: &i64| !numbers.contains(number);
        let first_kept = self.oldest().find(is_left).map_or(self.last_id + 1, |number| self.waiting[&number].first_id);
        sqlx::query("DELETE FROM arrivals WHERE id < ?").bind(first_kept).execute(conn).await?;
        Ok(())
    }

    /// Brings the memory up to what is now committed: series sorted in, then rows of a record kept.
    pub(super) fn remember(
        &mut self,
        sorted: &[i64],
        arrived: Arrived,
        from: impl Fn(i64) -> Progress,
        behind: &mut Behind,
    ) {
        for number in sorted {
            behind.remove(number);
            for piece in self.waiting.remove(number).into_iter().flat_map(|waiting| waiting.pieces) {
                self.n_rows -= piece.n_rows;
                self.n_bytes -= piece.rows.len();
            }
        }
        while let Some((id, number)) = self.order.front()
            && self.waiting.get(number).is_none_or(|waiting| waiting.first_id != *id)
        {
            self.order.pop_front();
        }
        if arrived.parts.is_empty() {
            return;
        }
        self.last_id += 1;
        for (number, rows, n_rows) in arrived.parts {
            self.n_rows += n_rows;
            self.n_bytes += rows.len();
            let waiting = self.waiting.entry(number).or_insert_with(|| {
                let from = from(number);
                self.order.push_back((self.last_id, number));
                behind.insert(number, from.last_closed_ms);
                Waiting { first_id: self.last_id, from, pieces: Vec::new() }
            });
            waiting.pieces.push(Piece { record: Arc::clone(&arrived.record), rows, n_rows });
        }
    }
}

/// Sorts in what a service that ended left waiting; `known` is how far the rows in the tables go. Returns whether there
/// was anything.
pub(super) async fn sort_in_leftovers(conn: &mut SqliteConnection, known: &Known) -> Result<bool, CommitError> {
    let records: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT id, rows FROM arrivals ORDER BY id").fetch_all(&mut *conn).await?;
    if records.is_empty() {
        return Ok(false);
    }
    let mut arrivals = Arrivals::default();
    let from = |number| known.progress.get(&number).copied().unwrap_or_default();
    for (_, bytes) in records {
        let arrived = Arrived::read(bytes)?;
        arrivals.remember(&[], arrived, from, &mut Behind::new());
    }
    let numbers: Vec<i64> = arrivals.oldest().collect();
    let mut texts = Texts::default();
    conn.execute("BEGIN IMMEDIATE").await?;
    for numbers in numbers.chunks(SERIES_AT_ONCE) {
        arrivals.sort_in(conn, &mut texts, numbers, known).await?;
    }
    conn.execute("DELETE FROM arrivals").await?;
    conn.execute("COMMIT").await?;
    Ok(true)
}

impl Store {
    /// Has the rows of a series that wait written into their tables, so that a question finds them there: nothing is done
    /// when another question has had its closed rows before `end` written meanwhile.
    ///
    /// # Errors
    /// As [`Store::commit`]; the rows wait on.
    pub(in crate::store) async fn sort_in(&self, number: i64, end: Option<Timestamp>) -> Result<(), CommitError> {
        let mut writer = self.inner.writer.lock().await;
        if self.inner.is_complete(number, end) { Ok(()) } else { self.sort_in_now(&mut writer, &[number]).await }
    }

    /// Has all rows that wait written into their tables.
    ///
    /// # Errors
    /// As [`Store::commit`]; the rest waits on.
    pub async fn sort_in_all(&self) -> Result<(), CommitError> {
        while self.sort_in_some(i64::MAX).await?.is_none() {}
        Ok(())
    }

    /// Has the rows of some series written into their tables of which one waits since record `until` or before, so few
    /// that a commit can wait for them. Once there are no more, returns the newest record: what is in it waits from now
    /// on.
    ///
    /// # Errors
    /// As [`Store::commit`]; the rows wait on.
    pub async fn sort_in_some(&self, until: i64) -> Result<Option<i64>, CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let arrivals = &writer.arrivals;
        let is_due = |number: &i64| arrivals.waiting[number].first_id <= until;
        let numbers: Vec<i64> = arrivals.oldest().take_while(is_due).take(SERIES_AT_ONCE).collect();
        if numbers.is_empty() {
            return Ok(Some(arrivals.last_id));
        }
        self.sort_in_now(&mut writer, &numbers).await?;
        Ok(None)
    }

    async fn sort_in_now(&self, writer: &mut Writer, numbers: &[i64]) -> Result<(), CommitError> {
        let mut conn = self.begin(writer).await?;
        let open_changes = writer.arrivals.sort_in(&mut conn, &mut writer.texts, numbers, &writer.known).await?;
        writer.arrivals.forget(&mut conn, numbers).await?;
        finish(&mut writer.connection, conn).await?;
        let mut behind = self.inner.behind.write().unwrap_or_else(PoisonError::into_inner);
        writer.arrivals.remember(numbers, Arrived::nothing(), |_| Progress::default(), &mut behind);
        writer.known.remember_open(&open_changes);
        Ok(())
    }
}

impl super::Inner {
    /// Whether the tables have every row of a series, or every closed row before `end`.
    pub(super) fn is_complete(&self, number: i64, end: Option<Timestamp>) -> bool {
        let behind = self.behind.read().unwrap_or_else(PoisonError::into_inner);
        match behind.get(&number) {
            None => true,
            Some(last_ms) => end.is_some_and(|end| last_ms.is_some_and(|last_ms| last_ms >= end.as_ms() - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(format: u8, part: &Part<'_>) -> Vec<u8> {
        postcard::to_extend(part, vec![format]).expect("encodable")
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let whole = record(FORMAT, &Part { number: 1, n_rows: 2, rows: &[7; 40] });
        let parts = Arrived::read(whole.clone()).expect("readable").parts;
        assert_eq!(parts, [(1, whole.len() - 40..whole.len(), 2)]);
        let cut_off = whole[..whole.len() - 1].to_vec();
        let told_wrong = record(FORMAT, &Part { number: 1, n_rows: usize::MAX, rows: &[7; 40] });
        let newer = record(FORMAT + 1, &Part { number: 1, n_rows: 2, rows: &[7; 40] });
        for damaged in [cut_off, told_wrong, newer, Vec::new()] {
            assert!(matches!(Arrived::read(damaged), Err(CommitError::Damaged { .. })));
        }
        // No row begins with a seven: there are five kinds.
        let piece = Piece { record: whole.into(), rows: parts[0].1.clone(), n_rows: 2 };
        assert!(matches!(piece.decode(), Err(CommitError::Damaged { .. })));
    }
}
