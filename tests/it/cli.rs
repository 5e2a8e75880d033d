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

#[test]
fn a_faulty_configuration_exits_with_78_and_tells_every_fault() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("kilter.toml");
    std::fs::write(&path, "[mqtt]\nqoss = 1\n[defaults]\nstride = \"soon\"\n").expect("written");
    for command in ["check", "run"] {
        let output = kilter().arg(command).arg("--config").arg(&path).output().expect("runs");
        assert_eq!(output.status.code(), Some(78), "{command}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("2 faults") && told.contains("mqtt.qoss") && told.contains("`qos`"), "{told}");
        assert!(told.contains("defaults.stride: found \"soon\"; allowed: "), "{told}");
    }
    let absent = dir.path().join("absent.toml");
    kilter().args(["check", "--config"]).arg(&absent).assert().code(78);
}

#[test]
fn the_shown_configuration_passes_the_check() {
    kilter().args(["check", "--config", "config/kilter.toml"]).assert().success();
}
