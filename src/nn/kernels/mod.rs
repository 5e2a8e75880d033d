//! The hot loops: products, gates, activations and parameter updates over plain slices.
//!
//! Every kernel is written once over [`Lanes`], a register of one, eight or sixteen numbers, and compiled three times:
//! for AVX-512, for AVX2 with FMA, and for whatever the target offers. [`KernelPath::detected`] chooses at run time, so
//! the binary needs no `target-cpu=native`. The one-lane `f64` instance, whose activations come from libm, is the plain
//! reference the others are tested against and the one the gradient checks run on.
//!
//! Two promises hold for every kernel. A row's result does not depend on how many rows lie beside it or which lane it
//! lands in: sums run over the reduction index in order, one fused step at a time. And the AVX-512 and AVX2 paths agree
//! bit for bit, because both fuse every multiply-add and share the arithmetic of the activations.
//!
//! This is the only place in the crate where unsafe code is allowed.
#![allow(unsafe_code)]

mod activation;
mod alone;
mod dispatch;
mod functions;
mod gates;
mod gates_gru;
mod gates_lstm;
mod gates_simple;
mod inputs;
mod lanes;
mod overlap;
mod packing;
mod pairs;
mod peak;
mod product;
mod softmax;
mod step;
mod steps;
mod update;
mod weights;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activation::{Activation, activate, activate_backward};
pub use dispatch::{Kernel, KernelPath, Real};
pub use gates_gru::{GruBackward, gru_scales, gru_step, gru_steps};
pub use gates_lstm::{LstmBackward, lstm_scales, lstm_step, lstm_steps};
pub use gates_simple::{SimpleBackward, simple_step, simple_steps};
pub use lanes::Lanes;
pub use packing::{ALIGN_SPARE, aligned, is_scaled, pack, scale};
pub use peak::peak;
pub use product::{Matrix, Start, add_row_sums, product, transpose};
pub use softmax::softmax;
pub use step::StepForward;
pub use steps::{Inputs, StepsForward, projects_inputs};
pub use update::{AdamStep, add_scaled, squared_norm};
