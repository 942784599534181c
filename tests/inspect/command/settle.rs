//! A step of which nobody knows whether it has happened, as people see it and settle it.

use belts::{
    Event, Worker, step,
    store::RunStatus,
    testing::{Crash, Harness, SqliteFile},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Charged {
    cents: u64,
}

#[belts::function(id = "z-parks", on = Charged, retries = 0)]
async fn parks(charged: Charged) -> belts::Result<u64> {
    step!("charge", charged.cents, unknown = "park").await
}

#[tokio::test]
async fn a_parked_step_is_shown_and_settled_in_a_store_and_over_http() {
    let file = SqliteFile::temporary();
    let url = format!("sqlite://{}", file.path().display());
    let harness = Harness::builder().store(file).function(parks);
    let harness = harness.build().await.unwrap();
    for id in ["value", "retry", "fail"] {
        harness.faults().crash(Crash::Before(3));
        harness
            .run(parks, Charged { cents: 400 })
            .run_id(id)
            .await
            .unwrap();
    }
    let builder = Worker::builder().store_url(&url).inspection_token(TOKEN);
    let worker = builder.function(parks).build().await.unwrap();
    let (address, _serving) = served(&worker).await;
    let direct = At(&["--store", &url], &[]);
    let remote = At(
        &["--worker", &address],
        &[("BELTS_INSPECTION_TOKEN", TOKEN)],
    );
    for at in [&direct, &remote] {
        let said = at.belts(&["run", "value"]).await.good();
        assert!(said.contains("belts settle value charge"), "{said}");
        let shown = at.belts(&["--json", "run", "value"]).await.good();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["steps"][0]["parked"], json!(true));
        let wrong = at.belts(&["settle", "value", "charged", "--retry"]).await;
        assert!(wrong.failed().contains("no step `charged`"));
        for slip in [
            &["settle", "value", "charge"][..],
            &["settle", "value", "charge", "--retry", "--fail", "no"],
            &["settle", "value", "charge", "--value", "{"],
        ] {
            at.belts(slip).await.usage();
        }
    }
    let said = direct
        .belts(&["settle", "value", "charge", "--value", "401"])
        .await;
    assert_eq!(said.good(), "settled\n");
    let said = remote
        .belts(&["settle", "retry", "charge", "--retry"])
        .await;
    assert_eq!(said.good(), "settled\n");
    let said = remote
        .belts(&["settle", "fail", "charge", "--fail", "refunded by hand"])
        .await;
    assert_eq!(said.good(), "settled\n");
    until(&worker, "value", RunStatus::Completed).await;
    until(&worker, "retry", RunStatus::Completed).await;
    until(&worker, "fail", RunStatus::Failed).await;
    let output = async |id: &str| {
        worker
            .runs()
            .get(id)
            .await
            .unwrap()
            .output()
            .map(|it| it.get().to_owned())
    };
    assert_eq!(output("value").await.as_deref(), Some("401"));
    assert_eq!(output("retry").await.as_deref(), Some("400"));
    let failed = remote.belts(&["run", "fail"]).await.good();
    assert!(failed.contains("refunded by hand"), "{failed}");
    assert!(
        failed.contains("settle charge"),
        "who did what is shown: {failed}"
    );
}
