//! Model bundles: all that is needed to judge a series, fitted, versioned and as bytes.

/// A fitted model: all that is needed to judge a series.
#[derive(Debug)]
pub struct ModelBundle {}
