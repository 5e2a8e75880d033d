//! Detectors: what a window of readings should look like, and how far it does not.
//!
//! Every member reconstructs the last row of a window from the window; the [`Detector`] scales the window, asks its
//! members, normalises their squared residuals by held-out ones and fuses them into one number per row.
//! Arrays and seeds only: no series name, topic, table, route or clock is known here.

pub mod autoencoder;
mod baseline;
mod fusion;
mod gram;
mod guarded;
mod held_out;
mod kernel_pca;
mod kmeans;
mod latent_map;
mod linear;
mod member;
mod pca;
mod pca_components;
mod power;
mod random_features;
mod spec;
mod spectrum;
mod switches;
mod together;
mod training;
mod var;

pub use baseline::Baseline;
pub use fusion::{Detector, FusedRow, Normaliser, RowScratch};
pub use held_out::{FitMembers, HeldOut, hold_out};
pub use kernel_pca::{Kernel, KernelError, KernelPca, KernelPcaSpec};
pub use kmeans::Kmeans;
pub use latent_map::{MapError, MapMethod, latent_map};
pub use member::{FittedMember, Member, MemberError, MemberParts, MemberScratch, Tensor, rebuild};
pub use pca::{Pca, PcaScore};
pub use power::{ChannelPower, FaultKind, FaultPower, PowerDraws, PowerReport, measure_power};
pub use random_features::RandomFeatures;
pub use spec::{DetectorSpec, KmeansSpec, PcaSpec, RandomFeaturesSpec, VarSpec};
pub use switches::Switches;
pub use training::{Scaler, TrainingRows};
pub use var::Var;
