//! Networks: kernels, layers, losses and optimizers over `[B, T, F]` arrays.
//!
//! Numbers in, numbers out: this folder knows no series name, topic, table, route or clock. [`kernels`] holds the hot
//! loops, [`layer`] one differentiable map a file, [`loss`] and [`optimizer`] what training needs, and everything is
//! generic over [`kernels::Real`], so that the code that runs in `f32` is the code whose gradients are checked in `f64`.

pub mod batch;
pub mod generator;
pub mod gradient_check;
pub mod kernels;
pub mod layer;
pub mod loss;
pub mod optimizer;
pub mod parameter;
