//! Windows of many series are judged by one network at once, and nothing that is said differs by a bit.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use kilter::config::Config;
use kilter::pipeline::{
    FitWanted, Incoming, Outcome, Pipeline, SHARED_WARM_ROWS, SeriesSpec, SharedModels, adopt, train,
};
use kilter::series::{ChannelName, Frame, Quality, Reading, SeriesId, Timestamp};

const FIRST_MS: i64 = 1_795_521_600_000;
/// Fits are answered after every so many messages, wherever the stream is cut.
const ANSWERED_EVERY: usize = 40;

fn spec(grid: &str) -> SeriesSpec {
    let text = format!(
        "[defaults]\nmembers = [\"autoencoder\", \"pca\"]\nshare_model = true\ngrid = \"{grid}\"\n\
         window = \"16 rows\"\n[defaults.autoencoder]\nepochs = 2\n[defaults.power]\nenabled = false\n"
    );
    let mut spec = Config::parse(&text, Path::new("kilter.toml")).unwrap().series[0].spec.clone();
    (spec.detector.members_from_rows, spec.detector.autoencoder_from_rows) = (50, 50);
    spec
}

/// Five machines, one message a row: some send two rows at once, one pauses, one goes wrong, one gets a channel late.
fn messages() -> Vec<(Vec<Reading>, Timestamp)> {
    let names: Vec<SeriesId> = (0..5).map(|n| SeriesId::parse(&format!("machine-{n}")).unwrap()).collect();
    let mut messages = Vec::new();
    for row in 0..420_i64 {
        let order = (0..5).map(|i| (i + row) % 5).filter(|m| *m != 3 || !(200..=300).contains(&row));
        // The second machine is silent in odd seconds and tells both rows in even ones.
        for machine in order {
            let told = match machine {
                1 if row % 2 == 1 => continue,
                1 => row - 1..row + 1,
                _ => row..row + 1,
            };
            for row in told.filter(|row| *row >= 0) {
                let noise = |salt: i64| ((row * 7919 + machine * 31 + salt * 104_729).rem_euclid(1009)) as f64 / 1009.0;
                let phase = row as f64 * 0.157;
                let fault = if machine == 2 && (330..370).contains(&row) { 9.0 } else { 0.0 };
                let mut values =
                    vec![("load", phase.sin() + 0.2 * noise(1) + fault), ("flow", phase.cos() + 0.2 * noise(2))];
                if machine == 4 && row > 310 {
                    values.push(("late", noise(3)));
                }
                let at = Timestamp::from_ms(FIRST_MS + 1000 * row);
                let reading = |(channel, value): (&str, f64)| Reading {
                    series: names[usize::try_from(machine).unwrap()].clone(),
                    channel: ChannelName::parse(channel).unwrap(),
                    at,
                    value,
                    quality: if value > 1.19 && fault == 0.0 { Quality::Missing } else { Quality::Good },
                };
                messages.push((values.into_iter().map(reading).collect(), at));
            }
        }
    }
    messages
}

/// Answers what was asked, as the service does: one model for all of a kind.
struct Fits {
    rows: HashMap<SeriesId, Vec<Frame>>,
    shared: SharedModels,
}

impl Fits {
    fn answer(&mut self, pipeline: &mut Pipeline, wanted: FitWanted) -> Vec<Outcome> {
        let rows = &self.rows[&wanted.series];
        let rows = &rows[..rows.partition_point(|frame| frame.at <= wanted.to)];
        let (channels, spec) = pipeline.describe(&wanted.series).unwrap();
        let last = &rows[rows.len().saturating_sub(SHARED_WARM_ROWS as usize)..];
        let found = self.shared.find(spec, channels, pipeline.usable_rows(&wanted.series));
        let trained = match found {
            Some(bundle) => adopt(wanted, bundle, last, channels, spec).unwrap(),
            None => train(wanted, rows, channels, spec, &mut |_| ControlFlow::Continue(())).unwrap(),
        };
        self.shared.keep(spec, &trained.bundle);
        pipeline.on_trained(trained)
    }
}

/// All that the pipeline says, in order, when messages come in groups of the sizes that `cut` gives.
fn said(grid: &str, mut cut: impl FnMut() -> usize) -> Vec<String> {
    let mut pipeline = Pipeline::new(vec![spec(grid)], 10);
    let mut fits = Fits { rows: HashMap::new(), shared: SharedModels::default() };
    let mut said = Vec::new();
    for block in messages().chunks(ANSWERED_EVERY) {
        let incoming: Vec<_> = block
            .iter()
            .map(|(readings, received_at)| Incoming { spec_index: 0, readings, received_at: *received_at })
            .collect();
        let (mut outcomes, mut rest) = (Vec::new(), &incoming[..]);
        while !rest.is_empty() {
            let (group, after) = rest.split_at(cut().clamp(1, rest.len()));
            let processed = pipeline.on_messages(group, &mut outcomes);
            assert_eq!(processed.len(), group.len());
            rest = after;
        }
        let mut wanted = Vec::new();
        for outcome in &outcomes {
            match outcome {
                Outcome::Frame { series, frame } => fits.rows.entry(series.clone()).or_default().push(frame.clone()),
                Outcome::FitWanted(fit) => wanted.push(fit.clone()),
                _ => {}
            }
        }
        for fit in wanted {
            outcomes.extend(fits.answer(&mut pipeline, fit));
        }
        said.extend(outcomes.iter().map(|outcome| match outcome {
            Outcome::Model { series, bundle } => {
                assert!(bundle.detector.joins(), "there is a network to ask");
                format!("{series} is judged by {}", bundle.id())
            }
            outcome => format!("{outcome:?}"),
        }));
    }
    said
}

#[test]
fn rows_judged_together_are_judged_as_they_are_alone() {
    for grid in ["row", "time"] {
        let alone = said(grid, || 1);
        let n = |begin: &str| alone.iter().filter(|line| line.starts_with(begin)).count();
        assert!(n("Score {") > 1000 && n("Checkpoint") > 20, "{grid}: {} scores", n("Score {"));
        assert!(alone.iter().any(|line| line.starts_with("Transition") && line.contains("Opened")), "{grid}: an alert");
        let models = alone.iter().filter(|line| line.contains(" is judged by ")).count();
        assert!(models > 10, "{grid}: refits in the middle, {models} take-overs");
        // A linear congruential generator draws the sizes of the groups.
        let mut state = 7_usize;
        let mut drawn = move || {
            state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
            1 + state / 65_536 % 17
        };
        for (name, joined) in
            [("all", said(grid, || ANSWERED_EVERY)), ("pairs", said(grid, || 2)), ("drawn", said(grid, &mut drawn))]
        {
            for (alone, joined) in alone.iter().zip(&joined) {
                assert_eq!(joined, alone, "{grid} grid, groups: {name}");
            }
            assert_eq!(joined.len(), alone.len(), "{grid} grid, groups: {name}");
        }
    }
}
