//! The table of systems in `docs/networks.md`, read line by line: each is a configuration that is accepted.

use std::path::Path;

use kilter::config::Config;

/// What makes a fit quick; the systems stay as the page has them.
const QUICK: &str = "[defaults]\nwindow = \"8 rows\"\nstride = \"1m\"\n";

fn page() -> String {
    std::fs::read_to_string("docs/networks.md").unwrap()
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
