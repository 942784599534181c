//! The order example over each dispatcher: one worker is killed half-way, and no recorded step runs twice.

use std::process::Command;

/// Runs the example as a person would, and returns what it printed.
fn order(variables: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--package",
            "belts-suite",
            "--example",
            "order",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("BELTS_STORE")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    printed
}

fn goes_through(dispatcher: &str, more: &[(&str, &str)]) {
    let variables = [&[("BELTS_DISPATCHER", dispatcher)], more].concat();
    let printed = order(&variables);
    let last = printed.lines().last().unwrap_or_default();
    println!("{last}");
    assert!(last.starts_with("200 orders"), "{printed}");
    assert!(last.ends_with("of which 0 were recorded"), "{printed}");
    assert!(last.contains("· 1 crash ·"), "{printed}");
}

#[test]
fn over_http() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    goes_through("http", &[("BELTS_SIGNING_KEYS", key)]);
}

#[test]
fn over_qstash() {
    goes_through("qstash", &[]);
}
