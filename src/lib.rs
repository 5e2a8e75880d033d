//! Kilter: time-series anomaly detection for sensors.
//!
//! The crate is laid out in the order in which data flows:
//!
//! ```text
//! topic, payload ──decode──▶ Reading ──windowing──▶ Window ──detector──▶ Score ──verdict──▶ Verdict, Transition ──▶ rows, alerts
//!     ingest                             pipeline (pure, synchronous)                              store, notify, http
//! ```
//!
//! * [`series`], [`stats`] and [`nn`] are the vocabulary and the numerics; they know no topic, table, route or clock.
//! * [`decode`], [`windowing`], [`detector`] and [`verdict`] are the stations; [`bundle`] keeps what is learned.
//! * [`pipeline`] joins the stations into one synchronous path, which the daemon, `score`, `evaluate`, `train` and
//!   every test use.
//! * [`ingest`], [`store`], [`notify`] and [`http`] touch the world; [`service`] runs them; [`cli`] is the door.
//!
//! Imports point to lower ranks only; `tests/it/architecture.rs` holds the table and enforces it.

pub mod bundle;
pub mod cli;
pub mod config;
pub mod decode;
pub mod detector;
pub mod evaluate;
pub mod http;
pub mod ingest;
pub mod nn;
pub mod notify;
pub mod pipeline;
pub mod series;
pub mod service;
pub mod simulate;
pub mod stats;
pub mod store;
pub mod verdict;
pub mod windowing;
