//! How long a lease lasts: until its worker is taken for dead, whatever renewals and clocks say.

use super::bench::{Bench, LEASE, at, entry, event};
use crate::{
    error::Result,
    store::{CommitOutcome, Transition},
};

pub(super) async fn clock_set_back_delays_nothing_due(bench: Bench) -> Result<()> {
    const HOUR: i64 = 3_600_000;
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.renew(worker, at(HOUR), LEASE).await?;
    let mut sleeping = event("sleeping", "f");
    sleeping.due_at = at(HOUR + 60_000);
    let mut due = event("due", "f");
    due.due_at = at(HOUR);
    store.publish_all(vec![due, sleeping], at(HOUR)).await?;
    // The clock is set back by an hour.
    store.renew(worker, at(5), LEASE).await?;
    let run = store.take_one(worker, &["f"], at(5)).await?;
    assert_eq!(
        &*run.event_id, "due",
        "what was due stays due, what sleeps sleeps on"
    );
    Ok(())
}

pub(super) async fn dead_worker_runs_are_claimed(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    for event in ["e-1", "e-2"] {
        store.start(event, "f").await?;
    }
    let held = store.take(first, &["f"], at(0)).await?.runs;
    assert_eq!(held.len(), 2);
    store
        .must_write(held[0].lease, vec![entry(0, "one", "1")], None, at(1))
        .await?;
    other.renew(second, at(20_000), LEASE).await?;
    assert!(
        other
            .take(second, &["f"], at(29_999))
            .await?
            .runs
            .is_empty(),
        "the first still lives"
    );
    let taken = other.take(second, &["f"], at(30_000)).await?.runs;
    assert_eq!(taken.len(), 2, "its time has ended");
    let same = taken
        .iter()
        .find(|run| run.run_id == held[0].run_id)
        .expect("both runs are taken over");
    assert_eq!(same.journal, [entry(0, "one", "1")]);
    Ok(())
}

pub(super) async fn renewed_lease_holds(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    store.start("e", "f").await?;
    let lease = store.take_one(first, &["f"], at(0)).await?.lease;
    for now in [10_000, 35_000, 60_000] {
        store.renew(first, at(now), LEASE).await?;
        other.renew(second, at(now), LEASE).await?;
    }
    assert!(
        other
            .take(second, &["f"], at(89_999))
            .await?
            .runs
            .is_empty()
    );
    store
        .must_write(lease, Vec::new(), None, at(89_999))
        .await?;
    other.renew(second, at(89_999), LEASE).await?;
    other.take_one(second, &["f"], at(90_000)).await?;
    Ok(())
}

pub(super) async fn late_renewal_shortens_no_lease(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    store.start("e", "f").await?;
    store.renew(first, at(20_000), LEASE).await?;
    let lease = store.take_one(first, &["f"], at(20_000)).await?.lease;
    // A connection that broke held back what was sent before.
    store.renew(first, at(10_000), LEASE).await?;
    let before = other.take(second, &["f"], at(49_999)).await?.runs;
    assert!(before.is_empty(), "the later renewal counts");
    store
        .must_write(lease, Vec::new(), None, at(49_999))
        .await?;
    assert!(store.revoked(&[lease]).await?.is_empty());
    // A clock that was set back by more than ten leases must not leave the runs of a process that dies with nobody.
    let (hour, early) = (at(3_600_000), at(50_000));
    store.renew(first, hour, LEASE).await?;
    store.renew(first, early, LEASE).await?;
    other.renew(second, at(79_999), LEASE).await?;
    assert!(
        other
            .take(second, &["f"], at(79_999))
            .await?
            .runs
            .is_empty()
    );
    other.take_one(second, &["f"], at(80_000)).await?;
    Ok(())
}

pub(super) async fn clocks_may_differ(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (ahead, behind) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    // The clock of `ahead` is ten seconds ahead of that of `behind`.
    store.renew(ahead, at(10_000), LEASE).await?;
    let published = store.publish_all(vec![event("e", "f")], at(10_000)).await?;
    let lease = store.take_one(ahead, &["f"], at(10_000)).await?.lease;
    assert!(other.take(behind, &["f"], at(5_000)).await?.runs.is_empty());
    store
        .must_write(lease, vec![entry(0, "one", "1")], None, at(12_000))
        .await?;
    // Now `ahead` claims a run that `behind` still believes to have: the token decides, not the clocks.
    store
        .must_write(
            lease,
            Vec::new(),
            Some(Transition::suspend(at(0))),
            at(12_000),
        )
        .await?;
    let old = other.take_one(behind, &["f"], at(6_000)).await?.lease;
    let new = store.take_one(ahead, &["f"], at(39_000)).await?;
    assert_eq!(new.run_id, published[0].runs[0].run_id);
    let late = other
        .write(old, vec![entry(1, "late", "1")], None, at(29_000))
        .await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    store
        .must_write(new.lease, vec![entry(1, "two", "2")], None, at(39_001))
        .await
}
