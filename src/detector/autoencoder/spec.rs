//! What a user may choose about the autoencoder; names follow Keras.

use serde::{Deserialize, Serialize};

use crate::nn::kernels::Activation;
use crate::nn::layer::Noise;
use crate::nn::layer::recurrent::{CellKind, Merge};

/// What encoder and decoder are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Recurrent layers: encoder many-to-one, decoder one-to-many.
    #[default]
    Recurrent,
    /// Dense layers over the flattened window, mirrored: `units = [500, 300]`, `latent = 2` is T*C-500-300-2-300-500-T*C.
    Dense,
    /// Transformer encoder blocks over all rows at once, around a latent of the whole window.
    Attention,
}

/// What a recurrent decoder reads at each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderInput {
    /// The latent, the same at every step.
    #[default]
    Latent,
    /// Its own last output; the latent sets its first state.
    Feedback,
}

/// What of a window a variational autoencoder is surprised by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariationalScore {
    /// The residual of the reconstruction from the latent's mean.
    #[default]
    Reconstruction,
    /// The mean negative log likelihood over several sampled latents, up to a constant: An and Cho's reconstruction
    /// probability (2015) under unit variance.
    Likelihood,
}

/// A Gaussian latent: the autoencoder becomes variational.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariationalSpec {
    /// Weight of the divergence against the summed squared error of a window.
    pub kl_weight: f64,
    /// Epochs over which that weight rises from 0 in a straight line.
    pub kl_warm_up_epochs: usize,
    /// False takes the mean of the latent while training too.
    pub is_sampled: bool,
    /// What of a window is its surprise.
    pub score: VariationalScore,
    /// Latents drawn for one window by `likelihood`.
    pub n_samples: usize,
}

impl Default for VariationalSpec {
    fn default() -> Self {
        VariationalSpec {
            kl_weight: 0.1,
            kl_warm_up_epochs: 10,
            is_sampled: true,
            score: VariationalScore::Reconstruction,
            n_samples: 16,
        }
    }
}

/// Widths of the encoder's layers, first to last; a single number is one layer. The decoder mirrors them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Units {
    /// One layer.
    One(usize),
    /// A stack.
    Stack(Vec<usize>),
}

impl Units {
    /// The widths as a slice.
    pub fn widths(&self) -> &[usize] {
        match self {
            Units::One(width) => std::slice::from_ref(width),
            Units::Stack(widths) => widths,
        }
    }
}

/// An autoencoder as a user writes it: every field has a default, an unknown field is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderSpec {
    /// What encoder and decoder are made of.
    pub kind: NetworkKind,
    /// The recurrent step of encoder and decoder.
    pub cell: CellKind,
    /// Width of the encoder's layers; the decoder mirrors them.
    pub units: Units,
    /// Width Z of the latent between encoder and decoder; 0 hands the encoder's last state on as it is.
    pub latent: usize,
    /// Makes the latent Gaussian.
    pub variational: Option<VariationalSpec>,
    /// Activation of the dense kind's inner layers.
    pub activation: Activation,
    /// Attention heads; they must divide every width in `units`.
    pub heads: usize,
    /// Sequence to sequence: the encoder hands a latent on for every row instead of one for the window, and the decoder
    /// writes rows in their own order.
    pub return_sequences: bool,
    /// What a recurrent decoder reads at each step.
    pub decoder_input: DecoderInput,
    /// How training inputs are disturbed; the target stays clean.
    pub noise: Noise,
    /// Encoder and decoder read their rows from both ends.
    pub bidirectional: bool,
    /// How the two directions become one.
    pub merge: Merge,
    /// The decoder reconstructs the last row first, so that scoring a window's last row needs one decoder step.
    pub reverse_target: bool,
    /// Share of the input and of each layer's output that is zeroed while training, in `[0, 1)`.
    pub dropout: f64,
    /// Most passes over the training windows.
    pub epochs: usize,
    /// Windows of one step.
    pub batch_size: usize,
    /// Epochs without a better validation loss before training stops and the best weights return.
    pub patience: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Epochs without a better validation loss before the learning rate is halved.
    pub plateau_patience: usize,
    /// Longest allowed gradient; longer ones are scaled down to it.
    pub clip_norm: f64,
    /// Share of the windows, the last in time, that is held out to choose when to stop.
    pub validation_split: f64,
}

impl Default for AutoencoderSpec {
    fn default() -> Self {
        AutoencoderSpec {
            kind: NetworkKind::Recurrent,
            cell: CellKind::Gru,
            units: Units::One(32),
            latent: 8,
            variational: None,
            activation: Activation::Tanh,
            heads: 4,
            return_sequences: false,
            decoder_input: DecoderInput::Latent,
            noise: Noise::None,
            bidirectional: false,
            merge: Merge::Concat,
            reverse_target: true,
            dropout: 0.0,
            epochs: 40,
            batch_size: 64,
            patience: 5,
            learning_rate: 2e-3,
            plateau_patience: 3,
            clip_norm: 1.0,
            validation_split: 0.2,
        }
    }
}

/// Widest layer that is accepted; a typing error should not ask for gigabytes.
const WIDTH_MAX: usize = 4096;
/// Most latents that are drawn for one window.
const SAMPLES_MAX: usize = 1024;

impl AutoencoderSpec {
    /// Every fault at once.
    ///
    /// # Errors
    /// The list of faults, never empty.
    pub fn check(&self) -> Result<(), CheckSpecError> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, key: &'static str, found: String, allowed: &'static str| {
            if !holds {
                faults.push(format!("{key}: found {found}, allowed {allowed}"));
            }
        };
        let widths = self.units.widths();
        let fits = |width: &usize| (1..=WIDTH_MAX).contains(width);
        expect(!widths.is_empty() && widths.iter().all(fits), "units", format!("{widths:?}"), "1 to 4096 per layer");
        expect(self.latent <= WIDTH_MAX, "latent", self.latent.to_string(), "0 to 4096");
        let is_recurrent = self.kind == NetworkKind::Recurrent;
        expect(is_recurrent || self.latent > 0, "latent", self.latent.to_string(), "1 or more for this kind");
        expect(self.variational.is_none() || self.latent > 0, "latent", self.latent.to_string(), "1 or more");
        let divides = self.heads > 0 && widths.iter().all(|width| width % self.heads == 0);
        let heads = format!("{} for units {widths:?}", self.heads);
        expect(self.kind != NetworkKind::Attention || divides, "heads", heads, "a divisor of every width");
        if let Some(variational) = self.variational {
            let weight = variational.kl_weight;
            expect(weight.is_finite() && weight >= 0.0, "variational.kl_weight", weight.to_string(), "0 or more");
        }
        if let Some(variational) = self.variational {
            let n = variational.n_samples;
            expect((1..=SAMPLES_MAX).contains(&n), "variational.n_samples", n.to_string(), "1 to 1024");
        }
        let is_many_to_many = is_recurrent && self.decoder_input == DecoderInput::Latent && self.latent > 0;
        let found =
            format!("true with kind {:?}, decoder_input {:?}, latent {}", self.kind, self.decoder_input, self.latent);
        expect(
            !self.return_sequences || is_many_to_many,
            "return_sequences",
            found,
            "true with the recurrent kind, decoder_input latent, and a latent of 1 or more",
        );
        let feedback = self.decoder_input == DecoderInput::Feedback;
        let one_way = is_recurrent && !self.bidirectional && widths.len() == 1;
        expect(
            !feedback || one_way,
            "decoder_input",
            "feedback".into(),
            "one recurrent layer that is not bidirectional",
        );
        let amount = match self.noise {
            Noise::None => 0.0,
            Noise::Gaussian(spread) => {
                if spread.is_finite() && spread >= 0.0 {
                    0.0
                } else {
                    f64::NAN
                }
            }
            Noise::Masking(rate) | Noise::ChannelDrop(rate) => rate,
        };
        expect((0.0..1.0).contains(&amount), "noise", format!("{:?}", self.noise), "a rate from 0 to below 1");
        expect((0.0..1.0).contains(&self.dropout), "dropout", self.dropout.to_string(), "0 to below 1");
        expect(self.epochs > 0, "epochs", self.epochs.to_string(), "1 or more");
        expect(self.batch_size > 0, "batch_size", self.batch_size.to_string(), "1 or more");
        expect(self.patience > 0, "patience", self.patience.to_string(), "1 or more");
        expect(self.plateau_patience > 0, "plateau_patience", self.plateau_patience.to_string(), "1 or more");
        let positive = |value: f64| value.is_finite() && value > 0.0;
        expect(positive(self.learning_rate), "learning_rate", self.learning_rate.to_string(), "above 0");
        expect(positive(self.clip_norm), "clip_norm", self.clip_norm.to_string(), "above 0");
        let split = self.validation_split;
        expect(split > 0.0 && split <= 0.5, "validation_split", split.to_string(), "above 0, at most 0.5");
        if faults.is_empty() { Ok(()) } else { Err(CheckSpecError { faults }) }
    }
}

/// A spec that cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("autoencoder: {}", faults.join("; "))]
pub struct CheckSpecError {
    /// Key, found and allowed, one line each.
    pub faults: Vec<String>,
}
