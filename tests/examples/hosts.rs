//! Examples that serve HTTP until they are told to end.

use belts_suite::{a_moment, servers::free_port};
use serde_json::{Value, json};

use crate::program::{Running, SOON, command, directory};

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

/// Tells it to end while others ask on and on, and one keeps a connection for later: whoever is answered is answered well, or is
/// told that it ends, and it ends well.
async fn ends_while_it_works(example: Running, url: &str, body: &Value) {
    let kept = std::net::TcpStream::connect(url.split('/').nth(2).unwrap()).unwrap();
    let asked = (reqwest::Client::new(), url.to_owned(), body.to_string());
    let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let asking = tokio::spawn(async move {
        let (client, url, body) = asked;
        loop {
            let request = client.post(&url).header("content-type", "application/json");
            let Ok(answer) = request.body(body.clone()).send().await else {
                return;
            };
            answered.send(answer.status()).unwrap();
        }
    });
    assert!(answers.recv().await.unwrap().is_success());
    example.end().await;
    asking.await.unwrap();
    while let Some(status) = answers.recv().await {
        assert!(status.is_success() || status == 503, "{status}");
    }
    drop(kept);
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
    let eve = json!({"email": "eve@example.com"});
    ends_while_it_works(example, &format!("{url}/signup"), &eve).await;
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
    ends_while_it_works(example, &format!("{url}/signup"), &ada()).await;
}

#[tokio::test]
async fn hyper_alone_serves_the_router() {
    let directory = directory();
    let (mut example, url) = started("hyper_app", &directory).await;
    let event = json!({"event": {"type": "signed-up", "email": "ada@example.com"}});
    post(&url, &event).await;
    example.says("mail to ada@example.com").await;
    ends_while_it_works(example, &url, &event).await;
}

#[tokio::test]
async fn order_keeps_serving_until_it_is_told_to_end() {
    let directory = directory();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let mut command = command("order", &directory);
    command.arg("--serve").env("BELTS_ADDR", &address);
    let (example, url) = (Running::start(command), format!("http://{address}"));
    let listens = async {
        while reqwest::get(format!("{url}/health")).await.is_err() {
            a_moment().await;
        }
    };
    tokio::time::timeout(SOON, listens).await.unwrap();
    let order = json!({"event": {
        "type": "order-created", "order_id": "o-1", "customer": "Ada", "currency": "EUR", "parcels": 1,
        "items": [{"sku": "mug", "name": "Mug", "quantity": 1, "unit_price": 1290}],
        "payment_token": "tok_visa", "warehouse": "lyon"
    }});
    ends_while_it_works(example, &url, &order).await;
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
    ends_while_it_works(example, &format!("{url}/belts"), &event).await;
}
