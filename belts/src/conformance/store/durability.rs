//! What was written is kept, completely.

use super::bench::{Bench, at, entry, event, subscription};
use crate::{
    error::Result,
    store::{Commit, CommitBatch, CommitOutcome, RunFilter, RunStatus, Transition},
};

pub(super) async fn reopened_store_has_everything(bench: Bench) -> Result<()> {
    if !bench.store.capabilities().durable {
        return Ok(());
    }
    let Bench { storage, store } = bench;
    let worker = store
        .subscribe(vec![subscription("f", &["a", "b"])])
        .await?;
    let begun = store.start("e-1", "a").await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    store
        .must_write(
            run.lease,
            vec![entry(0, "one", "1"), entry(1, "two", "2")],
            None,
            at(1),
        )
        .await?;
    let mut delayed = event("e-2", "b");
    delayed.due_at = at(500);
    store.publish_all(vec![delayed], at(1)).await?;
    drop(store);

    let store = storage.another().await?;
    assert_eq!(
        store.subscriptions().await?,
        [subscription("f", &["a", "b"])]
    );
    let again = store.publish_all(vec![event("e-1", "a")], at(2)).await?;
    assert!(again[0].duplicate, "the event is still known");
    assert_eq!(store.journal(&begun).await?.len(), 2);
    let worker = store.worker(&["f"]).await?;
    let later = at(600_000);
    let claimed = store.take(worker, &["f"], later).await?;
    assert_eq!(
        claimed.runs.len(),
        2,
        "the run of the gone worker and the delayed one"
    );
    let same = claimed
        .runs
        .iter()
        .find(|claimed| claimed.run_id == begun)
        .expect("the first run is due again");
    assert_eq!(same.journal, [entry(0, "one", "1"), entry(1, "two", "2")]);
    assert_eq!(same.started_at, at(0));
    assert!(same.lease.token > run.lease.token);
    Ok(())
}

pub(super) async fn batch_is_atomic(bench: Bench) -> Result<()> {
    const EVENTS: usize = 200;
    let (store, other) = (bench.store.clone(), bench.another().await?);
    store.worker(&["f"]).await?;
    let events = (0..EVENTS)
        .map(|number| event(&format!("e-{number}"), "f"))
        .collect();
    let publishing = tokio::spawn(async move { store.publish_all(events, at(0)).await });
    loop {
        let done = publishing.is_finished();
        let page = other.list(RunFilter::new().with_limit(EVENTS)).await?;
        assert!(
            page.runs.is_empty() || page.runs.len() == EVENTS,
            "{} of {EVENTS} runs are there",
            page.runs.len()
        );
        if done {
            assert_eq!(page.runs.len(), EVENTS);
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

pub(super) async fn batch_refuses_stale_commits_one_by_one(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store
        .publish_all(
            (0..3)
                .map(|number| event(&format!("e-{number}"), "f"))
                .collect(),
            at(0),
        )
        .await?;
    let runs = store.take(worker, &["f"], at(0)).await?.runs;
    let mut commits: Vec<Commit> = runs
        .iter()
        .map(|run| Commit::new(run.lease).with_entries(vec![entry(0, "one", "1")]))
        .collect();
    commits[1].lease.token += 1;
    commits[1].transition = Some(Transition::Stop);
    let outcomes = store.commit(CommitBatch::new(commits, at(1))).await?;
    assert_eq!(
        outcomes,
        [
            CommitOutcome::Applied,
            CommitOutcome::LeaseLost,
            CommitOutcome::Applied
        ]
    );
    for (run, entries) in runs.iter().zip([1, 0, 1]) {
        assert_eq!(store.journal(&run.run_id).await?.len(), entries);
        assert_eq!(store.record(&run.run_id).await?.status, RunStatus::Running);
    }
    // The first commit of a run ends the lease for the second.
    let end = |output| {
        Commit::new(runs[0].lease).with_transition(Transition::complete(super::bench::ok(output)))
    };
    let outcomes = store
        .commit(CommitBatch::new(vec![end("1"), end("2")], at(2)))
        .await?;
    assert_eq!(outcomes, [CommitOutcome::Applied, CommitOutcome::LeaseLost]);
    assert_eq!(
        store.record(&runs[0].run_id).await?.result,
        Some(super::bench::ok("1"))
    );
    Ok(())
}
