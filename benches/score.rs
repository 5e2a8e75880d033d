//! One row through the pipeline: assembled, scored by its members, decided on; eight channels, windows of 32 rows.
//!
//! `cargo bench --bench score`. Throughput is in rows. `members` is the detector alone, without window and decision.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kilter::bundle::{FitInput, ModelBundle, fit};
use kilter::detector::{DetectorSpec, Member, RowScratch};
use kilter::pipeline::{Chain, Phase};
use kilter::series::{Cell, ChannelName, Frame, Timestamp, WindowBuffer};
use kilter::verdict::{DecisionSpec, StuckSpec};

const CHANNELS: usize = 8;
const TRAINING_ROWS: usize = 1000;
const ROWS: usize = 1000;

/// Coupled waves with noise of a linear congruential generator, `[row, channel]`.
fn values(n_rows: usize) -> Vec<f64> {
    let mut state = 11_u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    let mut cell = |row: usize, channel: usize| {
        let phase = row as f64 / (9.0 + channel as f64);
        phase.sin() + 0.5 * (phase * 0.21).cos() + 0.3 * noise()
    };
    (0..n_rows).flat_map(|row| (0..CHANNELS).map(move |channel| (row, channel))).map(|(r, c)| cell(r, c)).collect()
}

fn frames(values: &[f64]) -> Vec<Frame> {
    let frame = |(row, values): (usize, &[f64])| Frame {
        at: Timestamp::from_ms(1000 * row as i64),
        values: values.to_vec(),
        cells: vec![Cell::Measured; CHANNELS],
    };
    values.chunks_exact(CHANNELS).enumerate().map(frame).collect()
}

fn fitted(values: &[f64], members: Vec<Member>) -> Arc<ModelBundle> {
    let channel = |c| ChannelName::parse(&format!("channel-{c}")).expect("a name");
    let input = FitInput {
        channels: (0..CHANNELS).map(channel).collect(),
        values: values.to_vec(),
        mask: vec![true; values.len()],
        first_at: Timestamp::from_ms(0),
        last_at: Timestamp::from_ms(1000 * (values.len() / CHANNELS) as i64),
        excluded: Vec::new(),
        stuck: StuckSpec::default(),
    };
    let spec = DetectorSpec { members, ..DetectorSpec::default() };
    Arc::new(fit(&input, &spec, &mut |_| ControlFlow::Continue(())).expect("a model"))
}

fn score(c: &mut Criterion) {
    let values = values(TRAINING_ROWS + ROWS);
    let all = DetectorSpec::default().members;
    let closed_form: Vec<Member> = all.iter().copied().filter(|member| !member.is_trained()).collect();
    let (training, rest) = values.split_at(TRAINING_ROWS * CHANNELS);
    let (warm, stream) = (frames(training), frames(rest));
    let mut group = c.benchmark_group("score");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(20);
    for (name, members) in [("all_members", all), ("closed_form", closed_form), ("baseline", vec![Member::Baseline])] {
        let bundle = fitted(training, members);
        let mut chain = Chain::new(Arc::clone(&bundle), &DecisionSpec::default(), (0..CHANNELS).collect());
        warm.iter().for_each(|frame| drop(chain.push(frame, Phase::Training)));
        group.bench_function(format!("row/{name}"), |b| {
            b.iter_batched_ref(
                || chain.clone(),
                |chain| stream.iter().for_each(|frame| drop(black_box(chain.push(frame, Phase::Scoring)))),
                BatchSize::LargeInput,
            );
        });
        let mut window = WindowBuffer::new(bundle.n_time(), (0..CHANNELS).collect());
        let mut scratch = RowScratch::default();
        group.bench_function(format!("members/{name}"), |b| {
            b.iter(|| {
                for frame in &stream {
                    if let Some(window) = window.push(frame) {
                        black_box(bundle.detector.score(window, &mut scratch));
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, score);
criterion_main!(benches);
