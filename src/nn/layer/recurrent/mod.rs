//! Recurrent layers: one loop over time, any cell, many-to-one, one-to-many and many-to-many.
//!
//! A cell is one file and one line in the list of cells below, nothing else: layers, decoders, export, import and
//! configuration take it as it comes. What differs between GRU and LSTM is the arithmetic of `step` and `step_backward`,
//! three widths, and how other programs write them.

use serde::{Deserialize, Serialize};

use crate::nn::kernels::Real;

mod bidirectional;
mod cell;
mod layer;
mod written;

pub use bidirectional::{Bidirectional, Merge};
pub use cell::{Cell, Gradients, Step, StepBackward, Weights};
pub use layer::{Recurrent, RecurrentSpec};
pub use written::{Equations, OnnxForm, Written};

/// Lists the cells: name in a configuration, its file, and the type that computes it.
macro_rules! cells {
    ($($(#[$doc:meta])* $kind:ident = $file:ident::$cell:ident,)*) => {
        $(mod $file;)*

        /// Which cell a recurrent layer runs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum CellKind {
            $($(#[$doc])* $kind,)*
        }

        impl CellKind {
            /// Every cell there is.
            pub const ALL: &'static [CellKind] = &[$(CellKind::$kind,)*];

            /// The arithmetic behind the name.
            pub fn cell<R: Real>(self) -> &'static dyn Cell<R> {
                match self {
                    $(CellKind::$kind => &$file::$cell,)*
                }
            }

            /// The same as other programs write it.
            pub fn written(self) -> &'static dyn Written {
                match self {
                    $(CellKind::$kind => &$file::$cell,)*
                }
            }
        }
    };
}

cells! {
    /// `h = tanh(W x + U h + b)`.
    #[serde(rename = "simple_rnn", alias = "simple")]
    Simple = simple::Simple,
    /// GRU, reset gate after the product: Keras's `reset_after=True`, PyTorch, cuDNN.
    #[default]
    Gru = gru::Gru,
    /// GRU, reset gate before the product: Keras's `reset_after=False`, Cho et al. 2014 version 1.
    GruResetBefore = gru_reset_before::GruResetBefore,
    /// LSTM with forget-gate bias 1 (Keras's `unit_forget_bias=True`).
    Lstm = lstm::Lstm,
}
