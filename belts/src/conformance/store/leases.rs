//! One worker at a time, and no writes after a lease has ended.

use std::collections::HashSet;

use super::bench::{Bench, LEASE, at, capacity, entry, event, ok};
use crate::{
    error::Result,
    store::{Claim, CommitOutcome, Release, RunStatus, Transition},
};

pub(super) async fn claim_is_exclusive(bench: Bench) -> Result<()> {
    const RUNS: usize = 120;
    let store = &bench.store;
    store.worker(&["f"]).await?;
    store
        .publish_all(
            (0..RUNS)
                .map(|number| event(&format!("e-{number}"), "f"))
                .collect(),
            at(0),
        )
        .await?;
    let mut claiming = Vec::new();
    for _ in 0..4 {
        let client = bench.another().await?;
        claiming.push(tokio::spawn(async move {
            let worker = client.worker(&["f"]).await?;
            let mut leases = Vec::new();
            loop {
                let capacity = capacity(worker, 7, &["f"]);
                let claimed = client.claim(Claim::new(capacity, at(0))).await?;
                if claimed.runs.is_empty() {
                    // The client is returned as well: dropping it would make its runs due.
                    return Result::Ok((client, leases));
                }
                leases.extend(claimed.runs.into_iter().map(|run| run.lease));
            }
        }));
    }
    let mut seen = HashSet::new();
    let mut clients = Vec::new();
    for claimer in claiming {
        let (client, leases) = claimer.await.expect("the claimer does not panic")?;
        clients.push(client);
        for lease in leases {
            assert!(seen.insert(lease.run), "a run was claimed twice");
        }
    }
    assert_eq!(seen.len(), RUNS, "every run was claimed");
    Ok(())
}

pub(super) async fn late_commit_is_refused(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    let run = store.start("e", "f").await?;
    let lost = store.take_one(first, &["f"], at(0)).await?.lease;
    other.renew(second, at(20_000), LEASE).await?;
    let held = other.take_one(second, &["f"], at(30_000)).await?.lease;
    assert!(held.token > lost.token);
    // On its own clock the first is still in time.
    let complete = Some(Transition::complete(ok("1")));
    let late = store
        .write(
            lost,
            vec![entry(0, "late", "1")],
            complete.clone(),
            at(29_999),
        )
        .await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    // Neither part of a lease can be guessed.
    for forged in [
        crate::store::Lease {
            worker: first,
            ..held
        },
        crate::store::Lease {
            token: held.token + 1,
            ..held
        },
        crate::store::Lease {
            run: held.run + 1,
            ..held
        },
    ] {
        let outcome = store
            .write(forged, vec![entry(0, "forged", "1")], None, at(30_001))
            .await?;
        assert_eq!(outcome, CommitOutcome::LeaseLost);
    }
    assert!(store.journal(&run).await?.is_empty(), "nothing was written");
    assert_eq!(store.record(&run).await?.status, RunStatus::Running);
    // A commit after the transition is late, too.
    store
        .must_write(held, vec![entry(0, "step", "1")], complete, at(30_002))
        .await?;
    let after = store
        .write(held, vec![entry(1, "after", "1")], None, at(30_003))
        .await?;
    assert_eq!(after, CommitOutcome::LeaseLost);
    assert_eq!(store.journal(&run).await?.len(), 1);
    Ok(())
}

pub(super) async fn release_keeps_the_listed_leases(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (worker, bystander) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    store.start("others", "f").await?;
    let others = other.take_one(bystander, &["f"], at(0)).await?.lease;
    for id in ["kept", "stale", "unheard"] {
        store.start(id, "f").await?;
    }
    let held = store.take(worker, &["f"], at(0)).await?.runs;
    let lease_of = |event: &str| {
        let run = held.iter().find(|run| &*run.event_id == event);
        run.expect("the run was claimed").lease
    };
    let (kept, stale) = (lease_of("kept"), lease_of("stale"));
    // A lease of an earlier claim does not extend the current one.
    let old = crate::store::Lease {
        token: stale.token - 1,
        ..stale
    };
    let release = Release::new(worker, at(5)).with_keep(vec![kept, old, others]);
    assert_eq!(store.release(release.clone()).await?, 2);
    assert_eq!(
        store.release(release).await?,
        0,
        "there is nothing left to give back"
    );
    for (lease, outcome) in [
        (kept, CommitOutcome::Applied),
        (others, CommitOutcome::Applied),
        (stale, CommitOutcome::LeaseLost),
        (lease_of("unheard"), CommitOutcome::LeaseLost),
    ] {
        let written = store
            .write(lease, vec![entry(0, "step", "1")], None, at(6))
            .await?;
        assert_eq!(written, outcome);
    }
    let again = other.take(bystander, &["f"], at(6)).await?.runs;
    let mut events: Vec<_> = again.iter().map(|run| &*run.event_id).collect();
    events.sort_unstable();
    assert_eq!(events, ["stale", "unheard"]);
    Ok(())
}

pub(super) async fn late_commit_is_written_until_the_run_is_claimed_again(
    bench: Bench,
) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
    store
        .must_write(lease, vec![entry(0, "in time", "1")], None, at(29_999))
        .await?;
    // The worker's thread was blocked for longer than its lease, and nobody claimed the run.
    store
        .must_write(lease, vec![entry(1, "late", "2")], None, at(45_000))
        .await?;
    assert_eq!(store.journal(&run).await?.len(), 2);
    // From here on somebody has claimed it.
    let second = other.worker(&["f"]).await?;
    other.renew(second, at(45_000), LEASE).await?;
    let taken = other.take_one(second, &["f"], at(45_001)).await?;
    assert_eq!(taken.journal.len(), 2);
    for transition in [
        None,
        Some(Transition::suspend(at(0))),
        Some(Transition::Skip),
    ] {
        let late = store
            .write(lease, vec![entry(2, "later", "3")], transition, at(45_002))
            .await?;
        assert_eq!(late, CommitOutcome::LeaseLost, "another has the run");
    }
    assert_eq!(store.journal(&run).await?.len(), 2);
    Ok(())
}

pub(super) async fn tokens_are_unpredictable(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut steps = HashSet::new();
    for number in 0..4 {
        store.start(&format!("e-{number}"), "f").await?;
    }
    for _ in 0..4 {
        let mut last = Vec::new();
        for turn in 0..2 {
            let runs = store.take(worker, &["f"], at(turn)).await?.runs;
            assert_eq!(runs.len(), 4);
            last.push(
                runs.iter()
                    .map(|run| (run.lease.run, run.lease.token))
                    .collect::<std::collections::BTreeMap<_, _>>(),
            );
            for run in runs {
                let release = Some(Transition::suspend(at(0)));
                store
                    .must_write(run.lease, Vec::new(), release, at(turn))
                    .await?;
            }
        }
        for (run, token) in &last[0] {
            assert!(last[1][run] > *token, "a later claim has the greater token");
            steps.insert(last[1][run] - token);
        }
    }
    assert!(
        steps.len() > 8,
        "tokens grow by amounts that repeat: {steps:?}"
    );
    Ok(())
}

pub(super) async fn revoked_leases_are_reported(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    for id in ["kept", "cancelled", "ended", "taken"] {
        store.start(id, "f").await?;
    }
    let runs = store.take(worker, &["f"], at(0)).await?.runs;
    let leases: Vec<_> = runs.iter().map(|run| run.lease).collect();
    assert_eq!(store.revoked(&leases).await?, []);
    assert_eq!(store.revoked(&[]).await?, []);
    let of = |event: &str| {
        let run = runs.iter().find(|run| &*run.event_id == event);
        run.expect("the run was claimed")
    };
    assert!(other.cancel(&of("cancelled").run_id, at(1)).await?);
    let output = Some(Transition::complete(ok("1")));
    store
        .must_write(of("ended").lease, Vec::new(), output, at(1))
        .await?;
    let release = Some(Transition::suspend(at(1)));
    store
        .must_write(of("taken").lease, Vec::new(), release, at(1))
        .await?;
    let second = other.worker(&["f"]).await?;
    let taken = other.take_one(second, &["f"], at(2)).await?;
    let revoked: HashSet<_> = store.revoked(&leases).await?.into_iter().collect();
    let expected = ["cancelled", "ended", "taken"].map(|event| of(event).lease);
    assert_eq!(revoked, HashSet::from(expected));
    assert_eq!(store.revoked(&[taken.lease, of("kept").lease]).await?, []);
    Ok(())
}

pub(super) async fn crashes_without_a_record_are_counted(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    let mut now = 0;
    let mut crash = async |entries: Vec<crate::store::Entry>| -> Result<u32> {
        now += 1;
        // Registering under an existing name means that the earlier process died.
        let worker = store.named_worker("w", at(now)).await?;
        let run = store.take_one(worker, &["f"], at(now)).await?;
        store.must_write(run.lease, entries, None, at(now)).await?;
        Ok(run.crashes)
    };
    assert_eq!(crash(vec![]).await?, 0);
    assert_eq!(crash(vec![]).await?, 1);
    assert_eq!(crash(vec![entry(0, "one", "1")]).await?, 2);
    assert_eq!(crash(vec![]).await?, 1, "something was recorded since");
    assert_eq!(crash(vec![]).await?, 2);
    // A session that expired has crashed, too; one that deregistered has not.
    let last = store.named_worker("w", at(10)).await?;
    assert_eq!(store.take_one(last, &["f"], at(10)).await?.crashes, 3);
    let other = bench.another().await?;
    let second = other.named_worker("other", at(20)).await?;
    other.renew(second, at(30_000), LEASE).await?;
    let taken = other.take_one(second, &["f"], at(40_000)).await?;
    assert_eq!(taken.crashes, 4);
    other.deregister(second, at(40_001)).await?;
    let third = store.named_worker("third", at(40_002)).await?;
    let taken = store.take_one(third, &["f"], at(40_002)).await?;
    assert_eq!(taken.crashes, 4, "what is given back did not crash");
    store
        .must_write(
            taken.lease,
            vec![entry(1, "two", "2")],
            Some(Transition::suspend(at(40_003))),
            at(40_003),
        )
        .await?;
    let taken = store.take_one(third, &["f"], at(40_003)).await?;
    assert_eq!(taken.crashes, 0, "something was recorded since");
    Ok(())
}

pub(super) async fn removed_run_cannot_be_written(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e-1", "f").await?;
    let removed = store.take_one(worker, &["f"], at(0)).await?.lease;
    store
        .must_write(removed, Vec::new(), Some(Transition::Skip), at(1))
        .await?;
    // The next run may reuse the number of the removed one, but not its lease.
    let run = store.start("e-2", "f").await?;
    store.take_one(worker, &["f"], at(1)).await?;
    let late = store
        .write(removed, vec![entry(0, "late", "1")], None, at(2))
        .await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    assert!(store.journal(&run).await?.is_empty());
    Ok(())
}
