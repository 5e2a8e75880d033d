//! Reconstruction of windows that lie on a curved surface, by equally many numbers.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use kilter::detector::autoencoder::{AutoencoderScratch, AutoencoderSpec, NetworkKind, TrainingWindows, Units, fit};
use kilter::detector::{FittedMember, KernelPca, KernelPcaSpec, MemberScratch, Pca, PcaSpec, TrainingRows};
use kilter::nn::generator::Generator;
use kilter::series::{Stride, Timestamp};
use kilter::simulate::{Plant, PlantSpec, Schedule};

use crate::Effort;
use crate::chart::{Panel, draw, mean_and_spread};

const N_TRAIN: usize = 800;
const N_TEST: usize = 400;
const METHODS: [&str; 4] = ["PCA", "kernel PCA", "dense AE", "recurrent AE"];

/// Windows `[N, T, C]` in units of the training windows' spread.
struct Data {
    name: &'static str,
    n_time: usize,
    n_channels: usize,
    latent: usize,
    values: Vec<f32>,
}

/// The table and the picture.
pub(crate) fn measure(effort: &Effort) -> (String, String) {
    let sets: [fn(u64) -> Data; 3] = [rolled_sheet, pendulum, plant];
    let mut table = String::from(
        "| data | window | latent | PCA | kernel PCA | dense AE | recurrent AE |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut ticks = Vec::new();
    let mut lines: Vec<(&str, Vec<(f64, f64)>)> = METHODS.iter().map(|name| (*name, Vec::new())).collect();
    for set in sets {
        let mut errors = vec![Vec::new(); METHODS.len()];
        let mut about = (String::new(), String::new(), 0);
        for seed in 0..effort.seeds {
            let data = set(seed);
            about = (data.name.to_owned(), format!("{} × {}", data.n_time, data.n_channels), data.latent);
            for (errors, error) in errors.iter_mut().zip(errors_of(&data, seed, effort.epochs)) {
                errors.push(error);
            }
            eprintln!("{} seed {seed}: {:?}", about.0, errors.iter().map(|e| e[e.len() - 1]).collect::<Vec<_>>());
        }
        let _ = write!(table, "| {} | {} | {} |", about.0, about.1, about.2);
        for (errors, line) in errors.iter().zip(&mut lines) {
            let (mean, spread) = mean_and_spread(errors);
            let _ = write!(table, " {mean:.4} ± {spread:.4} |");
            line.1.push((mean, spread));
        }
        table.push('\n');
        ticks.push(about.0);
    }
    let title = "mean squared error on unseen windows (1 = their variance)";
    let panel = Panel { title, ticks, lines, is_logarithmic: true, is_joined: false };
    (table, draw(&[panel]))
}

/// Mean squared residual of the test windows by method.
fn errors_of(data: &Data, seed: u64, epochs: usize) -> [f64; 4] {
    let len = data.n_time * data.n_channels;
    let (train, test) = data.values.split_at(N_TRAIN * len);
    // One row of T * C channels is a whole window, so that these members reconstruct all of it.
    let rows = TrainingRows::complete(train.to_vec(), len, 1);
    let n_components = Some(data.latent);
    let pca = Pca::fit(&rows, &PcaSpec { variance_share: 1.0, n_components, ..PcaSpec::default() });
    let spec = KernelPcaSpec { variance_share: 1.0, n_components, windows_max: 500, ..KernelPcaSpec::default() };
    let kernel = KernelPca::fit(&rows, &spec);
    let by_member = |member: &dyn FittedMember| {
        let (mut scratch, mut out) = (MemberScratch::default(), vec![0.0; len]);
        let mut sum = 0.0;
        for window in test.chunks_exact(len) {
            member.reconstruct_last(window, &mut scratch, &mut out);
            sum += squares(window, &out);
        }
        sum / test.len() as f64
    };
    let base = AutoencoderSpec {
        latent: data.latent,
        epochs,
        patience: 15,
        plateau_patience: 6,
        batch_size: 32,
        learning_rate: 3e-3,
        ..AutoencoderSpec::default()
    };
    let dense = AutoencoderSpec { kind: NetworkKind::Dense, units: Units::Stack(vec![64, 32]), ..base.clone() };
    let by_network = |spec: &AutoencoderSpec| {
        let windows = TrainingWindows::from_windows(train, data.n_channels, data.n_time);
        let fitted = fit(&windows, spec, seed, &mut |_| ControlFlow::Continue(()));
        let mut out = vec![0.0; test.len()];
        fitted.map_or(f64::NAN, |network| {
            network.reconstruct(test, &mut AutoencoderScratch::default(), &mut out);
            squares(test, &out) / test.len() as f64
        })
    };
    [
        pca.map_or(f64::NAN, |member| by_member(&member)),
        kernel.map_or(f64::NAN, |member| by_member(&member)),
        by_network(&dense),
        by_network(&base),
    ]
}

fn squares(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// A path of 8 points along a rolled sheet (the Swiss roll): where it begins, along and across, is all that varies.
fn rolled_sheet(seed: u64) -> Data {
    let mut generator = Generator::new(seed);
    let mut values = Vec::new();
    for _ in 0..N_TRAIN + N_TEST {
        let (along, across) =
            (1.5 * std::f64::consts::PI * (1.0 + 2.0 * generator.uniform()), 20.0 * generator.uniform());
        for t in 0..8 {
            let angle = along + 0.1 * f64::from(t);
            values.extend([angle * angle.cos(), across + 0.3 * f64::from(t), angle * angle.sin()]);
        }
    }
    data("rolled sheet", 8, 3, 2, values)
}

/// A pendulum that swings freely: its height of swing and its phase are all that varies; angle and speed are seen.
fn pendulum(seed: u64) -> Data {
    let mut generator = Generator::new(seed);
    let mut values = Vec::new();
    for _ in 0..N_TRAIN + N_TEST {
        let (mut angle, mut speed) = (0.5 + 2.4 * generator.uniform(), 0.0);
        let steps_before = (700.0 * generator.uniform()) as usize;
        for step in 0..steps_before + 16 * 20 {
            // Leapfrog keeps the energy.
            speed -= 0.005 * f64::sin(angle);
            angle += 0.01 * speed;
            speed -= 0.005 * f64::sin(angle);
            if step >= steps_before && (step - steps_before).is_multiple_of(20) {
                values.extend([angle, speed]);
            }
        }
    }
    data("pendulum", 16, 2, 2, values)
}

/// Windows of the first machine of the demo's plant, a minute of rows at a stride of a minute.
fn plant(seed: u64) -> Data {
    let spec = PlantSpec {
        seed: seed + 1,
        starts_at: Timestamp::from_ms(1_795_521_600_000),
        stride: Stride::from_ms(10_000).unwrap_or(Stride::SECOND),
    };
    let n_time = 16;
    let mut rows = Vec::new();
    let mut n_channels = 0;
    let mut first = None;
    for row in Plant::new(spec, Schedule::default()) {
        if *first.get_or_insert(row.series.clone()) != row.series {
            continue;
        }
        n_channels = row.values.len();
        rows.push(row.values);
        if rows.len() == (N_TRAIN + N_TEST) * 7 + n_time {
            break;
        }
    }
    // In a fixed shuffled order, so that test windows come from the whole time.
    let mut order: Vec<usize> = (0..N_TRAIN + N_TEST).collect();
    Generator::new(seed).shuffle(&mut order);
    let values = order.iter().flat_map(|i| rows[i * 7..i * 7 + n_time].iter().flatten().copied()).collect();
    data("simulated plant", n_time, n_channels, 4, values)
}

/// Each channel in units of its spread over the training windows.
fn data(name: &'static str, n_time: usize, n_channels: usize, latent: usize, values: Vec<f64>) -> Data {
    let train = &values[..N_TRAIN * n_time * n_channels];
    let mut scales = Vec::new();
    for c in 0..n_channels {
        let column: Vec<f64> = train.iter().skip(c).step_by(n_channels).copied().collect();
        let (mean, spread) = mean_and_spread(&column);
        scales.push((mean, spread.max(1e-9)));
    }
    let scaled = values.iter().enumerate().map(|(i, x)| {
        let (mean, spread) = scales[i % n_channels];
        ((x - mean) / spread) as f32
    });
    Data { name, n_time, n_channels, latent, values: scaled.collect() }
}
