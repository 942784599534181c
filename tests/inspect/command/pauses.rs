//! Functions that are paused, from the command line.

use super::*;

async fn paused_and_resumed(at: &At<'_>) {
    assert_eq!(
        at.belts(&["pause", "process-order"]).await.good(),
        "paused process-order\n"
    );
    assert_eq!(
        at.belts(&["pause", "process-order"]).await.good(),
        "process-order was paused before\n"
    );
    let listed = at.belts(&["functions"]).await.good();
    let row = listed
        .lines()
        .find(|line| line.starts_with("process-order "))
        .unwrap();
    assert!(
        row.contains(", paused since 20") && row.contains('Z'),
        "{row}"
    );
    let others = listed.lines().filter(|line| line.contains("paused since"));
    assert_eq!(others.count(), 1, "{listed}");

    assert_eq!(
        at.belts(&["rerun", "failed"]).await.good(),
        "failed goes on\n"
    );
    let shown = at.belts(&["run", "failed"]).await.good();
    assert!(
        shown.contains("held             its function is paused since 20")
            && shown.contains("; resume it with `belts resume process-order`\n"),
        "{shown}"
    );
    let json = at.belts(&["resume", "process-order", "--json"]).await;
    assert_eq!(
        json.lines(),
        [serde_json::json!({"functionId": "process-order", "changed": true, "paused": false})]
    );
    assert_eq!(
        at.belts(&["resume", "process-order"]).await.good(),
        "process-order was not paused\n"
    );
    let unknown = at.belts(&["pause", "process-orders"]).await.failed();
    assert!(
        unknown.starts_with("error: no function has the id `process-orders`; there are: "),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_function_of_a_store_is_paused_and_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = with_failed_run(Worker::builder().store_url(&url), "paused-store").await;
    paused_and_resumed(&At(&["--store", &url], &[])).await;
    drop(worker);
}

#[tokio::test]
async fn a_function_of_a_worker_is_paused_and_resumed() {
    let (_worker, url, _serving) = story(builder(), "paused-worker").await;
    let at = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    paused_and_resumed(&at).await;
}
