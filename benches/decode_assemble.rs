//! Messages to rows: one JSON object of eight channels, and one message a channel, with the parser alone beside them.
//!
//! `cargo bench --bench decode_assemble`. Throughput is in readings.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kilter::decode::{MessageDecoder, PayloadFormat, PayloadSpec, TopicTemplate};
use kilter::series::{Stride, Timestamp};
use kilter::windowing::{Assembler, GridSpec, IndexedReading};

const CHANNELS: usize = 8;
const SERIES: usize = 100;
const ROWS: usize = 20;
const FIRST_MS: i64 = 1_795_521_600_000;

fn value(row: usize, channel: usize) -> f64 {
    ((row * 31 + channel * 7) % 1000) as f64 / 8.0
}

/// `ROWS` rows of `SERIES` series, interleaved as a plant sends them.
fn objects() -> Vec<(String, String)> {
    let message = |row: usize, series: usize| {
        let at = Timestamp::from_ms(FIRST_MS + row as i64 * 1000);
        let members: Vec<String> = (0..CHANNELS).map(|c| format!("\"channel_{c}\":{}", value(row, c))).collect();
        (format!("plant/machine-{series}"), format!("{{\"timestamp\":\"{at}\",{}}}", members.join(",")))
    };
    (0..ROWS).flat_map(|row| (0..SERIES).map(move |series| message(row, series))).collect()
}

fn cells() -> Vec<(String, String)> {
    let message = |row: usize, series: usize, channel: usize| {
        (format!("plant/machine-{series}/channel_{channel}"), value(row, channel).to_string())
    };
    let series = |row| (0..SERIES).flat_map(move |s| (0..CHANNELS).map(move |c| message(row, s, c)));
    (0..ROWS).flat_map(series).collect()
}

fn decoder(template: &str, format: PayloadFormat) -> MessageDecoder {
    MessageDecoder::single(TopicTemplate::parse(template).expect("a template"), PayloadSpec::new(format))
}

fn decode_all(decoder: &MessageDecoder, messages: &[(String, String)]) {
    for (topic, payload) in messages {
        black_box(decoder.decode(topic, payload.as_bytes(), Timestamp::from_ms(FIRST_MS))).expect("readings");
    }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements((ROWS * SERIES * CHANNELS) as u64));
    let messages = objects();
    let objects = decoder("plant/{series}", PayloadFormat::JsonObject);
    group.bench_function("json_object_of_8", |b| b.iter(|| decode_all(&objects, &messages)));
    group.bench_function("serde_json_value_of_8", |b| {
        b.iter(|| {
            for (_, payload) in &messages {
                black_box(serde_json::from_str::<serde_json::Value>(payload)).expect("JSON");
            }
        });
    });
    let messages = cells();
    let numbers = decoder("plant/{series}/{channel}", PayloadFormat::Number);
    group.bench_function("number", |b| b.iter(|| decode_all(&numbers, &messages)));
    group.finish();
}

/// Decodes everything and assembles the rows of each series; the channel's position is known from its name's end, as
/// the pipeline knows it from a table.
fn decode_assemble(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode_assemble");
    group.throughput(Throughput::Elements((ROWS * SERIES * CHANNELS) as u64));
    let grids = [("time", GridSpec::time(Stride::SECOND)), ("row", GridSpec::row())];
    let messages = objects();
    let decoder = decoder("plant/{series}", PayloadFormat::JsonObject);
    for (name, grid) in grids {
        let fresh = || vec![Assembler::new(grid.clone()); SERIES];
        group.bench_function(name, |b| {
            b.iter_batched(
                fresh,
                |mut assemblers| {
                    let mut indexed = Vec::with_capacity(CHANNELS);
                    let mut n_closed = 0;
                    for (i, (topic, payload)) in messages.iter().enumerate() {
                        let received_at = Timestamp::from_ms(FIRST_MS + (i / SERIES) as i64 * 1000);
                        let decoded = decoder.decode(topic, payload.as_bytes(), received_at).expect("readings");
                        indexed.clear();
                        indexed.extend(decoded.readings.iter().enumerate().map(|(channel_index, reading)| {
                            IndexedReading {
                                channel_index,
                                at: reading.at,
                                value: reading.value,
                                quality: reading.quality,
                            }
                        }));
                        n_closed += assemblers[i % SERIES].push_message(&indexed, received_at).closed.len();
                    }
                    n_closed
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decode, decode_assemble);
criterion_main!(benches);
