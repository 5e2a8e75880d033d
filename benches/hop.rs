//! What a row costs the network against the hop, the rows from one window to the next, and against how many windows it is
//! asked for at once.
//!
//! `cargo bench --bench hop -- [--window 32]`. GRU 32, eight channels, the default decoder, which stops after the last row; one
//! thread, medians of nine rounds. `encoder` is its recurrent layer alone; `projected once` the same with one input
//! projection a window instead of one a row: what no reuse of projections between overlapping windows can go below.
//! `in flight` is the encoder that keeps the states of all windows of a series that its newest row belongs to and takes
//! each one step further, beside the one that begins every window anew, for few series and for many.

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::{CHANNELS, number};
use kilter::detector::autoencoder::{Autoencoder, AutoencoderScratch, AutoencoderSpec, Network, Units};
use kilter::nn::batch::{Batch, Shape};
use kilter::nn::generator::Generator;
use kilter::nn::kernels::{Inputs, StepsForward, gru_steps, projects_inputs};
use kilter::nn::layer::recurrent::{CellKind, Recurrent, RecurrentSpec};
use kilter::nn::layer::{Layer, Pass, Work};

const HIDDEN: usize = 32;
const ROWS: usize = 2048;
const ROUNDS: usize = 9;
/// Windows that pass through the network together.
const TOGETHER: usize = 16;

/// Median microseconds of a call.
fn median(mut call: impl FnMut()) -> f64 {
    call();
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            call();
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

/// Microseconds a row of the encoder, when each of so many series gets a row in turn: windows begun anew, sixteen together,
/// and windows in flight that go one step further.
fn encoders(n_series: usize, n_time: usize) -> [f64; 2] {
    let (cell, features, units) = (CellKind::Gru, CHANNELS, HIDDEN);
    let spec =
        RecurrentSpec { cell, features, units, return_sequences: false, go_backwards: false, repeats_input: false };
    let layer = Recurrent::<f32>::new(spec, &mut Generator::new(1));
    let mut generator = Generator::new(3);
    let mut normal = |len: usize| (0..len).map(|_| generator.normal() as f32 * 0.3).collect::<Vec<f32>>();
    let window = n_time * CHANNELS;
    let rows = normal(n_series * window);
    let turns = (ROWS / n_series).max(1);
    let (mut work, mut y, mut x) = (Work::default(), Batch::default(), Batch::default());
    let anew = median(|| {
        for _ in 0..turns {
            for part in rows.chunks(TOGETHER * window) {
                x.reshape(Shape::new(part.len() / window, n_time, CHANNELS));
                x.values_mut().copy_from_slice(part);
                layer.forward(black_box(&x), &mut Pass::infer(n_time), &mut work, &mut y);
            }
        }
    });
    let gates = 3 * HIDDEN;
    let (weights, bias) = (normal(CHANNELS * gates), normal(gates));
    let (recurrent, recurrent_bias) = (normal(HIDDEN * gates), normal(gates));
    let mut states = normal(n_series * 2 * n_time * HIDDEN);
    let (mut projected, mut inputs) = (vec![0.0; n_time * gates], vec![0.0; window]);
    let in_flight = median(|| {
        for _ in 0..turns {
            for (row, states) in rows.chunks_exact(window).zip(states.chunks_exact_mut(2 * n_time * HIDDEN)) {
                inputs.chunks_exact_mut(CHANNELS).for_each(|input| input.copy_from_slice(&row[..CHANNELS]));
                let given = Inputs { x: &inputs, features: CHANNELS, weights: &weights, bias: &bias };
                gru_steps(StepsForward {
                    b: n_time,
                    hidden: HIDDEN,
                    n: 1,
                    projected: &mut projected,
                    inputs: projects_inputs::<f32>(HIDDEN, CHANNELS).then_some(given),
                    recurrent: &recurrent,
                    bias: &recurrent_bias,
                    states: black_box(states),
                    caches: &mut [],
                    outputs: &mut [],
                    is_backward: false,
                });
            }
        }
    });
    [anew, in_flight].map(|micros| micros / (turns * n_series) as f64)
}

fn main() {
    let n_time = number("--window", "32");
    let spec = AutoencoderSpec { units: Units::One(HIDDEN), ..AutoencoderSpec::default() };
    let network = Network::<f32>::new(&spec, n_time, CHANNELS, &mut Generator::new(1));
    let autoencoder = Autoencoder::from_tensors(&spec, n_time, CHANNELS, &network.tensors()).expect("its own tensors");
    let mut generator = Generator::new(2);
    let rows: Vec<f32> = (0..(ROWS + n_time) * CHANNELS).map(|_| generator.normal() as f32).collect();
    let mut scratch = AutoencoderScratch::default();
    let windows = |hop: usize| -> Vec<f32> {
        let starts = (0..ROWS).step_by(hop);
        starts.flat_map(|start| rows[start * CHANNELS..(start + n_time) * CHANNELS].iter().copied()).collect()
    };
    let all = windows(1);
    let len = n_time * CHANNELS;
    for batch in [1, 2, 3, 4, 8, 16, 32, 64] {
        let mut out = vec![0.0; batch * CHANNELS];
        let micros = median(|| {
            for part in all.chunks_exact(batch * len) {
                autoencoder.reconstruct_last_rows(black_box(part), &mut scratch, black_box(&mut out));
            }
        });
        println!("asked for {batch} windows of {n_time} rows at once: {:.2} us a window", micros / ROWS as f64);
    }
    let encoder = |repeats_input| {
        let (cell, features, units) = (CellKind::Gru, CHANNELS, HIDDEN);
        let spec = RecurrentSpec { cell, features, units, return_sequences: false, go_backwards: false, repeats_input };
        let layer = Recurrent::<f32>::new(spec, &mut Generator::new(1));
        let shape = Shape::new(TOGETHER, if repeats_input { 1 } else { n_time }, CHANNELS);
        let x = Batch::from_parts(shape, all[..shape.len()].to_vec());
        let (mut work, mut y) = (Work::default(), Batch::default());
        median(|| {
            for _ in 0..ROWS / TOGETHER {
                layer.forward(black_box(&x), &mut Pass::infer(n_time), &mut work, &mut y);
            }
        }) / ROWS as f64
    };
    println!("encoder: {:.2} us a window, projected once: {:.2}", encoder(false), encoder(true));
    for n_series in [20, 10_000] {
        let [anew, in_flight] = encoders(n_series, n_time);
        println!("encoder of {n_series} series: windows begun anew {anew:.2} us a row, in flight {in_flight:.2}");
    }
    for hop in [1, 2, 4, 8, 16, 32] {
        let windows = windows(hop);
        let mut out = vec![0.0; windows.len() / n_time];
        let micros =
            median(|| autoencoder.reconstruct_last_rows(black_box(&windows), &mut scratch, black_box(&mut out)));
        println!("hop {hop}: {:.3} us a row", micros / ROWS as f64);
    }
}
