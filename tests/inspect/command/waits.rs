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
