//! Concurrent clients.

use std::{collections::HashMap, sync::Arc};

use super::bench::{Bench, Client, LEASE, at, capacity, entry, event, ok, subscription};
use crate::{
    error::Result,
    store::{Claim, CommitOutcome, RunFilter, RunStatus, Transition, WorkerId},
};

/// Publishes `count` events one by one, so that the claims of others interleave.
async fn publish(client: Client, count: usize) -> Result<()> {
    for number in 0..count {
        let events = vec![event(&format!("e-{number}"), "f")];
        client.publish_all(events, at(0)).await?;
    }
    Ok(())
}

/// Claims and ends runs of three steps each, until `total` runs have ended.
async fn work(client: Client, worker: WorkerId, total: usize) -> Result<()> {
    loop {
        let claim = Claim::new(capacity(worker, 5, &["f"]), at(0));
        for run in client.claim(claim).await?.runs {
            assert!(run.journal.is_empty(), "nobody else has driven the run");
            for seq in 0..3 {
                let step = entry(seq, &format!("{}-{seq}", run.run_id), "1");
                client
                    .must_write(run.lease, vec![step], None, at(1))
                    .await?;
            }
            let complete = Some(Transition::complete(ok("1")));
            client
                .must_write(run.lease, Vec::new(), complete, at(1))
                .await?;
        }
        if completed(&client, total).await? == total {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

async fn completed(client: &Client, limit: usize) -> Result<usize> {
    let filter = RunFilter::new()
        .with_statuses([RunStatus::Completed])
        .with_limit(limit);
    Ok(client.list(filter).await?.runs.len())
}

pub(super) async fn concurrent_clients_share_the_work(bench: Bench) -> Result<()> {
    const RUNS: usize = 60;
    let subscriptions = vec![subscription("f", &["f"])];
    bench.store.subscribe(subscriptions).await?;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let client = bench.another().await?;
        let worker = client.worker(&["f"]).await?;
        tasks.push(tokio::spawn(work(client, worker, RUNS)));
    }
    // Two publish the same events.
    for client in [bench.another().await?, bench.store.clone()] {
        tasks.push(tokio::spawn(publish(client, RUNS)));
    }
    for task in tasks {
        task.await.expect("the task does not panic")?;
    }
    let runs = bench.store.list(RunFilter::default()).await?.runs;
    assert_eq!(runs.len(), RUNS, "each event started one run");
    for run in runs {
        let journal = bench.store.journal(&run.run_id).await?;
        let paths: Vec<_> = journal.iter().map(|entry| &*entry.path).collect();
        let expected: Vec<_> = (0..3).map(|seq| format!("{}-{seq}", run.run_id)).collect();
        assert_eq!(paths, expected);
    }
    Ok(())
}

/// A commit of one worker meets the claim of another that takes its run over.
pub(super) async fn commit_and_claim_are_serialized(bench: Bench) -> Result<()> {
    const ROUNDS: i64 = 40;
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    let (mut written, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        // On the clock of the first its lease is fresh; on that of the second, which is far ahead, it has ended.
        let (early, late) = (at(round * 100_000), at(round * 100_000 + 60_000));
        store.renew(first, early, LEASE).await?;
        other.renew(second, late, LEASE).await?;
        let id = store.start(&format!("e-{round}"), "f").await?;
        let lease = store.take_one(first, &["f"], early).await?.lease;
        let (commit, claim) = {
            let (store, other) = (store.clone(), other.clone());
            let commit = tokio::spawn(async move {
                store
                    .write(lease, vec![entry(0, "step", "1")], None, early)
                    .await
            });
            let claim = tokio::spawn(async move { other.take(second, &["f"], late).await });
            (commit, claim)
        };
        let outcome = commit.await.expect("the commit does not panic")?;
        let mut runs = claim.await.expect("the claim does not panic")?.runs;
        // A store may skip a run that is being written; the next claim returns it.
        if runs.is_empty() {
            runs = other.take(second, &["f"], late).await?.runs;
        }
        assert_eq!(runs.len(), 1, "the run was taken over");
        let journal = std::mem::take(&mut runs[0].journal);
        match outcome {
            CommitOutcome::Applied => written += 1,
            CommitOutcome::LeaseLost => refused += 1,
        }
        let expected = usize::from(outcome == CommitOutcome::Applied);
        assert_eq!(
            journal.len(),
            expected,
            "the claim brings what was written: {outcome:?}"
        );
        assert_eq!(store.journal(&id).await?.len(), expected);
        let complete = Some(Transition::complete(ok("1")));
        other
            .must_write(runs[0].lease, Vec::new(), complete, late)
            .await?;
    }
    assert_eq!(written + refused, ROUNDS);
    Ok(())
}

pub(super) async fn purge_during_work_loses_nothing(bench: Bench) -> Result<()> {
    const RUNS: usize = 40;
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let purging = tokio::spawn(async move {
        let mut purged = 0;
        while purged < RUNS {
            purged += other.purge(at(10), 3).await?.runs;
            tokio::task::yield_now().await;
        }
        Result::Ok(())
    });
    let mut living: HashMap<Arc<str>, _> = HashMap::new();
    for number in 0..RUNS {
        for (id, ends) in [("ends", true), ("lives", false)] {
            store.start(&format!("{id}-{number}"), "f").await?;
            let run = store.take_one(worker, &["f"], at(0)).await?;
            let transition = ends.then(|| Transition::complete(ok("1")));
            store
                .must_write(run.lease, vec![entry(0, "step", "1")], transition, at(1))
                .await?;
            if !ends {
                living.insert(run.run_id, run.lease);
            }
        }
    }
    purging.await.expect("the purge does not panic")?;
    assert_eq!(store.purge(at(10), 100).await?.runs, 0);
    for (run, lease) in living {
        store
            .must_write(lease, vec![entry(1, "after", "1")], None, at(2))
            .await?;
        assert_eq!(store.journal(&run).await?.len(), 2);
    }
    Ok(())
}
