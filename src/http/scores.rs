//! `series/{series}/scores` and `series/{series}/readings`: rows in time, row by row or summed up by step.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::paging::{Link, check_limit, check_range, encode};
use super::rows::RowsJson;
use super::series::parse_series;
use super::state::AppState;
use super::view::{Moment, Page, ReadingRow, ReadingsView, ScoreRowView};
use crate::series::{Frame, HumanDuration, SeriesId, Timestamp};
use crate::store::{RowQuery, ScoreBucket, ScoreRef};

const LIMIT: u32 = 10_000;
const LIMIT_MAX: u32 = 100_000;

#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RowParameters {
    /// First moment asked for; the oldest row when left out; `since` is read as well.
    #[serde(alias = "since")]
    start: Option<Moment>,
    /// First moment not asked for; no end when left out; `until` is read as well.
    #[serde(alias = "until")]
    end: Option<Moment>,
    /// Sum rows up by this length of time (`30s`, `5m`, `1h`), least and greatest kept. From a minute up it is rounded
    /// up to whole minutes or hours.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "5m")]
    step: Option<HumanDuration>,
    /// Most rows in the answer; 10000 when left out.
    #[param(minimum = 1, maximum = 100000)]
    limit: Option<u32>,
    /// True adds contributions and expected values by channel to scores; with `step` mean expected values alone, those
    /// of an even sample where the range holds more than 30,000 judged rows.
    #[serde(default)]
    detail: bool,
}

impl RowParameters {
    fn query(&self) -> Result<RowQuery, ApiError> {
        let (start, end) = check_range(self.start, self.end)?;
        let limit = check_limit(self.limit, LIMIT, LIMIT_MAX)?;
        Ok(RowQuery { start, end, limit, newest_first: false })
    }

    fn step_ms(&self) -> Result<Option<i64>, ApiError> {
        match self.step.map(HumanDuration::as_ms) {
            Some(ms) if ms < 1 => Err(ApiError::Parameter {
                parameter: "step",
                found: format!("{ms} ms"),
                expected: "at least 1ms".to_owned(),
            }),
            step => Ok(step),
        }
    }

    /// Link to the part after `last`, when the answer is as long as it may be.
    fn next(&self, series: &SeriesId, resource: &str, last: Option<Timestamp>, after_ms: i64) -> Option<String> {
        let link = Link::new(format!("/api/v1/series/{}/{resource}", encode(series.as_str())))
            .with("start", last.map(|at| at.plus_ms(after_ms)))
            .with("end", self.end)
            .with("step", self.step)
            .with("limit", self.limit)
            .with("detail", self.detail.then_some(true));
        last.map(|_| link.build())
    }
}

/// Judged rows of a series, oldest first.
#[utoipa::path(get, path = "/api/v1/series/{series}/scores", tag = "series",
    params(("series" = String, Path, description = "Its name, percent-encoded"), RowParameters),
    responses(
    (status = 200, description = "Judged rows", body = Page<ScoreRowView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn scores(
    State(state): State<AppState>,
    Path(series): Path<String>,
    Query(parameters): Query<RowParameters>,
) -> Result<Response, ApiError> {
    let series = parse_series(&series)?;
    let query = parameters.query()?;
    let is_full = |n: usize| n >= query.limit as usize;
    if let Some(step_ms) = parameters.step_ms()? {
        let buckets = state.reader.score_buckets(&series, &query, step_ms).await?;
        let last = buckets.last().map(|bucket| bucket.at).filter(|_| is_full(buckets.len()));
        let next = parameters.next(&series, "scores", last, step_ms);
        let expected = if parameters.detail {
            state.reader.expected_buckets(&series, &query, step_ms).await?
        } else {
            HashMap::new()
        };
        let view = |bucket: ScoreBucket| {
            let expected =
                expected.get(&bucket.at).map(|means| means.iter().map(|(c, v)| (c.to_string(), *v)).collect());
            ScoreRowView { expected, ..ScoreRowView::from(bucket) }
        };
        return Ok(Json(Page { data: buckets.into_iter().map(view).collect(), next }).into_response());
    }
    let detail = parameters.detail;
    let write = move |rows: &mut RowsJson, row: &ScoreRef<'_>| rows.push(row.at, &ScoreRowView::new(row, detail));
    let rows = state.reader.each_score(&series, &query, RowsJson::new(None), write).await?;
    let next = parameters.next(&series, "scores", rows.last_of(query.limit), 1);
    Ok(rows.answer(next))
}

/// Closed rows of a series, oldest first: what was measured.
#[utoipa::path(get, path = "/api/v1/series/{series}/readings", tag = "series",
    params(("series" = String, Path, description = "Its name, percent-encoded"), RowParameters),
    responses(
    (status = 200, description = "Closed rows", body = ReadingsView),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn readings(
    State(state): State<AppState>,
    Path(series): Path<String>,
    Query(parameters): Query<RowParameters>,
) -> Result<Response, ApiError> {
    let series = parse_series(&series)?;
    let query = parameters.query()?;
    let channels: Vec<String> =
        state.reader.one_series(&series).await?.channels.into_iter().map(String::from).collect();
    let is_full = |n: usize| n >= query.limit as usize;
    if let Some(step_ms) = parameters.step_ms()? {
        let buckets = state.reader.frame_buckets(&series, &query, step_ms).await?;
        let last = buckets.last().map(|bucket| bucket.at).filter(|_| is_full(buckets.len()));
        let next = parameters.next(&series, "readings", last, step_ms);
        let data = buckets.into_iter().map(|bucket| ReadingRow::from_bucket(bucket, channels.len())).collect();
        return Ok(Json(ReadingsView { channels, data, next }).into_response());
    }
    let rows = RowsJson::new(Some(&channels));
    let n_channels = channels.len();
    let write = move |rows: &mut RowsJson, frame: &Frame| rows.push(frame.at, &ReadingRow::new(frame, n_channels));
    let rows = state.reader.each_frame(&series, &query, rows, write).await?;
    let next = parameters.next(&series, "readings", rows.last_of(query.limit), 1);
    Ok(rows.answer(next))
}
