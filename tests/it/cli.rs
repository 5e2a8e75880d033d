//! The command line from outside: every command is there, every exit code means what it says.

use assert_cmd::Command;

fn kilter() -> Command {
    Command::cargo_bin("kilter").expect("cargo builds the program for its tests")
}

/// The commands of the contract.
const COMMANDS: &[&str] = &[
    "demo",
    "run",
    "check",
    "score",
    "evaluate",
    "train",
    "models",
    "publish",
    "series",
    "scores",
    "alerts",
    "explain",
    "acknowledge",
    "label",
    "silence",
];

#[test]
fn every_command_of_the_contract_explains_itself() {
    for command in COMMANDS {
        kilter().args([command, "--help"]).assert().success();
    }
    let help = kilter().arg("--help").output().expect("the program runs").stdout;
    let help = String::from_utf8(help).expect("help is text");
    for command in COMMANDS {
        assert!(help.contains(command), "`kilter --help` does not name {command}:\n{help}");
    }
}

#[test]
fn usage_faults_exit_with_2() {
    for args in [&[][..], &["dance"], &["score"], &["run", "--confg", "x"], &["series", "--json", "--csv"]] {
        kilter().args(args).assert().code(2);
    }
}

#[test]
fn the_version_is_the_package_version() {
    let printed = kilter().arg("--version").output().expect("the program runs").stdout;
    assert_eq!(String::from_utf8_lossy(&printed).trim(), concat!("kilter ", env!("CARGO_PKG_VERSION")));
}
