//! Runs that end together with the one that has started them.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, at, ok},
    families::{FAILURE, end, fail, told},
    starting::{call, start},
    waiting::keeps_none,
};
use crate::{
    error::Result,
    store::{
        ClaimedRun, Commit, CommitBatch, CommitOutcome, RunStatus, StepState, Transition, WorkerId,
    },
};

/// Starts a family: `c` by the parent, `d` by that one, and `e` by that, all attached; and `free` by the parent, which is not.
async fn generations(
    store: &Client,
    worker: WorkerId,
    id: &str,
) -> Result<(ClaimedRun, [String; 4])> {
    let ids = ["c", "d", "e", "free"].map(|name| format!("{id}-{name}"));
    let [c, d, e, free] = &ids;
    let parent = store.begin(worker, id).await?;
    let starts = vec![start(&parent, c, true), start(&parent, free, false)];
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, c)])
        .with_starts(starts);
    store.commit_one(commit, at(1)).await?;
    let named = async |id: &str| {
        let run = store.take_named(worker, &["g"], &id.into(), at(1)).await?;
        Ok::<_, crate::Error>(run.expect("it was just started"))
    };
    let child = named(c).await?;
    store.call(&child, &[d], true).await?;
    let child = named(d).await?;
    store.call(&child, &[e], false).await?;
    Ok((parent, ids))
}

pub(super) async fn failed_run_cancels_what_it_started(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    for (id, how) in [
        ("failed", Some(fail())),
        ("by-event", Some(Transition::cancel(*FAILURE))),
        ("cancelled", None),
    ] {
        let (parent, [c, d, e, free]) = generations(store, worker, id).await?;
        match how {
            Some(how) => {
                let write = other.must_write(parent.lease, Vec::new(), Some(how), at(5));
                write.await?;
            }
            None => assert!(other.cancel(&parent.run_id, at(5)).await?),
        }
        for (run, is_due) in [(&c, false), (&d, false), (&e, false), (&free, true)] {
            let record = store.record(run).await?;
            let ended = (record.status == RunStatus::Cancelled, record.finished_at);
            let expected = if is_due {
                (false, None)
            } else {
                (true, Some(at(5)))
            };
            assert_eq!(ended, expected, "{id}: {run}");
            assert!(is_due || record.due_at.is_none());
        }
        assert!(store.cancel(&free, at(5)).await?);
        // Nobody waits any more, and nobody drives one of them.
        assert!(
            store
                .take(worker, &["f", "g"], at(20_000))
                .await?
                .runs
                .is_empty()
        );
    }
    Ok(())
}

pub(super) async fn what_is_not_attached_goes_on(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let (parent, [c, d, e, free]) = generations(store, worker, "p").await?;
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(parent.lease, Vec::new(), complete, at(2))
        .await?;
    for run in [&c, &d, &e, &free] {
        assert!(!store.status_of(run).await?.is_finished(), "{run}");
    }
    // What has finished stays as it is.
    end(store, worker, &e, Transition::complete(ok("1"))).await?;
    assert!(store.cancel(&c, at(3)).await?);
    assert_eq!(store.status_of(&d).await?, RunStatus::Cancelled);
    assert_eq!(store.status_of(&e).await?, RunStatus::Completed);
    assert!(!store.status_of(&free).await?.is_finished());
    Ok(())
}

pub(super) async fn commit_cancels_runs(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    let (parent, [c, d, e, free]) = generations(store, worker, "p").await?;
    let over = start(&parent, "over", true);
    store
        .commit_one(Commit::new(parent.lease).with_starts(vec![over]), at(1))
        .await?;
    end(store, worker, "over", Transition::complete(ok("1"))).await?;
    let stranger = store.begin(worker, "stranger").await?;
    let cancels = |lease| {
        let ids = [&*c, &*d, &*free, "over", "nobody"].map(Arc::from);
        Commit::new(lease).with_cancels(ids.into())
    };
    let outcome = store.commit_one(cancels(stranger.lease), at(3)).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    for run in [&c, &d, &e, &free] {
        assert!(
            !store.status_of(run).await?.is_finished(),
            "{run} is not its own"
        );
    }
    let commit = cancels(parent.lease).with_transition(Transition::suspend(None));
    let outcome = other.commit_one(commit, at(4)).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    for run in [&c, &d, &e, &free] {
        assert_eq!(store.status_of(run).await?, RunStatus::Cancelled, "{run}");
    }
    assert_eq!(store.status_of("over").await?, RunStatus::Completed);
    let woken = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!(told(&woken.arrivals).0, 0, "it is told as any other end");
    Ok(())
}

pub(super) async fn closed_wait_hears_nothing_of_what_was_cancelled(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c"], false).await?;
    let mut closed = call(0, "c")
        .with_value("", ok("null"))
        .with_finished_at(at(2));
    closed.state = StepState::Completed;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![closed])
        .with_cancels(vec!["c".into()])
        .with_transition(Transition::suspend(at(900)));
    store.commit_one(commit, at(2)).await?;
    assert_eq!(store.status_of("c").await?, RunStatus::Cancelled);
    assert_eq!(store.record(&parent.run_id).await?.due_at, Some(at(900)));
    Ok(())
}

/// Two parents with two children each end from three sides at once: no deadlock, and each end is told once.
pub(super) async fn families_end_at_once(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let rounds = if bench.store.capabilities().durable {
        20
    } else {
        200
    };
    let store = &bench.store;
    let worker = store.family().await?;
    for round in 0..rounds {
        let mut parents = Vec::new();
        for place in 0..2 {
            parents.push(store.begin(worker, &format!("p-{round}-{place}")).await?);
        }
        let mut children = Vec::new();
        for nth in 0..2 {
            for parent in &parents {
                let id = format!("{}-{nth}", parent.event_id);
                let started = Commit::new(parent.lease)
                    .with_entries(vec![call(nth, &id)])
                    .with_starts(vec![start(parent, &id, true)]);
                store.commit_one(started, at(1)).await?;
                let child = store
                    .take_named(worker, &["g"], &(&*id).into(), at(1))
                    .await?;
                children.push(child.expect("it was just started"));
            }
        }
        let entries = (0..)
            .zip(&children)
            .map(|(seq, child)| call(seq, &child.run_id));
        store
            .wait(worker, &format!("witness-{round}"), entries.collect())
            .await?;
        let (one, other, third) = (
            bench.another().await?,
            bench.another().await?,
            bench.another().await?,
        );
        let together = |runs: &[ClaimedRun], how: &Transition| {
            let commits = runs
                .iter()
                .map(|run| Commit::new(run.lease).with_transition(how.clone()));
            CommitBatch::new(commits.collect(), at(3))
        };
        let complete = Transition::complete(ok("1"));
        let (up, down) = (together(&children, &complete), together(&parents, &fail()));
        let ids = [&parents[1].run_id, &children[0].run_id, &children[3].run_id];
        let ids = ids.map(Arc::clone);
        let tasks = [
            tokio::spawn(async move { one.commit(up).await.map(drop) }),
            tokio::spawn(async move { other.commit(down).await.map(drop) }),
            tokio::spawn(async move {
                for id in &ids {
                    third.cancel(id, at(3)).await?;
                }
                Ok(())
            }),
        ];
        for task in tasks {
            task.await.expect("no end panics")?;
        }
        for run in parents.iter().chain(&children) {
            let status = store.status_of(&run.run_id).await?;
            assert!(
                status.is_finished(),
                "round {round}: {} is {status}",
                run.run_id
            );
        }
        let witness = store.take_one(worker, &["f"], at(3)).await?;
        let seqs = witness.arrivals.iter().map(|arrival| arrival.seq);
        assert_eq!(
            seqs.collect::<Vec<_>>(),
            [0, 1, 2, 3],
            "round {round}: each end is told once"
        );
        assert!(store.cancel(&witness.run_id, at(4)).await?);
    }
    Ok(())
}
