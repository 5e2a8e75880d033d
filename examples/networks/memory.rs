//! How far back a network remembers: a mark of +1 or -1 in the first of T + 1 rows must be said after the last one.

use std::fmt::Write as _;

use kilter::nn::batch::{Batch, Shape};
use kilter::nn::generator::Generator;
use kilter::nn::kernels::Activation;
use kilter::nn::layer::recurrent::{CellKind, Recurrent, RecurrentSpec};
use kilter::nn::layer::{Dense, Layer, Pass, Positions, Stack, TransformerBlock, Work};
use kilter::nn::optimizer::Adam;

use crate::Effort;
use crate::chart::{Panel, draw, mean_and_spread};

const UNITS: usize = 16;
const BATCH: usize = 32;
const NETWORKS: [&str; 4] = ["simple RNN", "GRU", "LSTM", "attention"];

/// The tables and the picture.
pub(crate) fn measure(effort: &Effort) -> (String, String) {
    let mut gradients: Vec<(&str, Vec<(f64, f64)>)> = NETWORKS.iter().map(|name| (*name, Vec::new())).collect();
    let mut recalls = gradients.clone();
    for &distance in effort.distances {
        for (network, name) in NETWORKS.iter().enumerate() {
            let (mut gradient, mut recall) = (Vec::new(), Vec::new());
            for seed in 0..effort.seeds {
                let mut stack = build(network, distance + 1, seed);
                gradient.push(gradient_at_the_mark(&mut stack, distance, seed).log10());
                recall.push(recalled_after_training(&mut stack, distance, seed, effort.steps));
            }
            // The spread of a gradient is over powers of ten.
            let (mean, spread) = mean_and_spread(&gradient);
            gradients[network].1.push((10f64.powf(mean), 10f64.powf(mean + spread) - 10f64.powf(mean)));
            recalls[network].1.push(mean_and_spread(&recall));
            eprintln!("{name}, {distance} rows: gradient 1e{mean:.1}, recalled {:?}", recalls[network].1.last());
        }
    }
    let heads: Vec<String> = effort.distances.iter().map(|d| format!("T = {d}")).collect();
    let mut table = String::new();
    type Cell = fn((f64, f64)) -> String;
    let parts: [(&str, _, Cell); 2] = [
        ("gradient at the mark, before training", &gradients, |(mean, _)| format!("{mean:.0e}")),
        ("marks recalled after training", &recalls, |(mean, spread)| format!("{mean:.2} ± {spread:.2}")),
    ];
    for (title, lines, cell) in parts {
        let _ = writeln!(table, "| {title} | {} |", heads.join(" | "));
        let _ = writeln!(table, "| --- |{}", " --- |".repeat(effort.distances.len()));
        for (name, values) in lines {
            let cells: Vec<String> = values.iter().map(|value| cell(*value)).collect();
            let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
        }
        table.push('\n');
    }
    let ticks = || effort.distances.iter().map(ToString::to_string).collect();
    let panel = |title, lines, is_logarithmic| Panel { title, ticks: ticks(), lines, is_logarithmic, is_joined: true };
    let first = panel("gradient at a mark T rows back, before training", gradients, true);
    let second = panel("share of marks recalled T rows later (0.5 is chance)", recalls, false);
    (table, draw(&[first, second]))
}

/// `[B, T + 1, 2]` to one number in the last row.
fn build(network: usize, n_time: usize, seed: u64) -> Stack<f32> {
    let generator = &mut Generator::new(seed);
    let recurrent = |cell, generator: &mut Generator| -> Box<dyn Layer<f32>> {
        Box::new(Recurrent::new(
            RecurrentSpec {
                cell,
                features: 2,
                units: UNITS,
                return_sequences: true,
                go_backwards: false,
                repeats_input: false,
            },
            generator,
        ))
    };
    let mut layers: Vec<Box<dyn Layer<f32>>> = match network {
        0 => vec![recurrent(CellKind::Simple, generator)],
        1 => vec![recurrent(CellKind::Gru, generator)],
        2 => vec![recurrent(CellKind::Lstm, generator)],
        _ => vec![
            Box::new(Dense::new(2, UNITS, Activation::Linear, generator)),
            Box::new(Positions::new(n_time, UNITS)),
            Box::new(TransformerBlock::new(UNITS, 2, 2 * UNITS, generator)),
        ],
    };
    layers.push(Box::new(Dense::new(UNITS, 1, Activation::Linear, generator)));
    Stack::new(layers)
}

/// A mark in the first row's first channel, noise in the second channel of every row.
fn sequences(n: usize, distance: usize, generator: &mut Generator) -> (Batch<f32>, Vec<f32>) {
    let mut values = Vec::with_capacity(n * (distance + 1) * 2);
    let mut marks = Vec::with_capacity(n);
    for _ in 0..n {
        let mark = if generator.uniform() < 0.5 { -1.0 } else { 1.0 };
        marks.push(mark);
        for row in 0..=distance {
            values.extend([if row == 0 { mark } else { 0.0 }, generator.normal() as f32]);
        }
    }
    (Batch::from_parts(Shape::new(n, distance + 1, 2), values), marks)
}

/// Length of the last output's gradient by the first row, in units of that by the last row.
fn gradient_at_the_mark(stack: &mut Stack<f32>, distance: usize, seed: u64) -> f64 {
    let (x, _) = sequences(BATCH, distance, &mut Generator::new(seed + 1000));
    let (mut work, mut y, mut d_x) = (Work::default(), Batch::default(), Batch::default());
    stack.forward(&x, &mut Pass::keep(distance + 1), &mut work, &mut y);
    let mut d_y = Batch::zeros(y.shape());
    d_y.values_mut().iter_mut().skip(distance).step_by(distance + 1).for_each(|d| *d = 1.0);
    stack.backward(&x, &y, &mut d_y, &mut work, Some(&mut d_x));
    let length = |row: usize| {
        let rows = d_x.values().chunks_exact(2 * (distance + 1)).map(|window| &window[2 * row..2 * row + 2]);
        rows.flatten().map(|d| f64::from(*d).powi(2)).sum::<f64>().sqrt()
    };
    stack.visit_mut("", &mut |_, parameter| parameter.gradient.fill(0.0));
    (length(0) / length(distance).max(1e-30)).max(1e-30)
}

/// Share of fresh marks whose sign the trained network says.
fn recalled_after_training(stack: &mut Stack<f32>, distance: usize, seed: u64, steps: usize) -> f64 {
    let mut generator = Generator::new(seed + 2000);
    let mut adam = Adam::new(3e-3, Some(1.0));
    let (mut work, mut y) = (Work::default(), Batch::default());
    for _ in 0..steps {
        let (x, marks) = sequences(BATCH, distance, &mut generator);
        stack.forward(&x, &mut Pass::keep(distance + 1), &mut work, &mut y);
        let mut d_y = Batch::zeros(y.shape());
        for (i, mark) in marks.iter().enumerate() {
            let last = (i + 1) * (distance + 1) - 1;
            d_y.values_mut()[last] = 2.0 * (y.values()[last] - mark) / BATCH as f32;
        }
        stack.backward(&x, &y, &mut d_y, &mut work, None);
        adam.step(stack);
    }
    let (x, marks) = sequences(256, distance, &mut generator);
    stack.forward(&x, &mut Pass::infer(distance + 1), &mut work, &mut y);
    let said = y.values().iter().skip(distance).step_by(distance + 1);
    said.zip(&marks).filter(|(y, mark)| *y * *mark > 0.0).count() as f64 / marks.len() as f64
}
