//! Training: Adam, early stopping with the best weights back, one seed, no NaN.

use std::ops::ControlFlow;

use super::fitted::Autoencoder;
use super::network::Network;
use super::spec::{AutoencoderSpec, CheckSpecError};
use super::windows::TrainingWindows;
use crate::nn::batch::Batch;
use crate::nn::generator::Generator;
use crate::nn::layer::{Layer, Pass, Work};
use crate::nn::loss::mean_squared_error;
use crate::nn::optimizer::Adam;

/// Fewest windows that can be split into a training and a validation part worth the name.
const WINDOWS_MIN: usize = 10;
/// Steps between two reports inside an epoch, so that a long epoch can be cancelled.
const STEPS_PER_REPORT: usize = 20;
/// What a plateau multiplies the learning rate with.
const PLATEAU_FACTOR: f64 = 0.5;
/// Where the learning rate stops falling.
const LEARNING_RATE_MIN: f64 = 1e-5;
/// Windows of one inferring pass: few enough that all layers' rows stay in the second-level cache.
const INFER_WINDOWS: usize = 16;

/// Where training stands. Every epoch ends with a report that carries a validation loss; longer epochs send some
/// without it in between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingProgress {
    /// Epochs done, counting the one at work, from 1.
    pub epoch: usize,
    /// Most epochs there can be.
    pub epochs: usize,
    /// Mean training loss of the epoch so far.
    pub loss: f64,
    /// Loss over the held-out windows, when the epoch is over.
    pub validation_loss: Option<f64>,
}

/// What a training came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingReport {
    /// Training loss of every epoch.
    pub losses: Vec<f64>,
    /// Validation loss of every epoch.
    pub validation_losses: Vec<f64>,
    /// The epoch, from 1, whose weights were kept.
    pub best_epoch: usize,
}

impl TrainingReport {
    /// The validation loss of the kept weights.
    pub fn validation_loss(&self) -> f64 {
        self.validation_losses.get(self.best_epoch.wrapping_sub(1)).copied().unwrap_or(f64::INFINITY)
    }
}

/// Why there is no autoencoder.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitAutoencoderError {
    /// The spec cannot be built.
    #[error(transparent)]
    Spec(#[from] CheckSpecError),
    /// Too few windows to learn from.
    #[error("{found} windows, at least {expected} needed")]
    TooFewWindows {
        /// How many there were.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// The windows hold NaN or infinity.
    #[error("row {row} of the training windows is not finite")]
    InputNotFinite {
        /// The first such row.
        row: usize,
    },
    /// The loss or the gradient left the finite numbers.
    #[error("{what} is not finite in epoch {epoch}, step {step}")]
    NotFinite {
        /// `loss` or `gradient`.
        what: &'static str,
        /// From 1.
        epoch: usize,
        /// From 1.
        step: usize,
    },
    /// The progress callback asked to stop.
    #[error("cancelled in epoch {epoch}")]
    Cancelled {
        /// From 1.
        epoch: usize,
    },
}

/// Trains an autoencoder on scaled windows in time order; the last `validation_split` of them decide when to stop.
///
/// The same windows, spec and seed give the same bytes on every x86-64 machine with FMA. `progress` may break to cancel.
///
/// # Errors
/// A faulty spec, too few or non-finite windows, a loss that leaves the finite numbers, or a cancelled run.
pub fn fit(
    windows: &TrainingWindows<'_>,
    spec: &AutoencoderSpec,
    seed: u64,
    progress: &mut dyn FnMut(TrainingProgress) -> ControlFlow<()>,
) -> Result<Autoencoder, FitAutoencoderError> {
    spec.check()?;
    if windows.len() < WINDOWS_MIN {
        return Err(FitAutoencoderError::TooFewWindows { found: windows.len(), expected: WINDOWS_MIN });
    }
    if let Some(row) = windows.first_not_finite() {
        return Err(FitAutoencoderError::InputNotFinite { row });
    }
    let mut generator = Generator::new(seed);
    let network = Network::new(spec, windows.n_time(), windows.n_channels(), &mut generator);
    let held_out = ((windows.len() as f64 * spec.validation_split) as usize).max(1);
    let mut trainer = Trainer {
        network,
        adam: Adam::new(spec.learning_rate, Some(spec.clip_norm)),
        generator,
        work: Work::default(),
        x: Batch::default(),
        y: Batch::default(),
        d_y: Batch::default(),
        target: Vec::new(),
        divergence_weight: 0.0,
    };
    let report = trainer.run(windows, windows.len() - held_out, spec, progress)?;
    Ok(Autoencoder::from_parts(trainer.network, spec.clone(), windows.n_time(), windows.n_channels(), report))
}

/// The scheduled weight of the divergence against the loss, which is a mean over the window's `len` numbers.
fn divergence_weight(spec: &AutoencoderSpec, epoch: usize, len: usize) -> f64 {
    spec.variational.map_or(0.0, |variational| {
        let risen = (epoch as f64 / variational.kl_warm_up_epochs.max(1) as f64).min(1.0);
        variational.kl_weight * risen / len as f64
    })
}

struct Trainer {
    network: Network<f32>,
    adam: Adam<f32>,
    generator: Generator,
    work: Work<f32>,
    x: Batch<f32>,
    y: Batch<f32>,
    d_y: Batch<f32>,
    target: Vec<f32>,
    divergence_weight: f64,
}

impl Trainer {
    fn run(
        &mut self,
        windows: &TrainingWindows<'_>,
        n_train: usize,
        spec: &AutoencoderSpec,
        progress: &mut dyn FnMut(TrainingProgress) -> ControlFlow<()>,
    ) -> Result<TrainingReport, FitAutoencoderError> {
        let mut order: Vec<usize> = (0..n_train).collect();
        let held_out: Vec<usize> = (n_train..windows.len()).collect();
        let mut report = TrainingReport::default();
        let (mut best, mut best_loss, mut since_best, mut since_decay) = (Vec::new(), f64::INFINITY, 0, 0);
        for epoch in 1..=spec.epochs {
            let mut tell = |loss, validation_loss| {
                let report = TrainingProgress { epoch, epochs: spec.epochs, loss, validation_loss };
                match progress(report) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(FitAutoencoderError::Cancelled { epoch }),
                }
            };
            self.divergence_weight = divergence_weight(spec, epoch, windows.n_time() * windows.n_channels());
            self.generator.shuffle(&mut order);
            let mut sum = 0.0;
            let mut seen = 0;
            for (step, indexes) in order.chunks(spec.batch_size).enumerate() {
                let loss = self.step(windows, indexes).map_err(|what| FitAutoencoderError::NotFinite {
                    what,
                    epoch,
                    step: step + 1,
                })?;
                sum += loss * indexes.len() as f64;
                seen += indexes.len();
                if (step + 1) % STEPS_PER_REPORT == 0 {
                    tell(sum / seen as f64, None)?;
                }
            }
            let loss = sum / seen.max(1) as f64;
            let validation_loss = self.loss_over(windows, &held_out);
            report.losses.push(loss);
            report.validation_losses.push(validation_loss);
            since_best += 1;
            since_decay += 1;
            if validation_loss < best_loss {
                (best_loss, since_best, since_decay) = (validation_loss, 0, 0);
                report.best_epoch = epoch;
                self.save(&mut best);
            }
            tell(loss, Some(validation_loss))?;
            if since_best >= spec.patience {
                break;
            }
            if since_decay >= spec.plateau_patience {
                since_decay = 0;
                self.adam.learning_rate = (self.adam.learning_rate * PLATEAU_FACTOR).max(LEARNING_RATE_MIN);
            }
        }
        if best.is_empty() {
            let epoch = report.losses.len();
            return Err(FitAutoencoderError::NotFinite { what: "validation loss", epoch, step: 0 });
        }
        self.restore(&best);
        Ok(report)
    }

    /// One step over the windows `indexes`; the error names what was not finite.
    fn step(&mut self, windows: &TrainingWindows<'_>, indexes: &[usize]) -> Result<f64, &'static str> {
        windows.gather(indexes, self.network.is_reversed(), &mut self.x, &mut self.target);
        let mut pass = Pass {
            steps: windows.n_time(),
            keeps: true,
            generator: Some(&mut self.generator),
            divergence_weight: self.divergence_weight,
        };
        self.network.forward(&self.x, &mut pass, &mut self.work, &mut self.y);
        let loss = mean_squared_error(&self.y, &self.target, &mut self.d_y) + self.network.added_loss(&self.work);
        if !loss.is_finite() {
            return Err("loss");
        }
        self.network.backward(&self.x, &self.y, &mut self.d_y, &mut self.work, None);
        if !self.adam.step(&mut self.network).is_finite() {
            return Err("gradient");
        }
        Ok(loss)
    }

    fn loss_over(&mut self, windows: &TrainingWindows<'_>, indexes: &[usize]) -> f64 {
        let mut sum = 0.0;
        for part in indexes.chunks(INFER_WINDOWS) {
            windows.gather(part, self.network.is_reversed(), &mut self.x, &mut self.target);
            self.network.forward(&self.x, &mut Pass::infer(windows.n_time()), &mut self.work, &mut self.y);
            sum += mean_squared_error(&self.y, &self.target, &mut self.d_y) * part.len() as f64;
        }
        sum / indexes.len().max(1) as f64
    }

    fn save(&self, weights: &mut Vec<Vec<f32>>) {
        weights.clear();
        self.network.visit("", &mut |_, parameter| weights.push(parameter.value.clone()));
    }

    fn restore(&mut self, weights: &[Vec<f32>]) {
        let mut weights = weights.iter();
        self.network.visit_mut("", &mut |_, parameter| {
            if let Some(weights) = weights.next() {
                parameter.value.copy_from_slice(weights);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::fitted::AutoencoderScratch;
    use super::*;

    /// Coupled sine channels with a little noise, `[n, c]`.
    fn waves(n: usize, c: usize, seed: u64) -> Vec<f32> {
        let mut generator = Generator::new(seed);
        let value = |t: usize, c: usize| (t as f64 * 0.2 + c as f64 * 0.7).sin() * (1.0 + 0.1 * c as f64);
        (0..n * c).map(|i| (value(i / c, i % c) + 0.05 * generator.normal()) as f32).collect()
    }

    fn keep_going(_: TrainingProgress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn small() -> AutoencoderSpec {
        AutoencoderSpec { epochs: 3, ..AutoencoderSpec::default() }
    }

    #[test]
    fn training_learns_waves_and_a_seed_repeats_it_byte_for_byte() {
        let rows = waves(210, 3, 1);
        let windows = TrainingWindows::sliding(&rows, 3, 10, (0..200).collect());
        let spec = AutoencoderSpec { units: super::super::spec::Units::One(16), latent: 4, epochs: 12, ..small() };
        let fitted = fit(&windows, &spec, 7, &mut keep_going).unwrap();
        let variance = rows.iter().map(|x| f64::from(x * x)).sum::<f64>() / rows.len() as f64;
        let report = fitted.report();
        assert!(report.validation_loss() < 0.5 * variance, "{} of {variance}: {report:?}", report.validation_loss());
        assert_eq!(fitted.tensors(), fit(&windows, &spec, 7, &mut keep_going).unwrap().tensors());
        assert_ne!(fitted.tensors(), fit(&windows, &spec, 8, &mut keep_going).unwrap().tensors());
    }

    #[test]
    fn tensors_rebuild_the_same_reconstruction() {
        let rows = waves(120, 3, 1);
        let windows = TrainingWindows::sliding(&rows, 3, 10, (0..110).collect());
        for spec in [
            small(),
            AutoencoderSpec { latent: 0, reverse_target: false, ..small() },
            AutoencoderSpec { bidirectional: true, dropout: 0.1, ..small() },
        ] {
            let fitted = fit(&windows, &spec, 7, &mut keep_going).unwrap();
            let again = super::super::fitted::Autoencoder::from_tensors(&spec, 10, 3, &fitted.tensors()).unwrap();
            let (mut a, mut b) = (vec![0.0; 330], vec![0.0; 330]);
            let flat = &rows[..330];
            let (flat, mut scratch) = (&flat[..330 / 30 * 30], AutoencoderScratch::default());
            fitted.reconstruct(flat, &mut scratch, &mut a);
            again.reconstruct(flat, &mut scratch, &mut b);
            assert_eq!(a, b);
            let mut last = vec![0.0; 33];
            fitted.reconstruct_last_rows(flat, &mut scratch, &mut last);
            let expected: Vec<f32> = a.chunks(30).flat_map(|window| window[27..].to_vec()).collect();
            assert_eq!(last, expected, "{spec:?}");
        }
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused_by_name() {
        let rows = waves(60, 2, 1);
        let few = TrainingWindows::sliding(&rows, 2, 8, (0..5).collect());
        let found = fit(&few, &small(), 1, &mut keep_going).unwrap_err();
        assert_eq!(found, FitAutoencoderError::TooFewWindows { found: 5, expected: WINDOWS_MIN });
        let mut torn = rows.clone();
        torn[2 * 31 + 1] = f32::NAN;
        let windows = TrainingWindows::sliding(&torn, 2, 8, (0..50).collect());
        let found = fit(&windows, &small(), 1, &mut keep_going).unwrap_err();
        assert_eq!(found, FitAutoencoderError::InputNotFinite { row: 31 });
        let mut huge = rows.clone();
        huge.iter_mut().for_each(|x| *x *= 1e30);
        let windows = TrainingWindows::sliding(&huge, 2, 8, (0..50).collect());
        let found = fit(&windows, &small(), 1, &mut keep_going).unwrap_err();
        assert_eq!(found, FitAutoencoderError::NotFinite { what: "loss", epoch: 1, step: 1 });
        let windows = TrainingWindows::sliding(&rows, 2, 8, (0..50).collect());
        let found = fit(&windows, &small(), 1, &mut |_| ControlFlow::Break(())).unwrap_err();
        assert_eq!(found, FitAutoencoderError::Cancelled { epoch: 1 });
    }
}
