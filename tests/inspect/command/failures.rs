//! Which runs failed today, at which step and with what error; and to run them again after a fix.

use std::sync::atomic::Ordering;

use belts::{Worker, store::RunStatus};
use belts_suite::servers;

use super::*;

/// The story that the program is there for, on a worker that runs.
async fn failures_are_found_and_mended(worker: &Worker, at: At<'_>, name: &str) {
    publish_order_created(order(name))
        .via(worker)
        .await
        .unwrap();
    two_have_failed(worker).await;
    let well = format!("{name}-well");
    shop(&well).mended.store(true, Ordering::SeqCst);
    let executed = worker.execute(order(&well)).function("process-order");
    executed.run_id("well").await.unwrap();

    // Which runs failed today?
    let failed = ["runs", "--status", "failed", "--since", "24h"];
    let table = at.belts(&failed).await.good();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("RUN"), "{table}");
    let line = lines
        .iter()
        .find(|line| line.starts_with("failed "))
        .unwrap();
    assert!(line.contains("  failed  process-order  2"), "{table}");
    assert!(
        line.ends_with("step `charge-payment` failed: card\\ndeclined"),
        "{table}"
    );
    assert!(!table.contains('\x1b'), "no terminal reads it");
    let json = at.belts(&[&failed[..], &["--json"]].concat()).await;
    assert_eq!(json.lines().len(), 2);
    let none = at.belts(&["runs", "--function", "nobody"]).await;
    assert_eq!(
        (none.err.trim(), none.good().as_str()),
        ("there is no such run", "")
    );

    // At which step, and with what error?
    let shown = at.belts(&["run", "failed"]).await.good();
    for part in [
        "status           failed\n",
        "function         process-order\n",
        "event            order-created ",
        "error            step `charge-payment` failed: card\\ndeclined\n",
        "check-inventory  completed  1         2",
        "charge-payment   failed     1         2",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("payload"), "{shown}");
    let shown = at.belts(&["run", "failed", "--values"]).await.good();
    assert!(shown.contains("\"cents\":20"), "{shown}");
    assert!(shown.contains("\ncheck-inventory\n  20\n"), "{shown}");
    let run = &at.belts(&["run", "failed", "--json"]).await.lines()[0];
    assert_eq!(run["steps"][1]["error"]["message"], "card\ndeclined");

    // After the fix, all of them again.
    shop(name).mended.store(true, Ordering::SeqCst);
    let again = [
        "rerun",
        "--status",
        "failed",
        "--since",
        "24h",
        "--function",
        "process-order",
    ];
    let asks = at.belts(&again).await.usage();
    assert_eq!(asks, "error: 2 runs would run again: add `--yes`\n");
    assert_eq!(
        worker.runs().get("failed").await.unwrap().status,
        RunStatus::Failed
    );
    let done = at.belts(&[&again[..], &["--yes"]].concat()).await.good();
    assert_eq!(done.lines().count(), 2);
    assert!(done.contains("failed goes on\n"), "{done}");
    until(worker, "failed", RunStatus::Completed).await;
    // Of two runs each checked once, before the fix; the other shop's counts for itself.
    assert_eq!(shop(name).checks.load(Ordering::SeqCst), 2);
}

async fn two_have_failed(worker: &Worker) {
    let failed = async {
        let list = worker.runs().list().status(RunStatus::Failed);
        while list.clone().await.unwrap().runs.len() < 2 {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap();
}

#[tokio::test]
async fn failures_are_found_and_mended_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let (worker, _url, _serving) = story(Worker::builder().store_url(&store), "sqlite").await;
    let at = At(&["--store", &store], &[]);
    failures_are_found_and_mended(&worker, at, "sqlite").await;
}

#[tokio::test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn failures_are_found_and_mended_in_postgres() {
    let server = servers::Postgres::shared();
    let schema = server.schema();
    let mark = if server.url().contains('?') { '&' } else { '?' };
    let store = format!("{}{mark}schema={}", server.url(), schema.name());
    let (worker, _url, serving) = story(Worker::builder().store_url(&store), "postgres").await;
    let at = At(&[], &[("BELTS_STORE", &store)]);
    failures_are_found_and_mended(&worker, at, "postgres").await;
    worker.shutdown();
    serving.ended().await;
}

#[tokio::test]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn failures_are_found_and_mended_in_redis() {
    let server = servers::Redis::shared();
    let prefix = server.prefix();
    let store = format!("{}?key_prefix={}", server.url(), prefix.name());
    let (worker, _url, serving) = story(Worker::builder().store_url(&store), "redis").await;
    let at = At(&["--store", &store], &[]);
    failures_are_found_and_mended(&worker, at, "redis").await;
    worker.shutdown();
    serving.ended().await;
}

#[tokio::test]
async fn failures_are_found_and_mended_by_a_worker() {
    let (worker, url, _serving) = story(builder(), "remote").await;
    let at = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    failures_are_found_and_mended(&worker, at, "remote").await;
}
