//! Long lists of rows as JSON: each row is written as it is read from the store, while the store reads on.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::series::Timestamp;

/// The rows of a [`Page`](super::view::Page) or of [`ReadingsView`](super::view::ReadingsView), written so far.
#[derive(Debug)]
pub(super) struct RowsJson {
    json: Vec<u8>,
    n_rows: usize,
    last: Option<Timestamp>,
}

impl RowsJson {
    /// An answer without rows yet; readings say the names of their channels first.
    pub(super) fn new(channels: Option<&[String]>) -> Self {
        let mut json = b"{".to_vec();
        if let Some(channels) = channels {
            json.extend_from_slice(b"\"channels\":");
            append(&mut json, &channels);
            json.push(b',');
        }
        json.extend_from_slice(b"\"data\":[");
        Self { json, n_rows: 0, last: None }
    }

    /// Writes the row of a moment.
    pub(super) fn push(&mut self, at: Timestamp, row: &impl Serialize) {
        if self.n_rows > 0 {
            self.json.push(b',');
        }
        self.n_rows += 1;
        self.last = Some(at);
        append(&mut self.json, row);
    }

    /// Moment of the last row, when there are as many as there may be.
    pub(super) fn last_of(&self, limit: u32) -> Option<Timestamp> {
        self.last.filter(|_| self.n_rows >= limit as usize)
    }

    /// The whole answer, with the link to the next part.
    pub(super) fn answer(mut self, next: Option<String>) -> Response {
        self.json.extend_from_slice(b"],\"next\":");
        append(&mut self.json, &next);
        self.json.push(b'}');
        ([(CONTENT_TYPE, "application/json")], self.json).into_response()
    }
}

/// Plain rows have a JSON form, and memory takes it.
fn append(json: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(json, value);
}
