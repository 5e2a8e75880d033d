//! The demo's plant judged by the pure chain: no broker, no store, no clock.

use std::ops::ControlFlow;
use std::sync::Arc;

use kilter::bundle::{self, FitInput};
use kilter::detector::DetectorSpec;
use kilter::pipeline::{Chain, Phase};
use kilter::series::{Cell, ChannelName, Frame, SeriesId, Timestamp};
use kilter::simulate::{DemoPlan, MACHINES, Report, Tally, WARM_UP_ROWS};
use kilter::verdict::{AlertKind, AlertMachine, DecisionSpec, TransitionKind};

/// Every machine of a plan, fitted on its warm-up and judged to the end.
fn judge(seed: u64, n_live_rows: usize) -> Report {
    let plan = DemoPlan::new(seed, n_live_rows, Timestamp::from_ms(1_795_521_600_000));
    let mut openings: Vec<(Timestamp, SeriesId)> = Vec::new();
    for (name, kind) in MACHINES {
        let series = SeriesId::parse(name).expect("a name");
        let rows = plan.plant().filter(|row| row.series == series).take(plan.n_rows);
        let frames: Vec<Frame> = rows
            .map(|row| Frame { at: row.at, cells: vec![Cell::Measured; row.values.len()], values: row.values })
            .collect();
        let names = kind.channels().iter().map(|name| ChannelName::parse(name).expect("a name"));
        let mut order: Vec<(ChannelName, usize)> = names.zip(0..).collect();
        order.sort();
        let (channels, indexes): (Vec<_>, Vec<_>) = order.into_iter().unzip();
        let values = frames[..WARM_UP_ROWS].iter().flat_map(|frame| indexes.iter().map(|i| frame.values[*i]));
        let input = FitInput {
            values: values.collect(),
            mask: vec![true; WARM_UP_ROWS * channels.len()],
            channels: channels.clone(),
            first_at: frames[0].at,
            last_at: frames[WARM_UP_ROWS - 1].at,
            excluded: Vec::new(),
        };
        let started = std::time::Instant::now();
        let model = bundle::fit(&input, &DetectorSpec::default(), &mut |_| ControlFlow::Continue(()));
        eprintln!("{name}: fitted in {:?}", started.elapsed());
        let mut chain = Chain::new(Arc::new(model.expect("a fit")), &DecisionSpec::default(), indexes);
        let mut alert = AlertMachine::new(series.clone(), AlertKind::Anomaly, String::new(), channels);
        for (row, frame) in frames.iter().enumerate() {
            let phase = if row < WARM_UP_ROWS { Phase::Training } else { Phase::Scoring };
            let judged = chain.push(frame, phase);
            let transition = judged.verdict().filter(|_| phase == Phase::Scoring).and_then(|v| alert.on_verdict(&v));
            if let Some(opened) = transition.filter(|t| t.kind == TransitionKind::Opened) {
                openings.push((opened.at, series.clone()));
            }
        }
    }
    let mut tally = Tally::new(&plan.schedule, plan.spec.stride);
    openings.sort();
    for (at, series) in &openings {
        eprintln!("{at} {series} {:?}", tally.on_opened(series, *at));
    }
    tally.report(plan.spec.at_row(plan.n_rows), 0.0)
}

#[test]
#[ignore = "takes a minute: fits twelve models"]
fn most_faults_of_the_demo_are_found_and_few_alarms_are_false() {
    for seed in [1, 2, 3] {
        let report = judge(seed, 2700);
        println!("{}", serde_json::to_string_pretty(&report).expect("JSON"));
        assert!(report.kinds_found.len() >= 4, "seed {seed}: {report:#?}");
        assert!(report.false_alarms <= 2, "seed {seed}: {report:#?}");
    }
}
