//! A recording: one series as a CSV file, for scoring, judging, training and playing back.
//!
//! The first line names the columns: an optional first column `timestamp` (RFC 3339, `YYYY-MM-DD hh:mm:ss` in UTC,
//! or an epoch number), then one column per channel, then an optional last column `label` (0 or 1). A cell that is
//! empty, `null`, `NaN` or infinite is a missing reading. Everything else that is not a number is refused with its
//! line and column. This file knows nothing of grids: it hands over rows as they stand.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use crate::series::{ChannelName, NameError, TimeError, Timestamp};

/// Spacing given to the rows of a recording that has no timestamps.
const UNTIMED_STRIDE_MS: i64 = 1000;

/// Why a file is not a recording. Lines count from 1, the header is line 1; columns count from 1.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("{}: {cause}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Reading stopped in the middle.
    #[error("reading stopped: {0}")]
    Csv(#[from] csv::Error),
    /// There is no header, or no row below it.
    #[error("found {found_lines} lines, expected a header of channel names and at least one row")]
    Empty {
        /// Non-empty lines found, at most 1.
        found_lines: u64,
    },
    /// The first line holds numbers only.
    #[error("line 1 holds numbers only, expected a header of channel names")]
    NoHeader,
    /// No column is a channel.
    #[error("line 1 names no channel, only {found:?}; are the columns separated by commas?")]
    NoChannel {
        /// The header.
        found: String,
    },
    /// A channel's name is not one.
    #[error("line 1, column {column}: {cause}")]
    Name {
        /// Column, from 1.
        column: usize,
        /// What is wrong with it.
        cause: NameError,
    },
    /// Two columns share a name.
    #[error("line 1, columns {first} and {second} are both named {name:?}")]
    DuplicateChannel {
        /// The name.
        name: String,
        /// Column of the first, from 1.
        first: usize,
        /// Column of the second, from 1.
        second: usize,
    },
    /// A row has more or fewer cells than the header.
    #[error("line {line}: found {found} cells, expected {expected} as in the header")]
    Cells {
        /// Line, from 1.
        line: u64,
        /// Cells found.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// A cell is not what its column holds.
    #[error("line {line}, column {column} ({name}): found {found:?}, expected {expected}")]
    Cell {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// The column's name.
        name: String,
        /// The start of the cell's text.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A timestamp is not one.
    #[error("line {line}, column 1 (timestamp): {cause}")]
    Time {
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        cause: TimeError,
    },
    /// One of the above, in a file.
    #[error("{}: {cause}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<RecordingError>,
    },
}

/// Whether to look at a last column `label`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelColumn {
    /// Its cells are not even parsed; `label` stays `None`.
    Ignored,
    /// Its cells must be 0 or 1 (or `true`, `false`).
    Read,
}

/// One series as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The channels, in the file's order.
    pub channels: Vec<ChannelName>,
    /// Event times as in the file, `[row]`; none without a `timestamp` column.
    pub at: Option<Vec<Timestamp>>,
    /// Values, `[row * channel]`, finite; 0.0 where missing.
    pub values: Vec<f64>,
    /// False where a reading is missing, `[row * channel]`.
    pub present: Vec<bool>,
    /// Labels, `[row]`, true = anomalous; none without a `label` column or when it was not to be read.
    pub label: Option<Vec<bool>>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a recording; the error names the file.
    pub fn open(path: &Path, label: LabelColumn) -> Result<Self, RecordingError> {
        let file = File::open(path).map_err(|cause| RecordingError::Open { path: path.into(), cause })?;
        Self::read(BufReader::new(file), label)
            .map_err(|cause| RecordingError::InFile { path: path.into(), cause: Box::new(cause) })
    }

    /// Reads from any source of bytes.
    ///
    /// # Errors
    /// When the bytes are not a recording.
    pub fn read(source: impl Read, label: LabelColumn) -> Result<Self, RecordingError> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source);
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record)? {
            return Err(RecordingError::Empty { found_lines: 0 });
        }
        let header = Header::parse(&record)?;
        let mut recording = Self {
            channels: header.channels.clone(),
            at: header.has_timestamp.then(Vec::new),
            values: Vec::new(),
            present: Vec::new(),
            label: (header.has_label && label == LabelColumn::Read).then(Vec::new),
        };
        while reader.read_byte_record(&mut record)? {
            // The record's own position lies before the blank lines that were skipped to reach it.
            let start = record.position().map_or(0, csv::Position::line);
            let line = start.max(reader.position().line().saturating_sub(1));
            recording.push_row(&header, &record, line)?;
        }
        if recording.n_rows() == 0 {
            return Err(RecordingError::Empty { found_lines: 1 });
        }
        Ok(recording)
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.channels.len()
    }

    /// Values of a row, `[channel]`.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.channels.len()..(row + 1) * self.channels.len()]
    }

    /// Which readings of a row are there, `[channel]`.
    pub fn row_present(&self, row: usize) -> &[bool] {
        &self.present[row * self.channels.len()..(row + 1) * self.channels.len()]
    }

    /// Strictly rising event times for the row grid, `[row]`.
    ///
    /// A time that does not rise is nudged to one millisecond after the row before it, so that every input row stays
    /// a row of its own (recordings repeat seconds where clocks stumbled). Without timestamps rows are one second
    /// apart from 1970-01-01T00:00:00Z.
    pub fn row_times(&self) -> Vec<Timestamp> {
        let Some(at) = &self.at else {
            return (0..self.n_rows()).map(|row| Timestamp::from_ms(row as i64 * UNTIMED_STRIDE_MS)).collect();
        };
        let mut times = at.clone();
        for row in 1..times.len() {
            times[row] = times[row].max(times[row - 1].plus_ms(1));
        }
        times
    }

    fn push_row(&mut self, header: &Header, record: &ByteRecord, line: u64) -> Result<(), RecordingError> {
        if record.len() != header.n_columns {
            return Err(RecordingError::Cells { line, found: record.len(), expected: header.n_columns });
        }
        if let Some(at) = &mut self.at {
            let text = String::from_utf8_lossy(&record[0]);
            at.push(Timestamp::parse(&text).map_err(|cause| RecordingError::Time { line, cause })?);
        }
        let first = usize::from(header.has_timestamp);
        let refuse = |column: usize, name: &str, expected| RecordingError::Cell {
            line,
            column: column + 1,
            name: name.to_owned(),
            found: String::from_utf8_lossy(&record[column]).chars().take(40).collect(),
            expected,
        };
        for (index, channel) in header.channels.iter().enumerate() {
            let column = first + index;
            let value = parse_value(&record[column])
                .ok_or_else(|| refuse(column, channel.as_str(), "a number, or nothing for a missing reading"))?;
            self.present.push(value.is_some());
            self.values.push(value.unwrap_or(0.0));
        }
        if let Some(label) = &mut self.label {
            let column = header.n_columns - 1;
            label.push(parse_label(&record[column]).ok_or_else(|| refuse(column, "label", "0 or 1"))?);
        }
        Ok(())
    }
}

/// What the first line says.
struct Header {
    channels: Vec<ChannelName>,
    has_timestamp: bool,
    has_label: bool,
    n_columns: usize,
}

impl Header {
    fn parse(record: &ByteRecord) -> Result<Self, RecordingError> {
        let names: Vec<String> = record
            .iter()
            .enumerate()
            .map(|(column, bytes)| {
                let text = String::from_utf8_lossy(bytes);
                let text = if column == 0 { text.trim_start_matches('\u{feff}') } else { &text };
                text.trim().to_owned()
            })
            .collect();
        if names.iter().all(|name| name.parse::<f64>().is_ok()) {
            return Err(RecordingError::NoHeader);
        }
        let has_timestamp = names.first().is_some_and(|name| name.eq_ignore_ascii_case("timestamp"));
        let has_label = names.len() > 1 && names.last().is_some_and(|name| name.eq_ignore_ascii_case("label"));
        let span = usize::from(has_timestamp)..names.len() - usize::from(has_label);
        let mut channels: Vec<ChannelName> = Vec::with_capacity(span.len());
        for (column, name) in names.iter().enumerate().take(span.end).skip(span.start) {
            let name = ChannelName::parse(name).map_err(|cause| RecordingError::Name { column: column + 1, cause })?;
            if let Some(first) = channels.iter().position(|other| *other == name) {
                let (first, second) = (span.start + first + 1, column + 1);
                return Err(RecordingError::DuplicateChannel { name: name.to_string(), first, second });
            }
            channels.push(name);
        }
        if channels.is_empty() {
            return Err(RecordingError::NoChannel { found: names.join(",") });
        }
        Ok(Self { channels, has_timestamp, has_label, n_columns: names.len() })
    }
}

/// A number, or nothing for a missing reading; `None` for what is neither.
fn parse_value(cell: &[u8]) -> Option<Option<f64>> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") {
        return Some(None);
    }
    let value: f64 = text.parse().ok()?;
    Some(value.is_finite().then_some(value))
}

fn parse_label(cell: &[u8]) -> Option<bool> {
    match std::str::from_utf8(cell).ok()?.trim() {
        "0" | "0.0" | "false" | "False" => Some(false),
        "1" | "1.0" | "true" | "True" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recording, RecordingError> {
        Recording::read(text.as_bytes(), LabelColumn::Read)
    }

    #[test]
    fn columns_are_told_apart_by_name_and_place() {
        let recording = read("timestamp,load,temp,label\n2026-11-24 12:00:00,1,2.5,0\n1795521601,-3e2,,1\n").unwrap();
        let names: Vec<&str> = recording.channels.iter().map(ChannelName::as_str).collect();
        assert_eq!(names, ["load", "temp"]);
        assert_eq!(recording.at.as_deref().map(|at| at[1].ms_since(at[0])), Some(1000));
        assert_eq!(recording.values, [1.0, 2.5, -300.0, 0.0]);
        assert_eq!(recording.present, [true, true, true, false]);
        assert_eq!(recording.label, Some(vec![false, true]));
        assert_eq!((recording.row(1), recording.row_present(1)), (&[-300.0, 0.0][..], &[true, false][..]));
    }

    #[test]
    fn a_label_that_is_not_to_be_read_is_not_even_parsed() {
        let text = "value,label\n1,soup\n2,\n";
        let recording = Recording::read(text.as_bytes(), LabelColumn::Ignored).unwrap();
        assert_eq!((recording.n_rows(), recording.label), (2, None));
        assert!(read(text).is_err());
    }

    #[test]
    fn a_byte_order_mark_blank_lines_and_windows_line_ends_do_no_harm() {
        let recording = read("\u{feff}timestamp,a\r\n\r\n5,1\r\n6,nan\r\n7,inf\r\n8,NULL\r\n").unwrap();
        assert_eq!(recording.channels.len(), 1);
        assert_eq!(recording.present, [true, false, false, false]);
    }

    #[test]
    fn what_is_not_a_recording_is_refused_with_its_place() {
        let check = |text: &str, expected: &str| {
            let found = read(text).map(|_| ()).unwrap_err().to_string();
            assert_eq!(found, expected, "{text:?}");
        };
        check("", "found 0 lines, expected a header of channel names and at least one row");
        check("a,b\n", "found 1 lines, expected a header of channel names and at least one row");
        check("1,2\n3,4\n", "line 1 holds numbers only, expected a header of channel names");
        check(
            "timestamp,label\n1,0\n",
            "line 1 names no channel, only \"timestamp,label\"; are the columns separated by commas?",
        );
        check("a,,b\n1,2,3\n", "line 1, column 2: a name needs at least one character");
        check("timestamp,a,b,a\n1,2,3,4\n", "line 1, columns 2 and 4 are both named \"a\"");
        check("a,b\n1,2\n3\n", "line 3: found 1 cells, expected 2 as in the header");
        check("a,b\n1,2\n\n3,4,5\n", "line 4: found 3 cells, expected 2 as in the header");
        check(
            "a,b\n1,2\n3,1.2.3\n",
            "line 3, column 2 (b): found \"1.2.3\", expected a number, or nothing for a missing reading",
        );
        check("a,label\n1,2\n", "line 2, column 2 (label): found \"2\", expected 0 or 1");
        check(
            "timestamp,a\nyesterday,2\n",
            "line 2, column 1 (timestamp): \"yesterday\" is not a time; accepted: RFC 3339, \"YYYY-MM-DD hh:mm:ss\" (UTC), or an epoch number",
        );
    }

    #[test]
    fn times_that_do_not_rise_are_nudged_by_a_millisecond() {
        let recording = read("timestamp,a\n10,1\n10,2\n9,3\n11,4\n").unwrap();
        let ms: Vec<i64> = recording.row_times().iter().map(|at| at.as_ms()).collect();
        assert_eq!(ms, [10_000, 10_001, 10_002, 11_000]);
        let untimed = read("a\n1\n2\n").unwrap();
        let ms: Vec<i64> = untimed.row_times().iter().map(|at| at.as_ms()).collect();
        assert_eq!(ms, [0, 1000]);
    }
}
