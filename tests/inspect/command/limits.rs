//! The limits of time of a run, as the program and the router show them, before and after.

use belts::{Event, Worker, store::RunStatus};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "z-offered")]
struct Offered {
    shop: String,
}

#[belts::function(id = "z-offer", on = Offered, finish_within = "4s")]
async fn offer(offered: Offered) -> belts::Result<()> {
    belts::step!("count", offered.shop.len()).await?;
    belts::sleep!("month", "720h").await
}

#[tokio::test]
async fn a_run_says_when_its_time_is_over_and_that_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let shop = "o-17".to_owned();
    let run = offer(Offered { shop }).run_id("offer");
    let run = run.via(&worker).start().await.unwrap();
    until(&worker, "offer", RunStatus::Suspended).await;
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [&direct, &remote] {
        let said = at.belts(&["run", "offer"]).await.good();
        let line = said.lines().find(|line| line.starts_with("ends by "));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(" 20") && line.ends_with('Z'), "{line}");
        assert!(!said.contains("starts by"), "{said}");
        let json = &at.belts(&["run", "offer", "--json"]).await.lines()[0];
        assert!(json["finishBy"].is_string(), "{json}");
        assert!(json.get("startBy").is_none(), "{json}");
    }
    let error = run.result().await.unwrap_err();
    assert_eq!(error.kind(), belts::ErrorKind::Cancelled);
    for at in [&direct, &remote] {
        let said = at.belts(&["run", "offer"]).await.good();
        let line = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("{said}"))
        };
        assert!(line("status ").ends_with("cancelled"), "{said}");
        let error = line("error ");
        assert!(error.contains("it had not finished within 4s"), "{error}");
        assert!(!said.contains("ends by "), "{said}");
    }
}
