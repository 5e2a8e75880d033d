//! Autoencoders over scaled windows `[T, C]`: written as an [`AutoencoderSpec`], trained by [`fit`], stored as named
//! tensors, scored by the residual of a window's last row.
//!
//! ```text
//! window [T, C] ──encoder──▶ latent [Z] ──decoder──▶ reconstruction [T, C]
//! ```

mod build;
pub mod export;
mod fitted;
mod member;
mod network;
mod spec;
mod trainer;
mod windows;

pub use fitted::{Autoencoder, AutoencoderScratch, LoadAutoencoderError};
pub use network::Network;
pub use spec::{AutoencoderSpec, CheckSpecError, DecoderInput, NetworkKind, Units, VariationalScore, VariationalSpec};
pub use trainer::{FitAutoencoderError, TrainingProgress, TrainingReport, fit};
pub use windows::TrainingWindows;
