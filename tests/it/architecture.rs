//! The house as data: which module may import which, and which outside crates it may name.
//!
//! Reads every file under `src/`, finds its `crate::` and `super::` paths and its outside crates, and fails with
//! file, line, found, allowed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, rank, outside crates. Imports point to smaller ranks only.
const HOUSE: &[(&str, u8, &[&str])] = &[
    ("nn", 0, &["ndarray", "gemm", "rand", "rand_chacha", "rand_distr", "serde", "thiserror"]),
    ("stats", 0, &["ndarray", "rand", "rand_chacha", "rand_distr", "serde", "thiserror"]),
    ("series", 0, &["serde", "thiserror", "jiff"]),
    (
        "detector",
        1,
        &[
            "linfa",
            "linfa_clustering",
            "linfa_kernel",
            "linfa_linalg",
            "linfa_reduction",
            "linfa_tsne",
            "ndarray",
            "rand",
            "rand_chacha",
            "rand_distr",
            "rayon",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    ("decode", 1, &["serde", "serde_json", "prost", "thiserror", "jiff"]),
    ("windowing", 1, &["serde", "thiserror"]),
    ("verdict", 1, &["jiff", "postcard", "regex", "serde", "serde_json", "thiserror", "rand", "rand_chacha"]),
    ("bundle", 2, &["safetensors", "serde", "serde_json", "sha2", "thiserror", "ndarray", "rayon"]),
    ("pipeline", 3, &["postcard", "serde", "serde_json", "thiserror"]),
    ("evaluate", 3, &["serde", "serde_json", "thiserror", "csv", "rayon", "rustix", "plotters"]),
    (
        "ingest",
        4,
        &["rumqttc", "tokio", "bytes", "csv", "rand", "serde", "thiserror", "tracing", "metrics", "futures_util"],
    ),
    (
        "store",
        4,
        &[
            "rustix",
            "rusqlite",
            "sqlx",
            "tokio",
            "serde",
            "serde_json",
            "postcard",
            "sha2",
            "thiserror",
            "tracing",
            "metrics",
            "futures_util",
        ],
    ),
    (
        "notify",
        4,
        &[
            "lettre",
            "rumqttc",
            "ureq",
            "futures_util",
            "tokio",
            "sha2",
            "rand",
            "serde",
            "serde_json",
            "percent_encoding",
            "thiserror",
            "tracing",
            "metrics",
        ],
    ),
    (
        "simulate",
        4,
        &[
            "rumqttc",
            "rumqttd",
            "tokio",
            "csv",
            "rand",
            "rand_chacha",
            "rand_distr",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    (
        "http",
        5,
        &[
            "axum",
            "utoipa",
            "utoipa_axum",
            "tokio",
            "tokio_stream",
            "futures_util",
            "rust_embed",
            "percent_encoding",
            "jiff",
            "serde",
            "serde_json",
            "thiserror",
            "tracing",
            "metrics",
            "metrics_exporter_prometheus",
        ],
    ),
    ("config", 6, &["toml", "strsim", "serde", "thiserror", "tracing_subscriber"]),
    (
        "service",
        7,
        &[
            "tokio",
            "tracing",
            "tracing_subscriber",
            "metrics",
            "metrics_exporter_prometheus",
            "sd_notify",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "futures_util",
        ],
    ),
    (
        "cli",
        8,
        &[
            "clap",
            "comfy_table",
            "csv",
            "futures_util",
            "indicatif",
            "jiff",
            "percent_encoding",
            "plotters",
            "serde",
            "sd_notify",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
            "ureq",
        ],
    ),
    ("main", 9, &["clap", "kilter", "mimalloc"]),
];

/// Imports between modules of one rank: from, to, why.
const SIBLINGS: &[(&str, &str, &str)] = &[
    ("evaluate", "pipeline", "what is judged is the very chain that the service runs"),
    ("notify", "store", "notices are delivered from the outbox and marked there"),
];

/// One path found in a file: the line it stands on and the module or crate it names.
type Found = (usize, String);

#[test]
fn imports_point_to_smaller_ranks_only() {
    let mut faults = String::new();
    for file in source_files() {
        let module = module_of(&file);
        let (_, rank, outside) = house_entry(&module, &file);
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let code = code_only(&text);
        let mut inner = paths_after(&code, "crate");
        inner.extend(paths_above_the_root(&code, &file));
        for (line, found) in inner {
            let Some((_, found_rank, _)) = HOUSE.iter().find(|(name, ..)| *name == found) else {
                continue;
            };
            let is_sibling = SIBLINGS.iter().any(|(from, to, _)| (*from, *to) == (&module, &found));
            if found != module && *found_rank >= rank && !is_sibling {
                let allowed: Vec<_> = HOUSE.iter().filter(|(_, r, _)| *r < rank).map(|(name, ..)| *name).collect();
                let file = file.display();
                let _ = writeln!(
                    faults,
                    "{file}:{line}: `{module}` (rank {rank}) names `{found}` (rank {found_rank}); allowed: {}",
                    allowed.join(", ")
                );
            }
        }
        for (line, found) in outside_crates(before_tests(&code)) {
            if !outside.contains(&found.as_str()) {
                let file = file.display();
                let _ = writeln!(
                    faults,
                    "{file}:{line}: `{module}` names the crate `{found}`; allowed: {}",
                    outside.join(", ")
                );
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn every_module_has_its_place_in_the_house() {
    for file in source_files() {
        house_entry(&module_of(&file), &file);
    }
    for (from, to, _) in SIBLINGS {
        let rank = |name| HOUSE.iter().find(|(n, ..)| n == name).map(|(_, rank, _)| rank);
        assert_eq!(rank(from), rank(to), "{from} and {to} are siblings");
    }
}

#[test]
fn every_file_begins_with_its_promise_and_main_is_short() {
    for file in source_files() {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        assert!(text.starts_with("//! "), "{} does not begin with `//!`", file.display());
        if file.ends_with("main.rs") {
            assert!(text.lines().count() < 50, "main.rs has under 50 lines");
        }
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        assert!(
            !["utils", "util", "common", "helpers", "types", "misc"].contains(&name),
            "{}: a name that says nothing",
            file.display()
        );
    }
}

#[test]
fn the_reader_of_paths_sees_what_a_person_sees() {
    let code = code_only(
        "use crate::{series::Frame, stats::{A, B}};\n// crate::http\nlet x = \"crate::store\"; 'c'; crate::nn::f::<'a>()",
    );
    let names: Vec<_> = paths_after(&code, "crate").into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(names, ["1 series", "1 stats", "3 nn"]);
    let above = paths_above_the_root("use super::super::stats::X;\nuse super::pca;", Path::new("src/detector/pca.rs"));
    assert_eq!(above, [(1, "stats".to_owned())]);
}

fn house_entry(module: &str, file: &Path) -> (&'static str, u8, &'static [&'static str]) {
    let entry = HOUSE.iter().find(|(name, ..)| *name == module);
    *entry.unwrap_or_else(|| panic!("{}: `{module}` has no rank; add it to the table", file.display()))
}

/// Every file under `src/` but the crate root, which only lists modules.
fn source_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && path != Path::new("src/lib.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 20, "the walk finds the sources");
    files
}

/// `src/http/error.rs` → `http`; `src/main.rs` → `main`.
fn module_of(file: &Path) -> String {
    let first = file.components().nth(1).expect("a path under src");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Source with comments, strings and character literals blanked; line breaks stay.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let bytes: Vec<char> = text.chars().collect();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            '/' if bytes.get(i + 1) == Some(&'/') => position(&bytes, i, |at| bytes[at] == '\n'),
            '/' if bytes.get(i + 1) == Some(&'*') => {
                position(&bytes, i + 3, |at| bytes[at] == '/' && bytes[at - 1] == '*') + 1
            }
            'r' if !is_word_before(&bytes, i) && matches!(bytes.get(i + 1), Some('"' | '#')) => {
                raw_string_end(&bytes, i)
            }
            '"' => string_end(&bytes, i),
            '\'' if bytes.get(i + 1) == Some(&'\\') => position(&bytes, i + 3, |at| bytes[at] == '\'') + 1,
            '\'' if bytes.get(i + 2) == Some(&'\'') => i + 3,
            other => {
                code.push(other);
                i += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        code.extend(bytes[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        i = end;
    }
    code
}

fn position(text: &[char], from: usize, is_end: impl Fn(usize) -> bool) -> usize {
    (from..text.len()).find(|at| is_end(*at)).unwrap_or(text.len())
}

fn is_word_before(text: &[char], at: usize) -> bool {
    at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_')
}

fn string_end(text: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string_end(text: &[char], start: usize) -> usize {
    let n_hashes = text[start + 1..].iter().take_while(|c| **c == '#').count();
    if text.get(start + 1 + n_hashes) != Some(&'"') {
        return start + 1;
    }
    let closes = |at: usize| {
        text[at] == '"' && text.len() > at + n_hashes && text[at + 1..=at + n_hashes].iter().all(|c| *c == '#')
    };
    position(text, start + 2 + n_hashes, closes) + n_hashes + 1
}

/// The part before the test module, or nothing of a file that is one: tests may use what only tests have.
fn before_tests(code: &str) -> &str {
    code.split_once("cfg(test)]").map_or(code, |(before, _)| before)
}

/// First names of every path that begins with `root::`, groups included.
fn paths_after(code: &str, root: &str) -> Vec<Found> {
    let needle = format!("{root}::");
    let starts = code.match_indices(&needle).filter(|(at, _)| is_path_start(code, *at));
    starts.flat_map(|(at, _)| names_at(code, at + needle.len())).collect()
}

fn is_path_start(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'))
}

/// The name at a position, or the first names of the group there.
fn names_at(code: &str, at: usize) -> Vec<Found> {
    let line_at = |at: usize| code[..at].matches('\n').count() + 1;
    let rest = &code[at..];
    if !rest.starts_with('{') {
        return vec![(line_at(at), word(rest))];
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (offset, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            let inner = &rest[offset + 1..];
            let name = inner.trim_start();
            names.push((line_at(at + offset + 1 + inner.len() - name.len()), word(name)));
        }
    }
    names.retain(|(_, name)| !name.is_empty());
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// `super::super::stats` in `src/detector/pca.rs` is `crate::stats`.
fn paths_above_the_root(code: &str, file: &Path) -> Vec<Found> {
    let n_folders = file.components().count() - 2;
    let depth = if file.ends_with("mod.rs") { n_folders } else { n_folders + 1 };
    let climb = vec!["super"; depth.max(1)].join("::");
    paths_after(before_tests(code), &climb).into_iter().filter(|(_, name)| name != "super").collect()
}

/// Crates of Cargo.toml that a text names.
fn outside_crates(code: &str) -> Vec<Found> {
    let manifest: toml::Table =
        fs::read_to_string("Cargo.toml").expect("Cargo.toml is there").parse().expect("Cargo.toml is TOML");
    let own = manifest["package"]["name"].as_str().unwrap_or_default().to_owned();
    let sections = ["dependencies", "dev-dependencies"].into_iter();
    let crates = sections.filter_map(|section| manifest[section].as_table()).flat_map(|table| table.keys().cloned());
    let mut found = Vec::new();
    for name in crates.chain([own]) {
        let name = name.replace('-', "_");
        let used = code.match_indices(&name).filter(|(at, _)| {
            is_path_start(code, *at) && code[at + name.len()..].starts_with("::")
                || code[..*at].ends_with("use ") && code[at + name.len()..].starts_with(';')
        });
        found.extend(used.map(|(at, _)| (code[..at].matches('\n').count() + 1, name.clone())));
    }
    found
}
