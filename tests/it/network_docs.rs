//! Every command of `docs/networks.md`, run as it stands there, and its table of systems ticked line by line.
//!
//! Commands run from top to bottom in one directory, so that each finds what the ones before it made. What makes them
//! quick is added here: few rows, few epochs, and the address of the test's own service.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kilter::config::Config;
use kilter::detector::autoencoder::export::write_tensors;
use kilter::nn::generator::Generator;
use kilter::nn::parameter::Tensor;

use crate::docs::blocks;
use crate::mosquitto::{Mosquitto, free_port};
use crate::networks::{Service, until};

/// Rows of the recording that the commands read: enough for `--rows 600` and for labels after them.
const ROWS: usize = 900;
/// What makes a fit quick; the systems stay as the page has them.
const QUICK: &str = "[defaults]\nwindow = \"8 rows\"\nstride = \"1m\"\n";

fn page() -> String {
    std::fs::read_to_string("docs/networks.md").unwrap()
}

/// What a command prints, run in a directory; a failed test when it fails.
fn run(directory: &Path, mut command: Command, arguments: &[&str]) -> String {
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

fn kilter(directory: &Path, line: &str) -> String {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    run(directory, Command::new(assert_cmd::cargo::cargo_bin("kilter")), &arguments)
}

/// An example of this crate, as `cargo run --example` runs it. What cargo tells a test about its crate would make it
/// build dependencies anew that watch for it.
fn example(directory: &Path, arguments: &[&str]) -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let all = [&["run", "--quiet", "--locked", "--manifest-path", manifest, "--example"], arguments].concat();
    let mut cargo = Command::new(env!("CARGO"));
    let of_the_test = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|p| name.starts_with(p));
    for (name, _) in std::env::vars().filter(|(name, _)| of_the_test(name)) {
        cargo.env_remove(name);
    }
    run(directory, cargo, &all)
}

/// The simulated pump: its first rows, and after them the first ones around a fault.
fn write_recording(directory: &Path) {
    let text = example(directory, &["recording", "--", "pump-1"]);
    let lines: Vec<&str> = text.lines().collect();
    let fault = lines.iter().position(|line| line.ends_with(",1")).unwrap();
    let calm = (ROWS - 200).min(fault - 100);
    let kept = lines[..=calm].iter().chain(&lines[fault - 100..fault + 100]);
    let text: String = kept.flat_map(|line| [*line, "\n"]).collect();
    std::fs::write(directory.join("recording.csv"), text).unwrap();
}

/// Weights as Keras holds them for the default network over `c` channels.
fn write_keras(directory: &Path, c: usize) {
    let (h, z, mut generator) = (32, 8, Generator::new(1));
    let mut tensors = Vec::new();
    let mut add = |name: &str, shape: &[usize]| {
        let values = (0..shape.iter().product()).map(|_| 0.1 * generator.normal() as f32).collect();
        tensors.push(Tensor { name: name.to_owned(), shape: shape.to_vec(), values });
    };
    for (layer, input) in [("encoder_0", c), ("decoder_0", z)] {
        add(&format!("{layer}/kernel"), &[input, 3 * h]);
        add(&format!("{layer}/recurrent_kernel"), &[h, 3 * h]);
        add(&format!("{layer}/bias"), &[2, 3 * h]);
    }
    for (layer, input, output) in [("encoder_1", h, z), ("decoder_1", h, c)] {
        add(&format!("{layer}/kernel"), &[input, output]);
        add(&format!("{layer}/bias"), &[output]);
    }
    std::fs::write(directory.join("keras.safetensors"), write_tensors(tensors)).unwrap();
}

/// One system of the table: its name, its member, and its lines.
#[derive(Debug, Clone)]
struct System {
    name: String,
    member: String,
    lines: Vec<(String, String)>,
}

impl System {
    fn configuration(&self) -> String {
        let mut lines: String = self.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if self.member == "autoencoder" {
            lines.push_str("epochs = 2\n");
        }
        let members = if self.member == "pca" { "[\"pca\"]" } else { &format!("[\"{}\", \"pca\"]", self.member) };
        format!("{QUICK}members = {members}\n\n[defaults.{}]\n{lines}", self.member)
    }
}

/// The systems of the page's table. `key = value` is a line; a value alone is another choice for the key before it.
fn systems(page: &str) -> Vec<System> {
    let rows = page.split("| system | lines in the configuration |").nth(1).unwrap();
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut systems = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, words] = cells[..] else { panic!("{row}") };
        let member = match name.split_once("member `") {
            Some((_, rest)) => rest.trim_end_matches('`').to_owned(),
            None => "autoencoder".to_owned(),
        };
        let mut first: Vec<(String, String)> = Vec::new();
        let mut others: Vec<(String, String)> = Vec::new();
        for code in words.split('`').skip(1).step_by(2) {
            let is_key = |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            match code.split_once(" = ").filter(|(key, _)| is_key(key)) {
                Some((key, value)) if first.iter().all(|(known, _)| known != key) => {
                    first.push((key.to_owned(), value.to_owned()));
                }
                Some((key, value)) => others.push((key.to_owned(), value.to_owned())),
                None if code.starts_with(['"', '{']) || code == "true" || code == "false" => {
                    others.push((first.last().unwrap().0.clone(), code.to_owned()));
                }
                None => {}
            }
        }
        assert!(!first.is_empty(), "no line for {name}");
        systems.push(System { name: name.to_owned(), member: member.clone(), lines: first.clone() });
        for (key, value) in others {
            let lines = first.iter().map(|(k, v)| (k.clone(), if *k == key { value.clone() } else { v.clone() }));
            systems.push(System { name: format!("{name}: {value}"), member: member.clone(), lines: lines.collect() });
        }
    }
    systems
}

#[test]
fn every_line_of_the_table_of_systems_is_a_valid_configuration() {
    let systems = systems(&page());
    assert!(systems.len() >= 28, "the reader finds the systems and their choices: {}", systems.len());
    for system in &systems {
        if let Err(error) = Config::parse(&system.configuration(), Path::new("system.toml")) {
            panic!("{}: {error}\n{}", system.name, system.configuration());
        }
    }
    for wanted in
        ["simple_rnn", "lstm", "attention", "dense", "variational", "channel_drop", "\"t2\"", "\"polynomial\""]
    {
        assert!(systems.iter().any(|system| system.configuration().contains(wanted)), "{wanted} stands in the table");
    }
}

#[test]
#[ignore = "needs a minute"]
fn every_line_of_the_table_of_systems_is_ticked_by_the_commands_above_it() {
    let (page, directory) = (page(), tempfile::tempdir().unwrap());
    let path = directory.path();
    write_recording(path);
    let commands: Vec<&str> = blocks(&page, "sh")
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| line.contains("--config system.toml"))
        .collect();
    for system in systems(&page) {
        std::fs::write(path.join("system.toml"), system.configuration()).unwrap();
        for command in ["train", "score", "evaluate"] {
            let start = format!("kilter {command} ");
            let line = commands.iter().find_map(|line| line.strip_prefix(&start)).unwrap();
            let contenders = format!("--contender {} pca baseline", system.member);
            let line =
                line.replace("--contender autoencoder pca baseline", contenders.replace("pca pca", "pca").as_str());
            let out = kilter(path, &format!("{command} {line}"));
            if command == "evaluate" {
                for contender in [system.member.as_str(), "baseline"] {
                    assert!(out.contains(contender), "{}: {out}", system.name);
                }
            }
        }
        let scores = std::fs::read_to_string(path.join("scores.csv")).unwrap();
        let n_rows = std::fs::read_to_string(path.join("recording.csv")).unwrap().lines().count();
        assert_eq!(scores.lines().count(), n_rows, "{}", system.name);
        println!("ticked: {}", system.name);
    }
}

/// The page's `system.toml` for what comes next.
fn configure(directory: &Path, lines: &str) {
    let text = format!("{QUICK}members = [\"autoencoder\", \"pca\"]\n\n[defaults.autoencoder]\nepochs = 2\n{lines}\n");
    std::fs::write(directory.join("system.toml"), text).unwrap();
}

#[test]
#[ignore = "needs mosquitto and a minute"]
fn every_command_of_the_page_on_networks_runs_as_it_stands_there() {
    let (page, directory) = (page(), tempfile::tempdir().unwrap());
    let path = directory.path();
    let (broker, port) = (Mosquitto::start(), free_port());
    let config = format!(
        "[mqtt]\nservers = [\"{}\"]\n[store]\nurl = \"sqlite:kilter.db\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
         [defaults]\ngrid = \"row\"\nwindow = \"8 rows\"\nmembers = [\"pca\"]\n",
        broker.url()
    );
    std::fs::write(path.join("kilter.toml"), config).unwrap();
    let _service = Service::start(path, port);
    let url = format!("http://127.0.0.1:{port}");
    let labelled = path.join("labelled");
    std::fs::create_dir(&labelled).unwrap();
    configure(path, "");

    let mut n_commands = 0;
    let lines: Vec<&str> = blocks(&page, "sh").into_iter().flat_map(str::lines).collect();
    for line in lines {
        let line = line.split("   #").next().unwrap().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        println!("{line}");
        match words[..] {
            ["cargo", "run", "--release", "--example", "recording", "--", "pump-1", ">", "recording.csv"] => {
                write_recording(path);
                for name in ["a.csv", "b.csv"] {
                    std::fs::copy(path.join("recording.csv"), labelled.join(name)).unwrap();
                }
                learn_two_models(path, &broker.url(), &url);
            }
            // The program of this very build runs below.
            ["cargo", "build", "--release"] => {}
            ["cargo", "run", "--release", "--example", "networks"] => {
                let out = example(path, &["networks", "--", "--trial", "pictures"]);
                for words in ["| rolled sheet |", "| attention |", "| dropout 0.1 |"] {
                    assert!(out.contains(words), "{out}");
                }
                for picture in ["manifold.svg", "memory.svg"] {
                    assert!(path.join("pictures").join(picture).is_file(), "{picture}");
                }
            }
            ["python3", script, ..] => {
                let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script);
                let program = assert_cmd::cargo::cargo_bin("kilter");
                let (script, program) = (script.to_string_lossy(), program.to_string_lossy());
                let mut arguments = vec![&*script];
                arguments.extend(words[2..].iter().map(|word| if *word == "DATA" { "labelled" } else { *word }));
                arguments.extend(["--kilter", &*program, "--epochs", "1", "--train-rows", "600"]);
                let out = run(path, Command::new("python3"), &arguments);
                let n_systems =
                    page.split("| system | ").nth(2).unwrap().lines().skip(1).take_while(|l| l.starts_with('|'));
                assert_eq!(out.lines().count(), n_systems.count() + 1, "one row for each of the page's table:\n{out}");
            }
            ["kilter", "models", "sample", ..] => {
                configure(path, "variational = { kl_weight = 0.1 }");
                kilter(path, "train pump-1 --from recording.csv --rows 600 --config system.toml --out pump-1.model");
                kilter(path, &words[1..].join(" "));
                assert!(path.join("drawn.svg").is_file());
                configure(path, "");
                kilter(path, "train pump-1 --from recording.csv --rows 600 --config system.toml --out pump-1.model");
            }
            ["kilter", "models", "list"] => {
                let out = kilter(path, &format!("models list --url {url}"));
                assert!(out.contains("pump-1"), "{out}");
            }
            ["kilter", "models", "activate", _, "--series", "pump-1"] => {
                let oldest = take_overs(&url)[0].clone();
                let out = kilter(path, &format!("models activate {oldest} --series pump-1 --url {url}"));
                assert!(out.contains(&oldest), "{out}");
            }
            ["kilter", "models", "rollback", "pump-1"] => {
                let out = kilter(path, &format!("models rollback pump-1 --url {url}"));
                assert!(out.contains("pump-1"), "{out}");
            }
            ["kilter", "models", "import", "keras.safetensors", ..] => {
                write_keras(path, 7);
                kilter(path, &words[1..].join(" "));
            }
            ["kilter", ..] => drop(kilter(path, &words[1..].join(" "))),
            _ => panic!("nobody runs this command of the page: {line}"),
        }
        n_commands += 1;
    }
    assert!(n_commands >= 14, "the reader finds commands: {n_commands}");
    for file in ["scores.csv", "map.svg", "weights.safetensors", "network.onnx", "again.model"] {
        assert!(path.join(file).is_file(), "{file}");
    }
}

/// Ids of the models that have judged the pump, from the oldest on.
fn take_overs(url: &str) -> Vec<String> {
    let Ok(mut answer) = ureq::get(format!("{url}/api/v1/series/pump-1/models")).call() else { return Vec::new() };
    let document: serde_json::Value = answer.body_mut().read_json().unwrap();
    document["data"].as_array().unwrap().iter().map(|t| t["model_id"].as_str().unwrap().to_owned()).collect()
}

/// Plays the recording to the service, a piece at a time, until two models have judged.
fn learn_two_models(directory: &Path, broker: &str, url: &str) {
    let text = std::fs::read_to_string(directory.join("recording.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let play = directory.join("play");
    std::fs::create_dir(&play).unwrap();
    for piece in lines[1..].chunks(15) {
        if take_overs(url).len() >= 2 {
            return;
        }
        std::fs::write(play.join("pump-1.csv"), [&lines[..1], piece].concat().join("\n")).unwrap();
        kilter(&play, &format!("publish pump-1.csv --broker {broker} --topic plant/{{series}}"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    until("two models have judged", || take_overs(url).len() >= 2);
}
