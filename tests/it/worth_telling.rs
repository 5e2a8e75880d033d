//! What is worth an alert, by direction, size and severity, on the running service: the same machine with the same
//! fault, eight times, each under other settings.

use serde_json::Value;

use crate::browser::wait_for;
use crate::running::{Plant, WARM_UP_ROWS};

/// Its temperature sensor reads 12 too much from here on; about 60 is expected.
const BROKEN_ROW: i64 = 700;
const N_ROWS: i64 = 820;

/// Machine, its table `alerts`, and the severity of the alert it gets, if any.
const MACHINES: &[(&str, &str, Option<&str>)] = &[
    ("above", "channels = { temperature = { direction = \"above_expected\" } }", Some("critical")),
    ("below", "channels = { temperature = { direction = \"below_expected\" } }", None),
    ("small", "channels = { temperature = { deviation_min = 20.0 } }", None),
    ("large", "channels = { temperature = { deviation_min = 5.0 } }", Some("critical")),
    ("small-share", "channels = { temperature = { deviation_min_relative = 0.5 } }", None),
    ("large-share", "channels = { temperature = { deviation_min_relative = 0.05 } }", Some("critical")),
    ("mild", "critical_score = 1e6\ncritical_after_rows = 100000", Some("warning")),
    ("long", "critical_score = 1e6\ncritical_after_rows = 8\ncritical_p_value = 0.5", Some("critical")),
];

#[test]
#[ignore = "needs mosquitto"]
fn direction_least_deviation_and_severity_decide_what_is_told_channel_by_channel() {
    let series = MACHINES.iter().map(|(machine, alerts, _)| {
        // Other channels than the broken one never count, whatever its neighbours make of it.
        let others = "load = { deviation_min = 1e6 }, vibration = { deviation_min = 1e6 }";
        let alerts = match alerts.strip_suffix(" }") {
            Some(channels) => format!("{channels}, {others} }}"),
            None => format!("{alerts}\nchannels = {{ {others} }}"),
        };
        format!(
            "[[series]]\ntopic = \"{machine}/{{series}}\"\nwarm_up_rows = {WARM_UP_ROWS}\n[series.alerts]\n{alerts}\n"
        )
    });
    let plant = Plant::start_with(WARM_UP_ROWS, &series.collect::<String>());
    let topic = |machine: &str| format!("{machine}/{machine}");
    for (machine, ..) in MACHINES {
        plant.publish_to(&topic(machine), 0..N_ROWS, BROKEN_ROW);
    }
    for (machine, _, expected) in MACHINES {
        // The row before the newest is closed by it.
        let rows = || plant.get(&format!("series/{machine}/scores?limit=5000"))["data"].as_array().unwrap().clone();
        wait_for(&format!("every row of {machine}"), || rows().len() as i64 >= N_ROWS - WARM_UP_ROWS - 1);
        let evidence = rows().iter().filter_map(|row| row["evidence"].as_f64()).fold(0.0, f64::max);
        assert!(evidence >= 1.0, "{machine}: the fault is seen in every case, evidence {evidence}");
        let alerts = plant.get(&format!("alerts?series={machine}"))["data"].clone();
        let severities: Vec<&str> =
            alerts.as_array().unwrap().iter().filter_map(|one| one["severity"].as_str()).collect();
        let expected: Vec<&str> = expected.iter().copied().collect();
        assert_eq!(severities, expected, "{machine}: {alerts}");
        if let Some(alert) = alerts.get(0) {
            assert_eq!(alert["channels"][0]["channel"], Value::from("temperature"), "{alert}");
        }
    }
}
