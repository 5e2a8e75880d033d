//! Detectors judged on labelled series.
