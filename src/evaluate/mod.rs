//! The judge: detectors on labelled series, and numbers that mean the same everywhere.
//!
//! [`metrics`] holds the measures, each written from its published definition. None of them uses point
//! adjustment (marking a whole event as found when one of its rows is): it lets a random score look perfect.

pub mod metrics;
