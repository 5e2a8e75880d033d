//! Dropout beside denoising noise on one series: what each does to reconstruction, to repair and to detection.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use kilter::detector::autoencoder::{Autoencoder, AutoencoderScratch, AutoencoderSpec, TrainingWindows, fit};
use kilter::evaluate::metrics::{Ranking, auc_pr};
use kilter::nn::generator::Generator;
use kilter::nn::layer::Noise;
use kilter::series::Timestamp;
use kilter::simulate::{DemoPlan, WARM_UP_ROWS};

use crate::Effort;
use crate::chart::mean_and_spread;

/// The first pump of `examples/recording.rs`, seed 1.
const SERIES: &str = "pump-1";
const LIVE_ROWS: usize = 5400;
const ENDS_AT_MS: i64 = 1_795_521_600_000;
const N_TIME: usize = 32;
/// Rows learned from; the clean ones after them are the unseen ones.
const N_TRAIN: usize = 2000;
const MASKED: f64 = 0.1;
const SPREAD: f64 = 0.3;

/// Scaled rows `[n, C]` and whether a fault lasts.
struct Series {
    rows: Vec<f32>,
    is_faulty: Vec<bool>,
    n_channels: usize,
}

/// The table: mean and standard deviation over the seeds of the networks.
pub(crate) fn measure(effort: &Effort) -> String {
    let series = series();
    let plain = AutoencoderSpec { epochs: effort.epochs.min(40), ..AutoencoderSpec::default() };
    let noisy = |noise| AutoencoderSpec { noise, ..plain.clone() };
    let dropped = |dropout| AutoencoderSpec { dropout, ..plain.clone() };
    let systems = [
        ("neither", plain.clone()),
        ("dropout 0.1", dropped(0.1)),
        ("dropout 0.3", dropped(0.3)),
        ("Gaussian noise 0.1", noisy(Noise::Gaussian(0.1))),
        ("Gaussian noise 0.3", noisy(Noise::Gaussian(0.3))),
        ("masking noise 0.1", noisy(Noise::Masking(0.1))),
        ("masking noise 0.3", noisy(Noise::Masking(0.3))),
        ("channel drop 0.1", noisy(Noise::ChannelDrop(0.1))),
        ("channel drop 0.3", noisy(Noise::ChannelDrop(0.3))),
    ];
    let mut table = String::from(
        "| training | clean windows | from Gaussian 0.3 | from 10 % masked | AUC-PR of faults |\n| --- | --- | --- | --- | --- |\n",
    );
    for (name, spec) in systems {
        let mut columns = vec![Vec::new(); 4];
        for seed in 0..effort.seeds {
            let windows = TrainingWindows::sliding(
                &series.rows,
                series.n_channels,
                N_TIME,
                (0..=N_TRAIN - N_TIME).step_by(effort.hop).collect(),
            );
            let Ok(network) = fit(&windows, &spec, seed, &mut |_| ControlFlow::Continue(())) else { continue };
            columns.iter_mut().zip(figures(&network, &series)).for_each(|(column, figure)| column.push(figure));
        }
        eprintln!("{name}: {columns:?}");
        let cells: Vec<String> = columns
            .iter()
            .map(|column| {
                let (mean, spread) = mean_and_spread(column);
                format!("{mean:.3} ± {spread:.3}")
            })
            .collect();
        let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
    }
    table
}

/// Mean squared error on unseen clean windows, on the same ones repaired from noise and from masking, and how well the
/// residual of the last row ranks the rows with faults.
fn figures(network: &Autoencoder, series: &Series) -> [f64; 4] {
    let c = series.n_channels;
    let mut scratch = AutoencoderScratch::default();
    let starts = (N_TRAIN..=WARM_UP_ROWS - N_TIME).step_by(7);
    let clean: Vec<f32> = starts.flat_map(|start| &series.rows[start * c..(start + N_TIME) * c]).copied().collect();
    let mut generator = Generator::new(77);
    let noisy: Vec<f32> = clean.iter().map(|x| x + (SPREAD * generator.normal()) as f32).collect();
    let masked: Vec<f32> = clean.iter().map(|x| if generator.uniform() < MASKED { 0.0 } else { *x }).collect();
    let mut out = vec![0.0; clean.len()];
    let mut error = |seen: &[f32]| {
        network.reconstruct(seen, &mut scratch, &mut out);
        clean.iter().zip(&out).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>() / clean.len() as f64
    };
    let errors = [error(&clean), error(&noisy), error(&masked)];
    let n_rows = series.is_faulty.len();
    let mut last = vec![0.0; c];
    let residuals: Vec<f64> = (WARM_UP_ROWS..n_rows)
        .map(|row| {
            let window = &series.rows[(row + 1 - N_TIME) * c..(row + 1) * c];
            network.reconstruct_last_rows(window, &mut scratch, &mut last);
            window[window.len() - c..].iter().zip(&last).map(|(x, y)| f64::from(x - y).powi(2)).sum()
        })
        .collect();
    let ranking = Ranking::new(&series.is_faulty[WARM_UP_ROWS..], &residuals);
    let area = ranking.ok().and_then(|ranking| auc_pr(&ranking)).unwrap_or(f64::NAN);
    [errors[0], errors[1], errors[2], area]
}

/// Each channel in units of its spread over the rows learned from.
fn series() -> Series {
    let plan = DemoPlan::new(1, LIVE_ROWS, Timestamp::from_ms(ENDS_AT_MS));
    let (mut values, mut is_faulty) = (Vec::new(), Vec::new());
    for row in plan.plant().filter(|row| row.series.as_str() == SERIES).take(plan.n_rows) {
        values.push(row.values);
        is_faulty.push(row.is_faulty);
    }
    let n_channels = values[0].len();
    let scales: Vec<(f64, f64)> = (0..n_channels)
        .map(|c| mean_and_spread(&values[..N_TRAIN].iter().map(|row| row[c]).collect::<Vec<_>>()))
        .collect();
    let scaled = |row: &Vec<f64>| {
        row.iter().zip(&scales).map(|(x, (mean, spread))| ((x - mean) / spread) as f32).collect::<Vec<_>>()
    };
    Series { rows: values.iter().flat_map(scaled).collect(), is_faulty, n_channels }
}
