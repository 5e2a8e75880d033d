//! Layers: one a file, forward and backward adjacent, `[B, T, F]` in and out.
//!
//! A layer owns its parameters and nothing that changes while it infers; everything a pass needs to remember lives in
//! a [`Work`], so one network can serve many threads and a warm [`Work`] allocates nothing.

mod attention;
mod dense;
mod dropout;
mod feedback;
mod layer_norm;
mod noise;
pub mod recurrent;
mod reshape;
mod stack;
mod transformer;
mod variational;
mod work;

pub use attention::Attention;
pub use dense::Dense;
pub use dropout::Dropout;
pub use feedback::Feedback;
pub use layer_norm::LayerNorm;
pub use noise::Noise;
pub use reshape::Reshape;
pub use stack::Stack;
pub use transformer::{Positions, TransformerBlock, position_code};
pub use variational::{Variational, divergence};
pub use work::Work;

use std::fmt::Debug;

use super::batch::{Batch, Shape};
use super::generator::Generator;
use super::kernels::{Activation, Real};
use super::parameter::Parameter;
use recurrent::{CellKind, Merge, RecurrentSpec};

/// How a forward pass runs.
#[derive(Debug)]
pub struct Pass<'a> {
    /// Rows that a one-to-many layer puts out.
    pub steps: usize,
    /// Keep what a backward pass needs.
    pub keeps: bool,
    /// Chance, when training; layers that only disturb training (dropout, noise) are the identity without it.
    pub generator: Option<&'a mut Generator>,
    /// Weight of a variational layer's divergence in the loss.
    pub divergence_weight: f64,
}

impl Pass<'_> {
    /// A pass that only computes.
    pub fn infer(steps: usize) -> Pass<'static> {
        Pass { steps, keeps: false, generator: None, divergence_weight: 0.0 }
    }

    /// A pass that a backward pass may follow, without chance.
    pub fn keep(steps: usize) -> Pass<'static> {
        Pass { steps, keeps: true, generator: None, divergence_weight: 0.0 }
    }
}

/// What a layer is, for those who write it down in another form; the numbers come from [`Layer::visit`].
#[derive(Clone, Debug, PartialEq)]
pub enum Description {
    /// Gives back its input when inferring.
    Identity,
    /// Dense with this activation.
    Dense(Activation),
    /// Recurrent in one direction.
    Recurrent(RecurrentSpec),
    /// Recurrent in both directions.
    Bidirectional(RecurrentSpec, Merge),
    /// Moves no number.
    Reshape(Reshape),
    /// A Gaussian latent, of which inferring takes the mean.
    Variational,
    /// Adds these codes to every window.
    Positions(Vec<f64>),
    /// A Transformer block with so many heads.
    Transformer(usize),
    /// A decoder fed by its own output.
    Feedback(CellKind),
    /// Anything else, which has no other form yet.
    Other,
}

/// A differentiable map from `[B, T, F]` to `[B, T', F']`.
pub trait Layer<R: Real>: Debug + Send + Sync {
    /// The output's shape for an input of this shape, in a pass with these `steps`.
    fn output_shape(&self, input: Shape, steps: usize) -> Shape;

    /// Writes the output for `x` into `y`, whose shape the layer sets.
    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>);

    /// Adds to the parameters' gradients and writes loss by input into `d_x`, given loss by output in `d_y` (which the
    /// layer may overwrite), the input and output of the last keeping forward pass and its `work`.
    ///
    /// Without `d_x` nobody needs the loss by input and its products are skipped.
    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    );

    /// Shows every parameter with its dotted name.
    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>));

    /// Shows every parameter with its dotted name, to be changed.
    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>));

    /// Shows every parameter in the order of [`Layer::visit_mut`], without a name: names cost an allocation each, which a
    /// training step should not pay.
    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        self.visit_mut("", &mut |_, parameter| see(parameter));
    }

    /// What the layer is.
    fn describe(&self) -> Description {
        Description::Other
    }

    /// The layer's own addition to the loss in the last keeping pass (a divergence, a penalty); its gradient is part
    /// of [`Layer::backward`].
    fn added_loss(&self, work: &Work<R>) -> f64 {
        let _ = work;
        0.0
    }
}

/// `path.name`, or `name` at the root.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}
