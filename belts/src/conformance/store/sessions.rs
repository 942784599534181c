//! Workers that come and go, and what they subscribe to.

use super::bench::{Bench, LEASE, at, capacity, event, subscription};
use crate::{
    error::{ErrorKind, Result},
    store::{CommitOutcome, Publish, WorkerId},
};

pub(super) async fn subscriptions_of_others_stay(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store
        .subscribe(vec![
            subscription("b", &["x", "y"]),
            subscription("a", &["x"]),
        ])
        .await?;
    store
        .subscribe(vec![
            subscription("b", &["z", "y"]),
            subscription("c", &["y"]),
        ])
        .await?;
    let expected = [
        subscription("a", &["x"]),
        subscription("b", &["y", "z"]),
        subscription("c", &["y"]),
    ];
    assert_eq!(
        store.subscriptions().await?,
        expected,
        "replaced for b, kept for a, sorted"
    );
    assert_eq!(bench.another().await?.subscriptions().await?, expected);
    store.subscribe(vec![subscription("b", &[])]).await?;
    assert_eq!(
        store.subscriptions().await?,
        [subscription("a", &["x"]), subscription("c", &["y"])]
    );
    Ok(())
}

pub(super) async fn new_subscription_counts_at_once_everywhere(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    assert!(
        store.publish_all(vec![event("1", "t")], at(0)).await?[0]
            .runs
            .is_empty()
    );
    other.subscribe(vec![subscription("f", &["t"])]).await?;
    assert_eq!(
        store.publish_all(vec![event("2", "t")], at(0)).await?[0]
            .runs
            .len(),
        1
    );
    store.subscribe(vec![subscription("g", &["t"])]).await?;
    assert_eq!(
        other.publish_all(vec![event("3", "t")], at(0)).await?[0]
            .runs
            .len(),
        2
    );
    assert_eq!(
        store.publish_all(vec![event("4", "t")], at(0)).await?[0]
            .runs
            .len(),
        2
    );
    other.subscribe(vec![subscription("f", &["u"])]).await?;
    assert_eq!(
        store.publish_all(vec![event("5", "t")], at(0)).await?[0]
            .runs
            .len(),
        1
    );
    Ok(())
}

pub(super) async fn same_name_takes_over(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    store.worker(&["f"]).await?;
    let first = store.named_worker("left", at(0)).await?;
    let bystander = store.named_worker("right", at(0)).await?;
    store.start("e", "f").await?;
    let before = store.take_one(first, &["f"], at(0)).await?;
    let second = other.named_worker("left", at(5)).await?;
    assert_ne!(first, second);
    let after = other.take_one(second, &["f"], at(5)).await?;
    assert_eq!(after.run_id, before.run_id);
    assert!(after.lease.token > before.lease.token);
    assert_eq!(
        store.write(before.lease, Vec::new(), None, at(6)).await?,
        CommitOutcome::LeaseLost
    );
    other
        .must_write(after.lease, Vec::new(), None, at(6))
        .await?;
    let gone = store
        .renew(first, at(6), LEASE)
        .await
        .expect_err("the first session has ended");
    assert_eq!(gone.kind(), ErrorKind::Busy);
    store.renew(bystander, at(6), LEASE).await
}

pub(super) async fn deregistered_worker_leaves_its_runs(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let (first, second) = (store.worker(&["f"]).await?, store.worker(&["f"]).await?);
    store.start("e", "f").await?;
    let before = store.take_one(first, &["f"], at(0)).await?;
    assert!(store.take(second, &["f"], at(1)).await?.runs.is_empty());
    store.deregister(first, at(2)).await?;
    store.deregister(first, at(2)).await?;
    let after = store.take_one(second, &["f"], at(2)).await?;
    assert!(after.lease.token > before.lease.token);
    assert_eq!(
        store.write(before.lease, Vec::new(), None, at(3)).await?,
        CommitOutcome::LeaseLost
    );
    assert_eq!(store.subscriptions().await?.len(), 1, "subscriptions stay");
    Ok(())
}

pub(super) async fn unknown_session_is_busy(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    store.deregister(worker, at(1)).await?;
    for unknown in [worker, WorkerId(i64::MAX)] {
        let error = store
            .renew(unknown, at(1), LEASE)
            .await
            .expect_err("the session is not known");
        assert_eq!(error.kind(), ErrorKind::Busy);
        let error = store
            .take(unknown, &["f"], at(1))
            .await
            .expect_err("the session is not known");
        assert_eq!(error.kind(), ErrorKind::Busy);
    }
    let worker = store.worker(&["f"]).await?;
    store.take_one(worker, &["f"], at(1)).await?;
    Ok(())
}

pub(super) async fn ended_session_begins_without_its_runs(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    let first = store.take_one(worker, &["f"], at(0)).await?;
    // Its time ends at 30,000. It begins anew by `renew`, and the run that it had is due.
    store.renew(worker, at(30_000), LEASE).await?;
    assert_eq!(
        store
            .write(first.lease, Vec::new(), None, at(30_001))
            .await?,
        CommitOutcome::LeaseLost
    );
    let second = store.take_one(worker, &["f"], at(30_001)).await?;
    store
        .must_write(second.lease, Vec::new(), None, at(30_001))
        .await?;
    // Again, by `claim`.
    let third = store.take_one(worker, &["f"], at(90_000)).await?;
    assert!(first.lease.token < second.lease.token && second.lease.token < third.lease.token);
    assert_eq!(
        store
            .write(second.lease, Vec::new(), None, at(90_001))
            .await?,
        CommitOutcome::LeaseLost
    );
    store
        .must_write(third.lease, Vec::new(), None, at(119_999))
        .await
}

pub(super) async fn unknown_session_publishes_without_claiming(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.deregister(worker, at(0)).await?;
    let claim = Some(capacity(worker, 10, &["f"]));
    let published = store
        .publish(Publish {
            events: vec![event("e", "f")],
            claim,
            now: at(0),
        })
        .await?;
    assert!(published[0].runs[0].lease.is_none());
    Ok(())
}
