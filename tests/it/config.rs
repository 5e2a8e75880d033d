//! The configuration from outside: the shown file equals the defaults, and every fault is told at once.

use std::path::Path;

use kilter::config::{Config, ConfigError, Fault, LimitsConfig, LogConfig, SeriesKeys, known_keys};
use kilter::http::HttpConfig;
use kilter::ingest::mqtt::MqttConfig;
use kilter::notify::{HomeAssistantConfig, MqttPublishConfig};
use kilter::store::{Retention, StoreConfig};
use kilter::windowing::GridSpec;

const SHOWN: &str = include_str!("../../config/kilter.toml");

fn faults(text: &str) -> Vec<Fault> {
    match Config::parse(text, Path::new("test.toml")) {
        Err(ConfigError::Faults { faults, .. }) => faults,
        other => panic!("faults expected, found {other:?}"),
    }
}

#[test]
fn the_shown_file_equals_the_defaults() {
    let shown = Config::parse(SHOWN, Path::new("config/kilter.toml")).expect("the shown file is valid");
    assert_eq!(shown, Config::default());
    assert_eq!(shown, Config::parse("", Path::new("empty")).expect("an empty file is valid"));
}

/// Keys without a default value are shown commented out, all others as they are.
#[test]
fn the_shown_file_shows_every_key() {
    let check = |section: &str, keys: Vec<String>| {
        let start = SHOWN.find(&format!("\n[{section}]\n")).unwrap_or_else(|| panic!("no section [{section}]"));
        let body = &SHOWN[start + section.len() + 4..];
        let body = &body[..body.find("\n[").unwrap_or(body.len())];
        assert!(!keys.is_empty(), "[{section}] has keys");
        for key in keys {
            let is_shown = body
                .lines()
                .any(|line| line.trim_start_matches("# ").split_once(" = ").is_some_and(|(name, _)| name == key));
            assert!(is_shown, "[{section}] does not show `{key}`");
        }
    };
    check("mqtt", known_keys::<MqttConfig>());
    check("store", known_keys::<StoreConfig>());
    check("retention", known_keys::<Retention>());
    check("http", known_keys::<HttpConfig>());
    check("notify.mqtt", known_keys::<MqttPublishConfig>());
    check("notify.home_assistant", known_keys::<HomeAssistantConfig>());
    check("limits", known_keys::<LimitsConfig>());
    check("log", known_keys::<LogConfig>());
    check("defaults", known_keys::<SeriesKeys>());
    check("defaults", known_keys::<GridSpec>());
    check("defaults.autoencoder", known_keys::<kilter::detector::autoencoder::AutoencoderSpec>());
    check("defaults.pca", known_keys::<kilter::detector::PcaSpec>());
    check("defaults.kernel_pca", known_keys::<kilter::detector::KernelPcaSpec>());
    check("defaults.random_features", known_keys::<kilter::detector::RandomFeaturesSpec>());
    check("defaults.kmeans", known_keys::<kilter::detector::KmeansSpec>());
    check("defaults.var", known_keys::<kilter::detector::VarSpec>());
    check("defaults.betting", known_keys::<kilter::verdict::BettingSpec>());
    check("defaults.quantile", known_keys::<kilter::verdict::QuantileSpec>());
    check("defaults.fixed", known_keys::<kilter::verdict::FixedSpec>());
    check("defaults.stuck", known_keys::<kilter::verdict::StuckSpec>());
    check("defaults.silent", known_keys::<kilter::verdict::SilentSpec>());
    check("defaults.power", known_keys::<kilter::pipeline::PowerSpec>());
}

#[test]
fn every_fault_is_told_at_once_with_path_found_and_allowed() {
    let text = r#"
        [stor]
        [http]
        lisen = "0.0.0.0:80"
        listen = "everywhere"
        [notify.mqtt]
        bse = "k"
        [log]
        format = "xml"
        filter = "kilter=shout"
        [defaults]
        stride = "5 parsecs"
        window = "one day"
        [defaults.kmeans]
        n_centers = 3
        [defaults.stuck]
        margin = 0.5
        [defaults.limits]
        flow = { low = 3.0, high = 1.0 }
        pressure = { max = 4.0 }
        [[series]]
        topic = "a/{series}"
        grid = "square"
        alarm_budget = "never"
        warm_up_rows = 3
        [[series]]
        topic = "x{series}"
    "#;
    let faults = faults(text);
    let check = |path: &str, found: &str, allowed: &str| {
        let Some(fault) = faults.iter().find(|fault| fault.path == path) else {
            panic!("no fault at {path}: {faults:#?}");
        };
        assert!(fault.found.contains(found), "{fault}");
        assert!(fault.allowed.contains(allowed), "{fault}");
    };
    check("stor", "unknown", "`store`");
    check("http.lisen", "unknown", "`listen`");
    check("http.listen", "everywhere", "an address and a port, such as \"127.0.0.1:8181\"");
    check("notify.mqtt.bse", "unknown", "`base`");
    check("log.format", "xml", "json");
    check("log.filter", "shout", "info");
    check("defaults.stride", "5 parsecs", "ms, s, m, h, d or w");
    check("defaults.window", "one day", "32 rows");
    check("defaults.kmeans.n_centers", "unknown", "`n_centres`");
    check("defaults.stuck", "0.5", "margin from 1");
    check("defaults.limits.flow", "3.0", "low below high");
    check("defaults.limits.pressure.max", "unknown", "high");
    check("series[0].grid", "square", "row");
    check("series[0].alarm_budget", "never", "1 per week");
    check("series[0].warm_up_rows", "3", "ladder");
    check("series[1].topic", "x{series}", "one name in braces");
    assert_eq!(faults.len(), 16, "{faults:#?}");
}

/// No fault quotes a parser, or says again in "allowed" what was found.
#[test]
fn what_is_allowed_is_said_in_the_words_of_whoever_writes_the_file() {
    let text = r#"
        [mqtt]
        servers = "localhost"
        receive_maximum = -1
        client_id = 7
        [http]
        enabled = "yes"
        listen = "127.0.0.1"
        [store]
        cache_mib = "much"
        [defaults]
        stride = "0s"
        members = "pca"
        [defaults.alerts]
        critical_score = "high"
        direction = "up"
        channels = 3
        [[series]]
        topic = "a/{series}/{series}"
        [[series]]
        topic = "b/{series}"
        payload = { format = "json", value = "reading" }
    "#;
    let expected = [
        ("mqtt.servers", "a list in brackets"),
        ("mqtt.receive_maximum", "a whole number from 0 to 65535"),
        ("mqtt.client_id", "a text in quotes"),
        ("http.enabled", "true or false"),
        ("http.listen", "an address and a port"),
        ("store.cache_mib", "a whole number from 0 to 4294967295"),
        ("defaults.stride", "1 ms to 24 days"),
        ("defaults.members", "a list in brackets"),
        ("defaults.alerts.critical_score", "a number"),
        ("defaults.alerts.direction", "`below_expected`"),
        ("defaults.alerts.channels", "a table of keys and values"),
        ("series[0].topic", "each name once"),
        ("series[1].payload", "begins with '/'"),
    ];
    let faults = faults(text);
    for (path, allowed) in expected {
        let fault = faults.iter().find(|fault| fault.path == path);
        let fault = fault.unwrap_or_else(|| panic!("no fault at {path}: {faults:#?}"));
        assert!(fault.allowed.contains(allowed), "{fault}");
        assert!(!fault.allowed.contains("found"), "said twice: {fault}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn an_entry_is_the_defaults_with_some_keys_anew() {
    let text = r#"
        [defaults]
        stride = "1m"
        window = "1h"
        [defaults.kmeans]
        n_centres = 5
        steps_max = 7
        [[series]]
        topic = "a/{series}"
        [[series]]
        topic = "b/{series}/{channel}"
        payload = "number"
        window = 16
        alarm_budget = "1 per day"
        kmeans = { n_centres = 6 }
    "#;
    let config = Config::parse(text, Path::new("test.toml")).expect("valid");
    let [a, b] = config.series.as_slice() else { panic!("two entries") };
    assert_eq!(a.spec.detector.window_rows, 60, "an hour of minutes");
    assert_eq!((a.spec.detector.kmeans.n_centres, a.spec.detector.kmeans.steps_max), (5, 7));
    assert_eq!(b.spec.detector.window_rows, 16);
    assert_eq!((b.spec.detector.kmeans.n_centres, b.spec.detector.kmeans.steps_max), (6, 7));
    assert_eq!(b.spec.alarm_budget.to_string(), "1 per day");
    assert_eq!(b.topic.as_str(), "b/{series}/{channel}");
    assert_eq!(b.spec.grid.stride.as_ms(), 60_000);
}

#[test]
fn what_only_the_keys_together_can_tell_is_told() {
    let check = |text: &str, path: &str| {
        let found = faults(text);
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), [path], "{found:#?}");
    };
    check("[defaults]\ngrid = \"row\"\nalarm_budget = \"1 per week\"", "defaults.alarm_budget");
    check("[defaults]\ngrid = \"row\"\nwindow = \"5m\"", "defaults.window");
    check("[defaults]\nmembers = []", "defaults.members");
    check("[[series]]\ntopic = \"a/{series}\"\n[[series]]\ntopic = \"a/{series}\"", "series[1].topic");
    check("series = 5", "series");
    check("http = 5", "http");
}

#[test]
fn faults_of_pca_and_kernel_pca_are_told_with_their_paths() {
    let text = "[defaults.pca]\nvariance_share = 0.0\nn_components = 0\n[defaults.kernel_pca]\ndegree = 0\ngamma = -1.0\n\
                windows_max = 1";
    let mut paths: Vec<String> = faults(text).into_iter().map(|fault| fault.path).collect();
    paths.sort();
    let expected = [
        "defaults.kernel_pca.degree",
        "defaults.kernel_pca.gamma",
        "defaults.kernel_pca.windows_max",
        "defaults.pca.n_components",
        "defaults.pca.variance_share",
    ];
    assert_eq!(paths, expected);
}
