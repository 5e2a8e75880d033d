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
    "incidents",
    "targets",
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

#[test]
fn a_log_that_goes_into_a_file_is_plain_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("kilter.toml");
    // Nobody answers on the port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let store = dir.path().join("kilter.db");
    let text = format!(
        "[mqtt]\nservers = [\"mqtt://127.0.0.1:{port}\"]\n[store]\nurl = \"sqlite:{}\"\n[http]\nenabled = false\n",
        store.display()
    );
    std::fs::write(&path, text).expect("written");
    let log = dir.path().join("log");
    let mut service = std::process::Command::new(env!("CARGO_BIN_EXE_kilter"))
        .args(["run", "--config"])
        .arg(&path)
        .stderr(std::fs::File::create(&log).expect("a file"))
        .spawn()
        .expect("the program starts");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let written = loop {
        let written = std::fs::read_to_string(&log).expect("text");
        if written.contains("no connection to the broker") || std::time::Instant::now() > deadline {
            break written;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    service.kill().expect("the process is ours");
    service.wait().expect("the process is ours");
    assert!(written.contains("WARN no connection to the broker") && !written.contains('\u{1b}'), "{written:?}");
}
