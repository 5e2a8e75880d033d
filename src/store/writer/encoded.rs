//! Rows with their blobs encoded, as the tables hold them: what waits is encoded once.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pipeline::{ScoreRow, SettledRow};
use crate::series::Frame;
use crate::store::blob::{encode_cells, encode_detail, encode_f32s, encode_i32s, encode_values};
use crate::windowing::OpenRow;

/// A row on its way to its table: as it came, or encoded already.
#[derive(Debug)]
pub(super) enum Form<'a, T: ?Sized, E: ?Sized> {
    Fresh(&'a T),
    Encoded(&'a E),
}

impl<T: ?Sized, E: ?Sized> Clone for Form<'_, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, E: ?Sized> Copy for Form<'_, T, E> {}

/// A closed row.
pub(super) type FrameForm<'a> = Form<'a, Frame, EncodedFrame<'a>>;
/// A row that is being filled.
pub(super) type OpenForm<'a> = Form<'a, OpenRow, EncodedOpen<'a>>;
/// A live score.
pub(super) type ScoreForm<'a> = Form<'a, ScoreRow, EncodedScore<'a>>;
/// A latent.
pub(super) type LatentForm<'a> = Form<'a, [f32], [u8]>;

/// The columns of a closed row, but for its series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EncodedFrame<'a> {
    pub(super) at_ms: i64,
    #[serde(borrow, serialize_with = "as_bytes", deserialize_with = "borrowed")]
    pub(super) values: Cow<'a, [u8]>,
    #[serde(borrow, serialize_with = "as_bytes", deserialize_with = "borrowed")]
    pub(super) cells: Cow<'a, [u8]>,
}

impl EncodedFrame<'_> {
    fn of(frame: &Frame) -> Self {
        let (values, cells) = (encode_values(&frame.values).into(), encode_cells(&frame.cells).into());
        Self { at_ms: frame.at.as_ms(), values, cells }
    }
}

/// The columns of a row that is being filled, but for its series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EncodedOpen<'a> {
    #[serde(borrow)]
    pub(super) frame: EncodedFrame<'a>,
    #[serde(borrow, serialize_with = "as_bytes", deserialize_with = "borrowed")]
    pub(super) heard_ms: Cow<'a, [u8]>,
}

/// The columns of a live score, but for its series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EncodedScore<'a> {
    pub(super) at_ms: i64,
    pub(super) live_score: f64,
    pub(super) evidence: f64,
    pub(super) p_value: f64,
    pub(super) autoencoder_error: Option<f64>,
    pub(super) pca_error: Option<f64>,
    pub(super) baseline_error: f64,
    pub(super) is_anomalous: bool,
    #[serde(borrow, serialize_with = "as_bytes", deserialize_with = "borrowed")]
    pub(super) detail: Cow<'a, [u8]>,
}

impl EncodedScore<'_> {
    fn of(score: &ScoreRow) -> Self {
        Self {
            at_ms: score.at.as_ms(),
            live_score: score.live_score,
            evidence: score.evidence,
            p_value: score.p_value,
            autoencoder_error: score.autoencoder_error,
            pca_error: score.pca_error,
            baseline_error: score.baseline_error,
            is_anomalous: score.is_anomalous,
            detail: encode_detail(score).into(),
        }
    }
}

/// A row of any table as it waits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Waiter<'a> {
    #[serde(borrow)]
    Frame(EncodedFrame<'a>),
    #[serde(borrow)]
    Score(EncodedScore<'a>),
    Settled(SettledRow),
    /// Time, ms, and the latent of the window that ends there.
    Latent(i64, #[serde(borrow, serialize_with = "as_bytes", deserialize_with = "borrowed")] Cow<'a, [u8]>),
    #[serde(borrow)]
    Open(EncodedOpen<'a>),
}

impl<'a> FrameForm<'a> {
    pub(super) fn encoded(self) -> EncodedFrame<'a> {
        match self {
            Form::Fresh(frame) => EncodedFrame::of(frame),
            Form::Encoded(frame) => frame.clone(),
        }
    }

    pub(super) fn at_ms(&self) -> i64 {
        match self {
            Form::Fresh(frame) => frame.at.as_ms(),
            Form::Encoded(frame) => frame.at_ms,
        }
    }
}

impl<'a> OpenForm<'a> {
    pub(super) fn encoded(self) -> EncodedOpen<'a> {
        match self {
            Form::Fresh(row) => {
                EncodedOpen { frame: EncodedFrame::of(&row.frame), heard_ms: encode_i32s(&row.heard_ms).into() }
            }
            Form::Encoded(row) => row.clone(),
        }
    }

    pub(super) fn at_ms(&self) -> i64 {
        match self {
            Form::Fresh(row) => row.frame.at.as_ms(),
            Form::Encoded(row) => row.frame.at_ms,
        }
    }
}

impl<'a> ScoreForm<'a> {
    pub(super) fn encoded(self) -> EncodedScore<'a> {
        match self {
            Form::Fresh(score) => EncodedScore::of(score),
            Form::Encoded(score) => score.clone(),
        }
    }

    pub(super) fn at_ms(&self) -> i64 {
        match self {
            Form::Fresh(score) => score.at.as_ms(),
            Form::Encoded(score) => score.at_ms,
        }
    }
}

impl<'a> LatentForm<'a> {
    pub(super) fn encoded(self) -> Cow<'a, [u8]> {
        match self {
            Form::Fresh(latent) => encode_f32s(latent).into(),
            Form::Encoded(bytes) => Cow::Borrowed(bytes),
        }
    }
}

/// Bytes as a whole; as a sequence each would be asked for alone.
pub(super) fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

fn borrowed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, [u8]>, D::Error> {
    <&[u8]>::deserialize(deserializer).map(Cow::Borrowed)
}
