//! Model bundles: all that is needed to judge a series, fitted, versioned and as bytes.
