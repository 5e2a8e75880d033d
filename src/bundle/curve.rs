//! The training curve that a model keeps: the losses by epoch, for whoever asks whether its network learned anything.

use serde::{Deserialize, Serialize};

use super::FitProgress;

/// Losses by epoch of the trained member: mean squared error per element, in scaled units.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingCurve {
    /// Over the windows trained on, `[epochs]`; none where it was not finite.
    pub losses: Vec<Option<f32>>,
    /// Over the windows held out, `[epochs]`; none where it was not finite.
    pub validation_losses: Vec<Option<f32>>,
    /// The epoch, from 1, whose weights were kept: the first with the least validation loss. 0 before any.
    pub best_epoch: usize,
}

impl TrainingCurve {
    /// Takes in a report of a fit; only ends of epochs count.
    pub(super) fn on_progress(&mut self, report: &FitProgress) {
        let FitProgress::Epoch { epoch, loss, validation_loss: Some(validation_loss), .. } = *report else { return };
        let least = self.validation_losses.get(self.best_epoch.wrapping_sub(1)).copied().flatten();
        let found = finite(validation_loss);
        if found.is_some_and(|found| least.is_none_or(|least| found < least)) {
            self.best_epoch = epoch;
        }
        self.losses.push(finite(loss));
        self.validation_losses.push(found);
    }
}

/// JSON has no infinities, and a bundle's head is JSON.
fn finite(loss: f64) -> Option<f32> {
    Some(loss as f32).filter(|loss| loss.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_of_epochs_count_and_the_first_least_validation_loss_is_the_best() {
        let mut curve = TrainingCurve::default();
        let reports = [
            (1, 9.0, None),
            (1, 8.0, Some(4.0)),
            (2, 5.0, Some(f64::NAN)),
            (3, 4.0, Some(2.5)),
            (4, 3.0, Some(2.5)),
            (5, f64::INFINITY, Some(3.0)),
        ];
        for (epoch, loss, validation_loss) in reports {
            curve.on_progress(&FitProgress::Epoch { epoch, epochs: 9, loss, validation_loss });
        }
        curve.on_progress(&FitProgress::Fold { done: 1, of: 5 });
        assert_eq!(curve.losses, [Some(8.0), Some(5.0), Some(4.0), Some(3.0), None]);
        assert_eq!(curve.validation_losses, [Some(4.0), None, Some(2.5), Some(2.5), Some(3.0)]);
        assert_eq!(curve.best_epoch, 3);
        let text = serde_json::to_string(&curve).unwrap();
        assert_eq!(serde_json::from_str::<TrainingCurve>(&text).unwrap(), curve);
    }
}
