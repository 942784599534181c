//! Claiming one run by its name, due or not.

use super::bench::{Bench, LEASE, at, event, ok};
use crate::{
    error::Result,
    store::{RunStatus, Transition},
};

pub(super) async fn claim_by_name(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("other", "f").await?;
    let mut sleeping = event("e", "f");
    sleeping.due_at = at(1_000_000);
    let published = store.publish_all(vec![sleeping], at(0)).await?;
    let run = &published[0].runs[0].run_id;
    let nothing = store
        .take_named(worker, &["f"], &"no such run".into(), at(0))
        .await?;
    assert!(nothing.is_none());
    assert!(
        store
            .take_named(worker, &["g"], run, at(0))
            .await?
            .is_none(),
        "the function must be named"
    );
    let first = store
        .take_named(worker, &["f"], run, at(0))
        .await?
        .expect("due or not");
    assert_eq!(first.run_id, *run);
    let again = store.take_named(worker, &["f"], run, at(1)).await?;
    assert!(
        again.is_none(),
        "a session does not take a run from itself while it drives it"
    );
    let output = Transition::complete(ok("1"));
    store
        .must_write(first.lease, Vec::new(), Some(output), at(2))
        .await?;
    assert!(
        store
            .take_named(worker, &["f"], run, at(3))
            .await?
            .is_none(),
        "it has finished"
    );
    assert_eq!(store.record(run).await?.status, RunStatus::Completed);
    Ok(())
}

pub(super) async fn claim_by_name_leaves_runs_of_live_sessions(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    let run = store.start("e", "f").await?;
    let held = store.take_one(first, &["f"], at(0)).await?.lease;
    assert!(
        other
            .take_named(second, &["f"], &run, at(1))
            .await?
            .is_none(),
        "another drives it"
    );
    store.must_write(held, Vec::new(), None, at(2)).await?;
    other.renew(second, at(29_000), LEASE).await?;
    assert!(
        other
            .take_named(second, &["f"], &run, at(30_000))
            .await?
            .is_some(),
        "the other's time has ended"
    );
    Ok(())
}
