//! The running service: four tasks in a line, what stands beside the line, and who starts and stops them.
//!
//! ```text
//! ingest ──messages──▶ pipeline ──batches──▶ writer ──outbox──▶ notifier
//!                         ▲                     │
//!                         └──answers── trainer ◀┘ fits
//! ```
//!
//! Queues are bounded and point forward; a full one slows the task before it, in the end the broker. Answers of the
//! trainer are few (at most one per series is asked for) and never wait.

mod batch;
mod gauges;
mod keeper;
mod listener;
mod log_keeper;
mod measures;
mod nightly;
mod pipeline_task;
mod refusals;
mod rest;
mod restoring;
mod supervisor;
pub mod telemetry;
mod trainer;
mod writer_task;

pub use batch::Progress;
pub use supervisor::{RunError, Service, StartError};
