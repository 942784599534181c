//! An error that was kept as a value, as inspection shows it.

use belts::{Error, Event, store::RunStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::shop::*;

/// Something that fails with a value.
#[derive(Debug, Serialize, Deserialize, Event)]
struct Paid {}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum PaymentError {
    #[error("{missing} cents are missing")]
    Short { missing: u32 },
}

#[belts::function(id = "typed-error", on = Paid, retries = 0)]
async fn pay(_paid: Paid) -> belts::Result<()> {
    let short = || Err::<(), _>(PaymentError::Short { missing: 30 });
    belts::step!("pay", short().map_err(Error::from_value), retries = 0).await
}

#[tokio::test]
async fn an_error_that_was_kept_is_shown_with_its_value() {
    let worker = builder().function(pay).build().await.unwrap();
    let executed = worker.execute(Paid {}).run_id("typed").await.unwrap();
    assert_eq!(executed.runs[0].status, RunStatus::Failed);
    let value = json!({"type": "PaymentError", "json": {"Short": {"missing": 30}}});
    let (_, run) = locally(&worker, get("/runs/typed")).await;
    assert_eq!(run["error"]["value"], value);
    assert_eq!(run["steps"][0]["error"]["value"], value);
    let sources = json!(["PaymentError", "30 cents are missing"]);
    assert_eq!(run["error"]["sources"], sources);
    let (_, page) = locally(&worker, get("/runs")).await;
    assert_eq!(page["runs"][0]["error"]["value"], value);

    // The program reads what the worker answers, and says the same.
    let (url, _serving) = served(&worker).await;
    let shown = tokio::process::Command::new(env!("CARGO_BIN_EXE_belts-program"))
        .args(["run", "typed", "--json", "--worker", &url])
        .env_remove("BELTS_INSPECTION_TOKEN")
        .output();
    let shown = tokio::time::timeout(PATIENCE, shown)
        .await
        .unwrap()
        .unwrap();
    let run: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(run["error"]["value"], value);
    assert_eq!(run["steps"][0]["error"]["value"], value);
}
