//! The order example over each dispatcher: one worker is killed half-way, and no recorded step runs twice.

use belts_suite::servers;

use crate::sqs;

/// Runs the example as a person would, and returns what it printed. Its other features are on in the default members anyway.
fn order(variables: &[(&str, &str)]) -> String {
    let output = belts_suite::cargo()
        .args(["run", "--quiet", "--example", "order"])
        .args(["--features", "qstash"])
        .env_remove("BELTS_STORE")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    // Two processes that write to one terminal write into each other's lines.
    assert!(
        !errors.contains("belts"),
        "the worker speaks for itself: {errors}"
    );
    assert!(printed.contains(" | belts "), "{printed}");
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

#[test]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
fn over_redis() {
    let prefix = servers::Redis::shared().prefix();
    let join = if prefix.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{join}key_prefix={}", prefix.url(), prefix.name());
    goes_through(&url, &[]);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn over_sqs() {
    let queue = sqs::queue::queue().await;
    let url = queue.url().replacen("http://", "sqs://", 1) + "?region=us-east-1&tls=off";
    let credentials = [
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let going = tokio::task::spawn_blocking(move || goes_through(&url, &credentials));
    going.await.unwrap();
}
