//! Every command, flag, configuration, route, metric and link that the documentation names is read from it and tried.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use kilter::config::Config;

fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![PathBuf::from("README.md"), "CHANGELOG.md".into(), "CONTRIBUTING.md".into()];
    let docs = fs::read_dir("docs").expect("docs/ is there").map(|entry| entry.expect("docs/ can be listed").path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|e| e == "md")));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("a page can be read"))).collect()
}

/// The fenced blocks of one language.
pub(crate) fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// Command lines of Kilter in a page: `kilter …` and `cargo run --release -- …`, blocks and inline code.
fn commands(page: &str) -> BTreeSet<Vec<String>> {
    let lines = blocks(page, "sh").into_iter().flat_map(str::lines).map(str::trim);
    let inline = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let found = lines.chain(inline).filter_map(|line| {
        let line = line.split(" #").next().unwrap_or(line);
        let line = line.split(" | ").next().unwrap_or(line);
        let rest = line.strip_prefix("cargo run --release -- ").or_else(|| line.strip_prefix("kilter "))?;
        Some(rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    });
    found.filter(|words| words.first().is_some_and(|word| word.chars().all(|c| c.is_ascii_lowercase()))).collect()
}

#[test]
fn every_command_and_flag_in_the_documentation_exists() {
    let mut n_commands = 0;
    for (path, page) in pages() {
        for words in commands(&page) {
            let command = &words[0];
            let help_of = |words: &[&str]| {
                Command::cargo_bin("kilter").expect("built").args(words).arg("--help").output().expect("runs")
            };
            let output = help_of(&[command]);
            assert!(output.status.success(), "{}: `kilter {command}` is not a command", path.display());
            let help = String::from_utf8_lossy(&output.stdout).into_owned();
            // Flags of `kilter models sample` stand in its own help.
            let second = words.get(1).filter(|word| help.contains(&format!("\n  {word} ")));
            let output = second.map_or(output, |second| help_of(&[command, second]));
            let help = String::from_utf8_lossy(&output.stdout).into_owned();
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                let flag = flag.trim_end_matches(['.', ',']).split('=').next().unwrap_or(flag);
                assert!(help.contains(flag), "{}: `kilter {command}` has no {flag}:\n{help}", path.display());
            }
            n_commands += 1;
        }
    }
    assert!(n_commands >= 10, "the reader finds commands, found {n_commands}");
}

#[test]
fn the_two_commands_of_the_readme_are_there_and_the_gate_runs_the_second() {
    let readme = fs::read_to_string("README.md").expect("README is there");
    let first = blocks(&readme, "sh")[0];
    let lines: Vec<&str> = first.lines().map(|line| line.split(" #").next().unwrap_or(line).trim()).collect();
    assert_eq!(lines, ["cargo run --release -- demo", "cargo test"]);
}

#[test]
fn every_configuration_in_the_documentation_is_valid() {
    let mut n_blocks = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "toml") {
            if let Err(error) = Config::parse(block, &path) {
                panic!("{error}\n{block}");
            }
            n_blocks += 1;
        }
    }
    assert!(n_blocks >= 2, "the reader finds configurations");
}

#[test]
fn every_metric_in_the_documentation_is_counted() {
    let known: BTreeSet<&str> = kilter::service::telemetry::METRICS.iter().map(|(name, ..)| *name).collect();
    let mut n_metrics = 0;
    for (path, page) in pages() {
        for (at, _) in page.match_indices("kilter_") {
            let name: String = page[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            assert!(known.contains(name.as_str()), "{}: there is no metric {name}", path.display());
            n_metrics += 1;
        }
    }
    assert!(n_metrics >= 5, "the reader finds metrics");
}

#[test]
fn every_route_in_the_documentation_is_served() {
    let document = serde_json::to_value(kilter::http::openapi()).expect("JSON");
    let served: BTreeSet<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    for (path, page) in pages() {
        for (at, _) in page.match_indices("/api/v1/") {
            let route: String =
                page[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "/_-{}".contains(*c)).collect();
            let fits = |template: &&str| {
                let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), route.split('/').collect());
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || a.starts_with('{'))
            };
            assert!(served.iter().any(fits), "{}: no route {route}", path.display());
        }
        for route in ["/healthz", "/readyz", "/metrics"] {
            assert!(!page.contains(route) || served.contains(route), "{}: no route {route}", path.display());
        }
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (path, page) in pages() {
        for (at, _) in page.match_indices("](") {
            let target: String = page[at + 2..].chars().take_while(|c| *c != ')').collect();
            let file = target.split('#').next().unwrap_or_default();
            if target.starts_with("http") || file.is_empty() {
                continue;
            }
            let folder = path.parent().unwrap_or(Path::new("."));
            assert!(folder.join(file).exists(), "{}: the link {target} leads nowhere", path.display());
        }
    }
}

#[test]
fn the_alert_of_the_readme_has_the_words_that_the_demo_prints() {
    let readme = fs::read_to_string("README.md").expect("README is there");
    let voice = fs::read_to_string("src/cli/demo/voice.rs").expect("the demo speaks there");
    let alert = blocks(&readme, "text").into_iter().find(|block| block.contains("ALERT")).expect("an alert is shown");
    for words in
        ["ALERT", "does not behave as it learned", "how sure", "(1.0 is notable), p-value ", "to blame", "truth"]
    {
        assert!(alert.contains(words) && voice.contains(words), "{words:?} stands on one side only:\n{alert}");
    }
    let blamed = alert.lines().find(|line| line.contains("to blame")).expect("a channel is named");
    assert!(blamed.contains("reads ") && blamed.contains(", normal would be "), "{blamed}");
}
