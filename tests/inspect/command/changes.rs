//! Changing runs: from which step they go on, and what cannot be changed.

use std::sync::atomic::Ordering;

use belts::{Worker, store::RunStatus};

use super::*;

#[tokio::test]
async fn a_run_goes_on_from_the_step_that_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = with_failed_run(
        Worker::builder().store_url(&store).inspection_token(TOKEN),
        "named",
    )
    .await;
    let (url, _serving) = served(&worker).await;
    let direct = At(&["--store", &store], &[]);
    let said = direct
        .belts(&["rerun", "failed", "--from", "check-inventory"])
        .await;
    assert_eq!(said.good(), "failed goes on\n");
    let ran_again = async |times| {
        let ran = async {
            while shop("named").checks.load(Ordering::SeqCst) < times {
                belts_suite::a_moment().await;
            }
        };
        tokio::time::timeout(PATIENCE, ran).await.unwrap();
        until(&worker, "failed", RunStatus::Failed).await;
    };
    ran_again(2).await;
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    remote
        .belts(&["rerun", "failed", "--from", "check-inventory"])
        .await
        .good();
    ran_again(3).await;
    let all = direct
        .belts(&["rerun", "--status", "failed", "--from", "ship"])
        .await;
    assert!(all.usage().contains("`--from` is a step of one function"));
}

#[tokio::test]
async fn what_cannot_be_changed_is_told_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = with_failed_run(Worker::builder().store_url(&store), "changes").await;
    let at = At(&["--store", &store], &[]);
    let told = at.belts(&["cancel", "failed", "nobody"]).await;
    let (out, err) = (&told.out, told.failed());
    assert_eq!(out, "");
    assert_eq!(
        err,
        "the run failed is failed, and cannot be cancelled\nerror: there is no run `nobody`\n"
    );
    let again = at.belts(&["rerun", "nobody", "failed"]).await;
    assert_eq!(
        again.out, "failed goes on\n",
        "one that is unknown does not keep the others"
    );
    assert_eq!(again.failed(), "error: there is no run `nobody`\n");
    assert_eq!(
        at.belts(&["cancel", "failed"]).await.good(),
        "failed cancelled\n"
    );
    assert_eq!(
        worker.runs().get("failed").await.unwrap().status,
        RunStatus::Cancelled
    );
    assert_eq!(
        at.belts(&["run", "nobody"]).await.failed(),
        "error: there is no run `nobody`\n"
    );
    assert_eq!(
        at.belts(&["purge", "--before", "1d"]).await.good(),
        "purged 0 runs\n"
    );
    assert_eq!(
        at.belts(&["purge", "--before", "2999-01-01"]).await.good(),
        "purged 1 run\n"
    );
}
