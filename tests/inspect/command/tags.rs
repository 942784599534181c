//! Runs that are found, shown and cancelled by what they are about.

use belts::{Context, Event, Worker, sleep, store::RunStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Visited {
    customer: String,
}

#[belts::function(id = "z-visits", on = Visited)]
async fn visits(visited: Visited, cx: Context) -> belts::Result<()> {
    cx.tag("customer", &visited.customer).await?;
    cx.tag("kind", "visit").await?;
    sleep!("later", "365d").await
}

#[tokio::test]
async fn runs_are_found_shown_and_cancelled_by_their_tags() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    for (id, customer) in [("one", "c 1&2=3"), ("two", "c-2"), ("three", "c-2")] {
        let call = visits(Visited {
            customer: customer.into(),
        })
        .run_id(id);
        call.via(&worker).start().await.unwrap();
        until(&worker, id, RunStatus::Suspended).await;
    }
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [&direct, &remote] {
        let said = at
            .belts(&["--json", "runs", "--tag", "customer=c 1&2=3"])
            .await
            .good();
        let found: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(found["runId"], "one");
        assert_eq!(found["tags"], json!(["customer=c 1&2=3", "kind=visit"]));
        let said = at.belts(&["run", "two"]).await.good();
        let tags: Vec<&str> = said
            .lines()
            .filter_map(|line| line.strip_prefix("tag "))
            .collect();
        let tags: Vec<&str> = tags.iter().map(|tag| tag.trim()).collect();
        assert_eq!(tags, ["customer=c-2", "kind=visit"]);
        let none = ["runs", "--tag", "kind=visit", "--tag", "customer=c-3"];
        assert_eq!(at.belts(&none).await.good(), "");
        for wrong in ["customer", "=c-2", "customer="] {
            let said = at.belts(&["runs", "--tag", wrong]).await;
            assert!(said.usage().contains("a tag is a name and a value"));
        }
    }
    let done = remote
        .belts(&["cancel", "--tag", "customer=c-2", "--yes"])
        .await;
    assert_eq!(done.good(), "cancelled 2 runs\n");
    let left = worker
        .runs()
        .list()
        .tag("kind", "visit")
        .status(RunStatus::Suspended);
    let left = left.await.unwrap().runs;
    assert_eq!(left.len(), 1);
    assert_eq!(&*left[0].run_id, "one");
    // Nothing but a tag would do for a filter, and one without a value is a slip.
    let filter = belts::store::RunFilter::new().with_tag("kind", "");
    let slip = worker.runs().cancel_all(filter).await.unwrap_err();
    assert_eq!(slip.to_string(), "a tag of the filter has no value");
}
