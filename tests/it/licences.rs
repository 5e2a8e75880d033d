//! Everything that is built in may be given on under terms that fit MIT OR Apache-2.0.

use std::process::Command;

use serde_json::Value;

/// Licences that ask for nothing but their notice.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_package_has_a_licence_that_fits() {
    let about = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let about = String::from_utf8(about).expect("text");
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    // What other platforms would need is not downloaded here, so it is left out.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert!(packages.len() > 200, "the whole tree is listed");
    let mut faults = Vec::new();
    for package in packages {
        let (name, version) = (package["name"].as_str().unwrap_or_default(), &package["version"]);
        match package["license"].as_str() {
            Some(expression) if is_allowed(expression) => {}
            Some(expression) => faults.push(format!("{name} {version}: {expression}")),
            None if package["license_file"].is_string() => faults.push(format!("{name} {version}: only a file")),
            None => faults.push(format!("{name} {version}: no licence")),
        }
    }
    assert!(faults.is_empty(), "{}\nallowed: {}", faults.join("\n"), ALLOWED.join(", "));
}

/// `A OR B`, `A/B`, `A AND B`, with brackets: allowed when one side of every OR is.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut rest: Vec<&str> = Vec::new();
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    rest.extend(spaced.split_whitespace());
    rest.reverse();
    let allowed = any_of(&mut rest);
    allowed && rest.is_empty()
}

fn any_of(rest: &mut Vec<&str>) -> bool {
    let mut allowed = all_of(rest);
    while rest.last() == Some(&"OR") {
        rest.pop();
        allowed |= all_of(rest);
    }
    allowed
}

fn all_of(rest: &mut Vec<&str>) -> bool {
    let mut allowed = one(rest);
    while rest.last() == Some(&"AND") {
        rest.pop();
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut Vec<&str>) -> bool {
    let Some(word) = rest.pop() else { return false };
    if word == "(" {
        let allowed = any_of(rest);
        return rest.pop() == Some(")") && allowed;
    }
    let mut name = word.to_owned();
    if rest.last() == Some(&"WITH") {
        rest.pop();
        name = format!("{name} WITH {}", rest.pop().unwrap_or_default());
    }
    ALLOWED.contains(&name.as_str())
}

#[test]
fn licence_expressions_are_read_as_meant() {
    for text in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND Zlib"] {
        assert!(is_allowed(text), "{text}");
    }
    for text in ["GPL-3.0", "MIT AND GPL-3.0", "", "(MIT", "LGPL-2.1-or-later"] {
        assert!(!is_allowed(text), "{text}");
    }
}
