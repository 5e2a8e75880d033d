//! What the API asks of the pipeline: that a stored model judges a series.

use tokio::sync::oneshot;

use crate::series::SeriesId;

/// A person picks a stored model for a series.
#[derive(Debug)]
pub struct Activation {
    /// The series.
    pub series: SeriesId,
    /// The model, which is in the store and fits the series' channels.
    pub model_id: String,
    /// True once the pick is on its way, false when the series has no row yet.
    pub answer: oneshot::Sender<bool>,
}
