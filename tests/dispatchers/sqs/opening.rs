//! Opening says what is wrong: the queue, the credentials, the region, or a service that does not answer.

use std::{env, io, net::TcpListener, process::Command, time::Duration};

use aws_sdk_sqs::types::QueueAttributeName;
use belts::{
    ErrorKind, Worker,
    dispatch::{Dispatcher as _, Sqs, SqsBuilder},
};
use belts_suite::servers::{free_port, sqs_client};

use super::queue::*;

async fn refused(builder: SqsBuilder) -> (ErrorKind, String) {
    let error = soon("it is opened", builder.open())
        .await
        .expect_err("it cannot be opened");
    (error.kind(), error.report())
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn queue_says_what_it_can_do() {
    let queue = queue_with(&[
        (QueueAttributeName::VisibilityTimeout, "7"),
        (QueueAttributeName::MaximumMessageSize, "2048"),
    ])
    .await;
    let sqs = Sqs::builder(queue.url())
        .client(queue.client())
        .open()
        .await
        .unwrap();
    let can = sqs.capabilities();
    assert_eq!(can.visibility, Some(Duration::from_secs(7)));
    assert_eq!(
        (can.max_bytes, can.durable, can.pulls),
        (Some(2048), true, true)
    );
    assert_eq!(format!("{sqs:?}"), format!("the SQS queue {}", queue.url()));
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn queue_that_does_not_exist_is_a_wrong_setting() {
    let queue = queue().await;
    let missing = queue.url().replace("/test-", "/missing-");
    let (kind, report) = refused(Sqs::builder(missing).client(queue.client())).await;
    assert_eq!(kind, ErrorKind::Config, "{report}");
    assert!(report.contains("does not exist"), "{report}");
}

#[tokio::test]
async fn service_that_does_not_answer_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let url = format!("{endpoint}/17/orders");
    let builder = Sqs::builder(url)
        .client(sqs_client(&endpoint))
        .timeout(Duration::from_millis(200));
    let (kind, report) = refused(builder).await;
    assert_eq!(kind, ErrorKind::Dispatcher, "{report}");
    assert!(report.contains("does not respond"), "{report}");
}

#[tokio::test]
async fn service_that_is_down_is_told_so() {
    let endpoint = format!("http://127.0.0.1:{}", free_port().unwrap());
    let url = format!("{endpoint}/17/orders");
    let (kind, report) = refused(Sqs::builder(url).client(sqs_client(&endpoint))).await;
    assert_eq!(kind, ErrorKind::Dispatcher, "{report}");
    assert!(report.contains("cannot be reached"), "{report}");
    assert!(report.to_lowercase().contains("refused"), "{report}");
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let url = "https://sqs.eu-west-1.amazonaws.com/17/orders";
    let client = sqs_client("http://127.0.0.1:9");
    let half = Duration::from_millis(500);
    let cases = [
        (Sqs::builder("orders"), "https://sqs.REGION"),
        (Sqs::builder(url).wait(half), "`wait`"),
        (Sqs::builder(url).wait(Duration::from_secs(21)), "`wait`"),
        (Sqs::builder(url).visibility(half), "`visibility`"),
        (Sqs::builder(url).timeout(Duration::ZERO), "`timeout`"),
        (
            Sqs::builder(url).client(client).region("eu-west-1"),
            "a client",
        ),
    ];
    for (builder, part) in cases {
        let (kind, report) = refused(builder).await;
        assert_eq!(kind, ErrorKind::Config, "{report}");
        assert!(report.contains(part), "{report}");
    }
}

/// Runs a test of this program again, in a process with other variables: credentials are found in them.
async fn again(test: &str, url: &str, variables: &[(&str, &str)]) -> io::Result<()> {
    let mut child = Command::new(env::current_exe()?);
    child.args(["--exact", test]).env(URL, url);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            child.env_remove(name);
        }
    }
    let nobody = [
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    child.envs(nobody).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || child.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    Ok(())
}

const URL: &str = "BELTS_TEST_CHILD_SQS";

async fn worker(url: String) -> belts::Result<Worker> {
    let worker = Worker::builder().publish_only().dispatcher_url(url);
    soon("it is built", worker.build()).await
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn credentials_are_found_in_the_environment() {
    if let Ok(url) = env::var(URL) {
        let worker = worker(url).await.unwrap();
        assert!(worker.dispatcher().unwrap().capabilities().pulls);
        return;
    }
    let queue = queue().await;
    let url = queue.url().replace("http://", "sqs://") + "?tls=off&region=us-east-1";
    let test = "sqs::opening::credentials_are_found_in_the_environment";
    let keys = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    again(test, &url, &keys).await.unwrap();
}

#[tokio::test]
async fn missing_credentials_are_told_before_anything_is_sent() {
    if let Ok(url) = env::var(URL) {
        let error = worker(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
        assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
        return;
    }
    let test = "sqs::opening::missing_credentials_are_told_before_anything_is_sent";
    let url = "sqs://127.0.0.1:9/17/orders?tls=off&region=us-east-1";
    again(test, url, &[]).await.unwrap();
}

#[tokio::test]
async fn missing_region_is_told() {
    if let Ok(url) = env::var(URL) {
        let error = worker(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
        assert!(error.to_string().contains("AWS_REGION"), "{error}");
        return;
    }
    let test = "sqs::opening::missing_region_is_told";
    again(test, "sqs://127.0.0.1:9/17/orders?tls=off", &[])
        .await
        .unwrap();
}
