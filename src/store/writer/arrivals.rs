//! The table `arrivals`: rows of large fleets wait in the order in which they came until a series has several, which
//! are then sorted into the tables of rows together.
//!
//! A row of each series lies in pages of its own in `frames`, `scores` and `settled_scores`, so what a fleet costs is
//! pages, not bytes: each is written to the log, read back, and written to the file. Four rows of a series share them.
//! Small fleets gain nothing by it, because rows of one commit share pages already, and are written at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use sqlx::{Executor, SqliteConnection};

use super::batch::Batch;
use super::known::{Known, Progress};
use super::rows::Texts;
use super::{Writer, commit, finish};
use crate::pipeline::{ScoreRow, SettledRow};
use crate::series::{Frame, Timestamp};
use crate::store::{CommitError, Store};

/// Series from which on rows wait.
const SERIES_MIN: usize = 256;

/// Rows that wait for each series of the store, those of all tables counted: four closed rows, their live and their
/// settled scores. More save fewer pages each, and take memory: 300 bytes for the three, of eight channels.
const ROWS_A_SERIES: usize = 12;

/// Bytes that wait at most.
const BYTES_MAX: usize = 64 << 20;

/// Series sorted in together: many share the trips to the connection's thread, and a commit that waits for them waits
/// some twenty milliseconds.
const SERIES_AT_ONCE: usize = 256;

/// First byte of a record: how the rest is encoded. A newer form gets the next number, and this one stays readable: a
/// service that was killed is followed by a newer one at times.
const FORMAT: u8 = 1;

/// A row as it waits.
#[derive(Debug, Serialize, Deserialize)]
enum Row<'a> {
    Frame(Cow<'a, Frame>),
    Score(Cow<'a, ScoreRow>),
    Settled(SettledRow),
    /// Time, ms, and the latent of the window that ends there.
    Latent(i64, Cow<'a, [f32]>),
}

/// Rows of a series that came in one commit.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    /// Encoded one after the other.
    rows: Vec<u8>,
    /// How many they are.
    n_rows: usize,
}

impl Part {
    fn push(&mut self, row: &Row<'_>) -> Result<(), CommitError> {
        self.rows = postcard::to_extend(row, std::mem::take(&mut self.rows)).map_err(unencodable)?;
        self.n_rows += 1;
        Ok(())
    }

    /// The rows again, in their order.
    fn decode(&self) -> Result<Vec<Row<'static>>, CommitError> {
        let mut rest = self.rows.as_slice();
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

/// The rows of a batch by series, as one record of the table holds them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrived(BTreeMap<i64, Part>);

impl Arrived {
    pub(super) fn of(batch: &Batch<'_>) -> Result<Self, CommitError> {
        let mut parts: BTreeMap<i64, Part> = BTreeMap::new();
        for (number, frame) in &batch.frames {
            parts.entry(*number).or_default().push(&Row::Frame(Cow::Borrowed(frame)))?;
        }
        for (number, score) in &batch.scores {
            parts.entry(*number).or_default().push(&Row::Score(Cow::Borrowed(score)))?;
        }
        for (number, settled) in &batch.settled {
            parts.entry(*number).or_default().push(&Row::Settled(**settled))?;
        }
        for (number, at_ms, latent) in &batch.latents {
            parts.entry(*number).or_default().push(&Row::Latent(*at_ms, Cow::Borrowed(latent)))?;
        }
        Ok(Self(parts))
    }

    fn encode(&self) -> Result<Vec<u8>, CommitError> {
        postcard::to_extend(self, vec![FORMAT]).map_err(unencodable)
    }

    fn decode(record: &[u8]) -> Result<Self, CommitError> {
        match record.split_first() {
            Some((&FORMAT, rest)) => postcard::from_bytes(rest).map_err(undecodable),
            found => {
                let found = found.map_or("none".to_owned(), |(format, _)| format.to_string());
                let detail = format!("arrivals holds a record of format {found}, expected {FORMAT}");
                Err(CommitError::Damaged { detail })
            }
        }
    }
}

/// Rows of a series that wait.
#[derive(Debug)]
struct Waiting {
    /// Record that holds the oldest of them.
    first_id: i64,
    /// How far the rows in the tables go.
    from: Progress,
    parts: Vec<Part>,
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
        if arrived.0.is_empty() {
            return Ok(());
        }
        let bytes = arrived.encode()?;
        sqlx::query("INSERT INTO arrivals (id, rows) VALUES (?, ?)")
            .bind(self.last_id + 1)
            .bind(bytes)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Writes the rows of some series into their tables.
    pub(super) async fn sort_in(
        &self,
        conn: &mut SqliteConnection,
        texts: &mut Texts,
        numbers: &[i64],
    ) -> Result<(), CommitError> {
        let mut rows = Vec::new();
        let mut batch = Batch::default();
        for number in numbers {
            let Some(waiting) = self.waiting.get(number) else { continue };
            batch.progress.insert(*number, (waiting.from, waiting.from));
            for part in &waiting.parts {
                rows.extend(part.decode()?.into_iter().map(|row| (*number, row)));
            }
        }
        for (number, row) in &rows {
            let Some((_, progress)) = batch.progress.get_mut(number) else { continue };
            match row {
                // A record is kept until the last of its series is sorted in; a start finds rows again that are in their
                // table already.
                Row::Frame(frame) => {
                    if progress.close(frame.at) {
                        batch.frames.push((*number, frame));
                    }
                }
                Row::Score(score) => {
                    progress.score(score.at);
                    batch.scores.push((*number, score));
                }
                Row::Settled(settled) => {
                    progress.settle(settled.at);
                    batch.settled.push((*number, settled));
                }
                Row::Latent(at_ms, latent) => batch.latents.push((*number, *at_ms, latent)),
            }
        }
        commit::write_rows(conn, texts, &batch).await?;
        Ok(())
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
            for part in self.waiting.remove(number).into_iter().flat_map(|waiting| waiting.parts) {
                self.n_rows -= part.n_rows;
                self.n_bytes -= part.rows.len();
            }
        }
        while let Some((id, number)) = self.order.front()
            && self.waiting.get(number).is_none_or(|waiting| waiting.first_id != *id)
        {
            self.order.pop_front();
        }
        if arrived.0.is_empty() {
            return;
        }
        self.last_id += 1;
        for (number, mut part) in arrived.0 {
            part.rows.shrink_to_fit();
            self.n_rows += part.n_rows;
            self.n_bytes += part.rows.len();
            let waiting = self.waiting.entry(number).or_insert_with(|| {
                let from = from(number);
                self.order.push_back((self.last_id, number));
                behind.insert(number, from.last_closed_ms);
                Waiting { first_id: self.last_id, from, parts: Vec::new() }
            });
            waiting.parts.push(part);
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
        let arrived = Arrived::decode(&bytes)?;
        arrivals.remember(&[], arrived, from, &mut Behind::new());
    }
    let numbers: Vec<i64> = arrivals.oldest().collect();
    let mut texts = Texts::default();
    conn.execute("BEGIN IMMEDIATE").await?;
    for numbers in numbers.chunks(SERIES_AT_ONCE) {
        arrivals.sort_in(conn, &mut texts, numbers).await?;
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
        self.sort_in_until(i64::MAX).await?;
        Ok(())
    }

    /// Has the rows of every series written into their tables of which one waits since record `until` or before, in
    /// steps between which commits have their turn. Returns the newest record: what is in it waits from now on.
    ///
    /// # Errors
    /// As [`Store::commit`]; the rest waits on.
    pub async fn sort_in_until(&self, until: i64) -> Result<i64, CommitError> {
        loop {
            let mut writer = self.inner.writer.lock().await;
            let arrivals = &writer.arrivals;
            let is_due = |number: &i64| arrivals.waiting[number].first_id <= until;
            let numbers: Vec<i64> = arrivals.oldest().take_while(is_due).take(SERIES_AT_ONCE).collect();
            if numbers.is_empty() {
                return Ok(arrivals.last_id);
            }
            self.sort_in_now(&mut writer, &numbers).await?;
        }
    }

    async fn sort_in_now(&self, writer: &mut Writer, numbers: &[i64]) -> Result<(), CommitError> {
        let mut conn = self.begin(writer).await?;
        writer.arrivals.sort_in(&mut conn, &mut writer.texts, numbers).await?;
        writer.arrivals.forget(&mut conn, numbers).await?;
        finish(&mut writer.connection, conn).await?;
        let mut behind = self.inner.behind.write().unwrap_or_else(PoisonError::into_inner);
        writer.arrivals.remember(numbers, Arrived::default(), |_| Progress::default(), &mut behind);
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
