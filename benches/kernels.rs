//! Recurrent autoencoders, forward and one training step, in the shapes that `benches/peers.py` runs in other
//! frameworks.
//!
//! `cargo bench --bench kernels`. One thread; each figure is the time of a whole batch. `benches/run` puts the peers
//! beside it and prints ratios of medians. `peak` is a loop of independent fused multiply-adds that never leaves the
//! registers: what the core can do at most.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use kilter::detector::autoencoder::{Autoencoder, AutoencoderScratch, AutoencoderSpec, Network, Units};
use kilter::nn::batch::{Batch, Shape};
use kilter::nn::generator::Generator;
use kilter::nn::kernels::peak;
use kilter::nn::layer::recurrent::CellKind;
use kilter::nn::layer::{Layer, Pass, Work};
use kilter::nn::loss::mean_squared_error;
use kilter::nn::optimizer::Adam;

/// Windows of a training step.
const TRAIN_BATCH: usize = 64;
/// Fused steps of the peak loop, two operations a lane each.
const PEAK_STEPS: usize = 200_000;

struct Case {
    name: &'static str,
    cell: CellKind,
    channels: usize,
    window: usize,
    hidden: usize,
    batches: &'static [usize],
    trains: bool,
}

const fn case(name: &'static str, cell: CellKind, channels: usize, window: usize, hidden: usize) -> Case {
    Case { name, cell, channels, window, hidden, batches: &[1, 16, 256], trains: true }
}

/// Encoder over `[B, T, C]`, its last state repeated T times, decoder, dense to C: no latent between.
const CASES: &[Case] = &[
    case("gru", CellKind::Gru, 8, 64, 32),
    case("lstm", CellKind::Lstm, 8, 64, 32),
    case("rnn", CellKind::Simple, 8, 64, 32),
    case("gru-c1-h8", CellKind::Gru, 1, 64, 8),
    case("gru-c55-h64", CellKind::Gru, 55, 64, 64),
    case("gru-t16", CellKind::Gru, 8, 16, 32),
    case("gru-t256", CellKind::Gru, 8, 256, 32),
];

fn spec(case: &Case) -> AutoencoderSpec {
    AutoencoderSpec {
        cell: case.cell,
        units: Units::One(case.hidden),
        latent: 0,
        reverse_target: false,
        ..AutoencoderSpec::default()
    }
}

fn normal(len: usize) -> Vec<f32> {
    let mut generator = Generator::new(2);
    (0..len).map(|_| generator.normal() as f32).collect()
}

fn score(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case) {
    let network = Network::<f32>::new(&spec(case), case.window, case.channels, &mut Generator::new(1));
    let autoencoder = Autoencoder::from_tensors(&spec(case), case.window, case.channels, &network.tensors())
        .expect("its own tensors");
    for b in case.batches {
        let x = normal(b * case.window * case.channels);
        let (mut out, mut scratch) = (vec![0.0; x.len()], AutoencoderScratch::default());
        group.bench_function(format!("{}/score/{b}", case.name), |bench| {
            bench.iter(|| autoencoder.reconstruct(black_box(&x), &mut scratch, black_box(&mut out)));
        });
    }
}

fn train(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case) {
    let mut network = Network::<f32>::new(&spec(case), case.window, case.channels, &mut Generator::new(1));
    let shape = Shape::new(TRAIN_BATCH, case.window, case.channels);
    let x = Batch::from_parts(shape, normal(shape.len()));
    let (mut work, mut y, mut d_y) = (Work::default(), Batch::default(), Batch::default());
    let mut adam = Adam::new(1e-3, Some(1.0));
    group.bench_function(format!("{}/train_step/{TRAIN_BATCH}", case.name), |bench| {
        bench.iter(|| {
            network.forward(&x, &mut Pass::keep(case.window), &mut work, &mut y);
            let loss = mean_squared_error(&y, x.values(), &mut d_y);
            network.backward(&x, &y, &mut d_y, &mut work, None);
            black_box((loss, adam.step(&mut network)))
        });
    });
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernels");
    group.sample_size(20).warm_up_time(Duration::from_millis(150)).measurement_time(Duration::from_millis(600));
    // Nanoseconds a step of 2 * lanes operations follow from the lanes it reports.
    let operations = peak(1).1 * PEAK_STEPS;
    group.bench_function(format!("peak/{operations}"), |bench| bench.iter(|| black_box(peak(black_box(PEAK_STEPS)))));
    for case in CASES {
        score(&mut group, case);
        if case.trains {
            train(&mut group, case);
        }
    }
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
