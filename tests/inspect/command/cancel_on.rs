//! The event that cancels a run, as the program and the router show it, before and after.

use belts::{Event, Worker, store::RunStatus};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "z-rented", key = shop)]
struct Rented {
    shop: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "z-returned", key = shop)]
struct Returned {
    shop: String,
}

#[belts::function(id = "z-rent", on = Rented, cancel_on = Returned)]
async fn rent(rented: Rented) -> belts::Result<()> {
    belts::step!("count", rented.shop.len()).await?;
    belts::sleep!("month", "720h").await
}

#[tokio::test]
async fn a_run_says_what_cancels_it_and_what_did() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let shop = "o\n17".to_owned();
    let run = rent(Rented { shop }).run_id("rent");
    let run = run.via(&worker).start().await.unwrap();
    until(&worker, "rent", RunStatus::Suspended).await;
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [&direct, &remote] {
        let said = at.belts(&["run", "rent"]).await.good();
        let line = said.lines().find(|line| line.starts_with("cancel on "));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.ends_with("event z-returned key o\\n17"), "{line}");
        assert!(
            !said.contains("\nwaiting ") && !said.contains('~'),
            "{said}"
        );
        let json = &at.belts(&["run", "rent", "--json"]).await.lines()[0];
        assert_eq!(json["steps"].as_array().unwrap().len(), 2, "{json}");
    }
    let shop = "o\n17".to_owned();
    publish_returned(Returned { shop })
        .via(&worker)
        .await
        .unwrap();
    let error = run.result().await.unwrap_err();
    assert_eq!(error.kind(), belts::ErrorKind::Cancelled);
    for at in [&direct, &remote] {
        let said = at.belts(&["run", "rent"]).await.good();
        let line = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("{said}"))
        };
        assert!(line("status ").ends_with("cancelled"), "{said}");
        let error = line("error ");
        assert!(
            error.contains("cancelled by event `z-returned` (id "),
            "{error}"
        );
        assert!(!said.contains("cancel on "), "{said}");
    }
}
