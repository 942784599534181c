//! Runs that are exported, and replayed where nothing of the store is.

use std::sync::Arc;

use belts::{
    Keyring, Worker,
    store::{Memory, SharedStore},
    testing::Harness,
};

use crate::{breaking, changes::in_flight, harmless, shop};

async fn exported() -> String {
    let store: SharedStore = Arc::new(Memory::new());
    in_flight(&store).await;
    belts::Runs::of(store).export("waiting-1").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_exported_is_replayed_against_any_code() {
    let json = exported().await;
    let harness = Harness::builder()
        .function(shop::process)
        .build()
        .await
        .unwrap();
    let replayed = harness.replay(&json, shop::process).await.unwrap();
    replayed.assert_fits();
    assert_eq!(
        (replayed.run_id(), replayed.ignored().count()),
        ("waiting-1", 0)
    );
    let replayed = harness
        .replay(&json, harmless::removed::process)
        .await
        .unwrap();
    assert_eq!(
        replayed.assert_fits().ignored().collect::<Vec<_>>(),
        ["log"]
    );
    let replayed = harness
        .replay(&json, harmless::added_between::process)
        .await
        .unwrap();
    assert_eq!(replayed.begins().collect::<Vec<_>>(), ["check-fraud"]);
    let replayed = harness
        .replay(&json, breaking::other_type::process)
        .await
        .unwrap();
    assert!(
        replayed.fails().any(|why| why.contains("`charge`")),
        "{replayed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(
    expected = "the run `waiting-1` would not go on with this code: the wait `paid` is for `contract-paid`"
)]
async fn a_replay_that_is_to_fit_says_why_it_does_not() {
    let json = exported().await;
    let harness = Harness::builder()
        .function(shop::process)
        .build()
        .await
        .unwrap();
    let replayed = harness
        .replay(&json, breaking::other_wait::process)
        .await
        .unwrap();
    replayed.assert_fits();
}

#[tokio::test]
async fn what_is_no_exported_run_is_refused() {
    let harness = Harness::builder()
        .function(shop::process)
        .build()
        .await
        .unwrap();
    let error = harness.replay("{}", shop::process).await.err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("this is no exported run: missing field"),
        "{error}"
    );
    let later = exported().await.replacen(r#""belts":1"#, r#""belts":2"#, 1);
    let error = harness.replay(&later, shop::process).await.err().unwrap();
    assert!(error.to_string().contains("format 2"), "{error}");
}

/// A run that is over is replayed to its end: its sleeps were over when it was exported.
#[tokio::test]
async fn a_run_that_is_over_is_replayed_to_its_end() {
    let harness = Harness::builder()
        .function(sleeper::sleeper)
        .build()
        .await
        .unwrap();
    let run = harness
        .run(sleeper::sleeper, shop::Settled { id: "s-1".into() })
        .await
        .unwrap();
    let json = harness.worker().runs().export(run.run_id()).await.unwrap();
    let replayed = harness.replay(&json, sleeper::sleeper).await.unwrap();
    replayed.assert_fits();
    assert_eq!(
        (replayed.begins().count(), replayed.ignored().count()),
        (0, 0)
    );
}

mod sleeper {
    use crate::shop::Settled;
    use belts::{sleep, step};

    #[belts::function(id = "contract-sleeper", on = Settled)]
    pub(super) async fn sleeper(settled: Settled) -> belts::Result<usize> {
        sleep!("night", "9h").await?;
        step!("wake", settled.id.len()).await
    }
}

#[tokio::test]
async fn what_is_exported_is_opened_where_keys_are_at_hand() {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = Worker::builder()
        .shared_store(Arc::clone(&store))
        .encryption(Keyring::new("a", [7; 32]));
    let worker = worker.function(shop::refund).build().await.unwrap();
    let refund = shop::refund(shop::Settled {
        id: "secret-number".into(),
    });
    refund.run_id("r-1").via(&worker).await.unwrap();
    let open = worker.runs().export("r-1").await.unwrap();
    assert!(
        open.contains("secret-number") && !open.contains("belts.sealed"),
        "{open}"
    );
    let closed = belts::Runs::of(store).export("r-1").await.unwrap();
    assert!(
        !closed.contains("secret-number") && closed.contains("belts.sealed"),
        "{closed}"
    );
}
