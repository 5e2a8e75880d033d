//! What a row costs the network against the hop, the rows from one window to the next, and against how many windows it is
//! asked for at once.
//!
//! `cargo bench --bench hop -- [--window 32]`. GRU 32, eight channels, the default decoder, which stops after the last row; one
//! thread, medians of nine rounds. `encoder` is its recurrent layer alone; `projected once` the same with one input
//! projection a window instead of one a row: what no reuse of projections between overlapping windows can go below.

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::{CHANNELS, number};
use kilter::detector::autoencoder::{Autoencoder, AutoencoderScratch, AutoencoderSpec, Network, Units};
use kilter::nn::batch::{Batch, Shape};
use kilter::nn::generator::Generator;
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
    for hop in [1, 2, 4, 8, 16, 32] {
        let windows = windows(hop);
        let mut out = vec![0.0; windows.len() / n_time];
        let micros =
            median(|| autoencoder.reconstruct_last_rows(black_box(&windows), &mut scratch, black_box(&mut out)));
        println!("hop {hop}: {:.3} us a row", micros / ROWS as f64);
    }
}
