//! Examples that serve HTTP until they are told to end.

use serde_json::{Value, json};

use crate::program::{Running, command, directory};

/// An example that listens on a free port of this machine, and its URL.
async fn started(example: &str, directory: &tempfile::TempDir) -> (Running, String) {
    let mut command = command(example, directory);
    command.env("ADDRESS", "127.0.0.1:0");
    let mut running = Running::start(command);
    let address = running.says("listening on ").await;
    (running, format!("http://{address}"))
}

async fn post(url: &str, body: &Value) -> String {
    let request = reqwest::Client::new().post(url);
    let request = request.header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.text().await.unwrap()
}

async fn get(url: &str) -> String {
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.text().await.unwrap()
}

fn ada() -> Value {
    json!({"email": "ada@example.com"})
}

#[tokio::test]
async fn axum_publishes_from_a_route_and_nests_the_router() {
    let directory = directory();
    let (mut example, url) = started("axum_app", &directory).await;
    assert!(
        post(&format!("{url}/signup"), &ada())
            .await
            .ends_with("duplicate: false\n")
    );
    assert!(
        post(&format!("{url}/signup"), &ada())
            .await
            .ends_with("duplicate: true\n")
    );
    example.says("mail to ada@example.com").await;
    get(&format!("{url}/belts/health")).await;
    example.end().await;
}

#[tokio::test]
async fn actix_publishes_from_a_route_and_forwards_to_the_router() {
    let directory = directory();
    let (mut example, url) = started("actix_app", &directory).await;
    assert!(
        post(&format!("{url}/signup"), &ada())
            .await
            .starts_with("event ")
    );
    example.says("mail to ada@example.com").await;
    get(&format!("{url}/belts/health")).await;
    let event = json!({"event": {"type": "signed-up", "email": "eve@example.com"}});
    post(&format!("{url}/belts"), &event).await;
    example.says("mail to eve@example.com").await;
    example.end().await;
}

#[tokio::test]
async fn hyper_alone_serves_the_router() {
    let directory = directory();
    let (mut example, url) = started("hyper_app", &directory).await;
    let event = json!({"event": {"type": "signed-up", "email": "ada@example.com"}});
    post(&url, &event).await;
    example.says("mail to ada@example.com").await;
    example.end().await;
}

#[tokio::test]
async fn prometheus_scrapes_what_was_counted() {
    let directory = directory();
    let (example, url) = started("prometheus", &directory).await;
    let event = json!({"event": {"type": "order-placed", "cents": 4200}});
    let answer = post(&format!("{url}/belts?mode=sync"), &event).await;
    assert!(answer.contains("4998"), "{answer}");
    let scraped = get(&format!("{url}/metrics")).await;
    let completed = r#"belts_runs_completed_total{function="place-order"} 1"#;
    assert!(scraped.contains(completed), "{scraped}");
    let bucket = r#"belts_step_duration_seconds_bucket{function="place-order",le="+Inf"} 2"#;
    assert!(scraped.contains(bucket), "{scraped}");
    example.end().await;
}
