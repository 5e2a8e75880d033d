//! Progress bars on a terminal, and nothing at all elsewhere.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::bundle::FitProgress;

/// One bar per machine. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bars {
    screen: MultiProgress,
    by_series: Arc<Mutex<BTreeMap<String, ProgressBar>>>,
}

impl Bars {
    /// No bars yet.
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), by_series: Arc::default() }
    }

    /// Writes to standard output without tearing the bars.
    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        self.screen.suspend(|| io::Write::write_all(&mut io::stdout(), text.as_bytes()))
    }

    /// So many rows of a machine are on their way to its first model.
    pub(super) fn on_warm_up(&self, series: &str, n_rows: u64, n_wanted: u64) {
        let bar = self.bar(series);
        if bar.length() != Some(n_wanted) {
            bar.set_length(n_wanted);
            bar.set_style(style("{prefix:>14} {bar:32} {pos}/{len} rows {msg}"));
        }
        bar.set_position(n_rows);
    }

    /// A fit goes on.
    pub(super) fn on_fit(&self, series: &str, progress: FitProgress) {
        let bar = self.bar(series);
        match progress {
            FitProgress::Fold { done, of } => {
                bar.set_message(format!("· learning, held-out fold {done} of {of}"));
            }
            FitProgress::Epoch { epoch, epochs, validation_loss, .. } => {
                let loss = validation_loss.map(|loss| format!(", validation loss {loss:.4}")).unwrap_or_default();
                bar.set_message(format!("· learning, epoch {epoch} of at most {epochs}{loss}"));
            }
        }
    }

    /// A fit is over.
    pub(super) fn on_fitted(&self, series: &str) {
        let bar = self.by_series.lock().unwrap_or_else(PoisonError::into_inner).remove(series);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    /// All bars go.
    pub(super) fn clear(&self) {
        // What cannot be drawn need not be cleared.
        let _ = self.screen.clear();
    }

    fn bar(&self, series: &str) -> ProgressBar {
        let mut bars = self.by_series.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let bar = self.screen.add(ProgressBar::new(0));
            bar.set_prefix(series.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        };
        bars.entry(series.to_owned()).or_insert_with(make).clone()
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}
