//! What a run waits for, as the program and the router show it.

use belts::{Event, Worker, store::RunStatus};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(key = shop)]
struct OrderPaid {
    shop: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct PaymentAsked {
    shop: String,
}

#[belts::function(id = "wait-payment", on = PaymentAsked)]
async fn await_payment(asked: PaymentAsked) -> belts::Result<()> {
    belts::wait!("payment", OrderPaid, key = &asked.shop, timeout = "3d").await?;
    Ok(())
}

#[tokio::test]
async fn a_run_that_waits_says_for_what() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let shop = "o\n17".to_owned();
    let run = await_payment(PaymentAsked { shop }).run_id("waits");
    run.via(&worker).start().await.unwrap();
    until(&worker, "waits", RunStatus::Suspended).await;
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [direct, remote] {
        let said = at.belts(&["run", "waits"]).await.good();
        let line = said.lines().find(|line| line.starts_with("waiting "));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(
            line.contains("event order-paid key o\\n17 until 20"),
            "{line}"
        );
    }
}

#[belts::function(id = "race-payment", on = PaymentAsked)]
async fn race_payment(asked: PaymentAsked) -> belts::Result<()> {
    belts::race!("first", {
        late = belts::sleep!("deadline", "3d") => late?,
        paid = belts::wait!("payment", OrderPaid, key = &asked.shop) => { paid?; }
        quick = belts::step!("quick", asked.shop.len()) => { quick?; }
    })
    .await?;
    belts::sleep!("pause", "8h").await
}

/// What has lost a race was shown as what the run waits for.
#[tokio::test]
async fn what_has_lost_a_race_is_shown_as_left() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let shop = "raced".to_owned();
    let run = race_payment(PaymentAsked { shop }).run_id("raced");
    run.via(&worker).start().await.unwrap();
    until(&worker, "raced", RunStatus::Suspended).await;
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [direct, remote] {
        let said = at.belts(&["run", "raced"]).await.good();
        let state = |path: &str| {
            let line = said.lines().find(|line| line.starts_with(path));
            let line = line.unwrap_or_else(|| panic!("{said}"));
            assert!(!line.contains("until"), "{line}");
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let left = ["first/late/deadline", "first/paid/payment"].map(state);
        assert_eq!(left, ["left", "left"], "{said}");
        assert!(!said.contains("event order-paid"), "{said}");
        assert!(said.contains("pause"), "{said}");
        let json = &at.belts(&["run", "raced", "--json"]).await.lines()[0];
        let steps = json["steps"].as_array().unwrap();
        let left = steps.iter().filter(|step| step["left"] == true).count();
        assert_eq!((left, steps.len()), (2, 5), "{json}");
    }
}
