//! Paused functions: what waits, what goes on, and who hears of it.

use std::{sync::Arc, time::Duration};

use super::{
    bench::{Bench, Client, LEASE, at, capacity, entry, event, ok, targeted},
    waiting::{keeps_none, keyed, payment},
};
use crate::{
    error::Result,
    store::{
        Capacity, Claim, FunctionCapacity, FunctionRecord, NewEvent, Publish, RunStatus,
        Transition, WorkerId,
    },
};

/// Far more than a wake-up takes, and less than a test may take.
const SOON: Duration = Duration::from_secs(10);

impl Client {
    /// Publishes an event with room for runs of these functions; the functions whose runs were leased.
    pub(super) async fn publish_and_take(
        &self,
        worker: WorkerId,
        functions: &[&str],
        event: NewEvent,
    ) -> Result<Vec<Arc<str>>> {
        let request = Publish::new(vec![event], at(0));
        let request = request.with_claim(capacity(worker, 100, functions));
        let published = self.publish(request).await?.remove(0);
        let leased = published.runs.into_iter().filter(|run| run.lease.is_some());
        Ok(leased.map(|run| run.function_id).collect())
    }

    /// The function with runs, subscriptions or a pause, if it is listed.
    async fn function(&self, id: &str) -> Result<Option<FunctionRecord>> {
        let all = self.functions(at(0), 10).await?;
        Ok(all.into_iter().find(|record| &*record.function_id == id))
    }
}

pub(super) async fn paused_function_is_not_claimed(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let functions = ["f", "F", "g"];
    let worker = store.worker(&functions).await?;
    let paused = store.start("e-f", "f").await?;
    store.start("e-F", "F").await?;
    store.start("e-g", "g").await?;
    store.pause("f", at(0)).await?;
    let named = store.take_named(worker, &functions, &paused, at(0)).await?;
    assert!(named.is_none(), "not by name");
    let claimed = store.take(worker, &functions, at(0)).await?;
    let mut others: Vec<_> = claimed.runs.iter().map(|run| &*run.function_id).collect();
    others.sort_unstable();
    assert_eq!(others, ["F", "g"]);
    for event in [
        event("e-1", "f"),
        targeted("e-2", "f", None),
        targeted("e-3", "f", Some("r-1")),
    ] {
        let leased = store.publish_and_take(worker, &functions, event).await?;
        assert!(leased.is_empty(), "{leased:?}");
    }
    let other = event("e-4", "g");
    let leased = store.publish_and_take(worker, &functions, other).await?;
    assert_eq!(leased, [Arc::from("g")]);
    store.resume("f", at(0)).await?;
    let claimed = store.take(worker, &functions, at(0)).await?;
    assert_eq!(claimed.runs.len(), 4, "all of them waited");
    let next = event("e-5", "f");
    let leased = store.publish_and_take(worker, &functions, next).await?;
    assert_eq!(leased, [Arc::from("f")]);
    Ok(())
}

pub(super) async fn paused_function_gets_runs(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.worker(&["f"]).await?;
    store.pause("f", at(0)).await?;
    let run = store.start("e", "f").await?;
    let record = store.record(&run).await?;
    assert_eq!(
        (record.status, record.due_at),
        (RunStatus::Pending, Some(at(0)))
    );
    let again = store.publish_all(vec![event("e", "f")], at(0)).await?;
    assert!(again[0].duplicate, "it counted");
    Ok(())
}

pub(super) async fn driven_run_goes_on_through_a_pause(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for id in ["suspends", "ends"] {
        store.start(id, "f").await?;
    }
    let runs = store.take(worker, &["f"], at(0)).await?.runs;
    store.pause("f", at(0)).await?;
    store.renew(worker, at(1), LEASE).await?;
    let leases: Vec<_> = runs.iter().map(|run| run.lease).collect();
    assert!(store.revoked(&leases).await?.is_empty());
    for run in &runs {
        let step = vec![entry(0, "step", "1")];
        store.must_write(run.lease, step, None, at(1)).await?;
    }
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(leases[1], Vec::new(), complete, at(1))
        .await?;
    let suspend = Some(Transition::suspend(at(5)));
    store
        .must_write(leases[0], Vec::new(), suspend, at(1))
        .await?;
    assert!(store.take(worker, &["f"], at(9)).await?.runs.is_empty());
    store.resume("f", at(9)).await?;
    let back = store.take_one(worker, &["f"], at(9)).await?;
    assert_eq!(
        (back.run_id, back.journal.len()),
        (runs[0].run_id.clone(), 1)
    );
    Ok(())
}

pub(super) async fn paused_function_is_not_waited_for(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f", "g"]).await?;
    let paused = store.start("e-1", "f").await?;
    store.start("e-2", "g").await?;
    let mut later = event("e-3", "g");
    later.due_at = at(100);
    store.publish_all(vec![later], at(0)).await?;
    let functions: Vec<Arc<str>> = vec!["f".into(), "g".into()];
    assert_eq!(store.backlog(&functions, at(0), 10).await?, [1, 1]);
    store.pause("f", at(0)).await?;
    assert_eq!(store.backlog(&functions, at(0), 10).await?, [0, 1]);
    let named = Claim::new(capacity(worker, 100, &["f"]), at(0)).with_only(paused);
    assert_eq!(store.claim(named).await?.next_due, None);
    let all = store.take(worker, &["f", "g"], at(0)).await?;
    assert_eq!((all.runs.len(), all.next_due), (1, Some(at(100))));
    let alone = store.take(worker, &["f"], at(0)).await?;
    assert_eq!((alone.runs.len(), alone.next_due), (0, None));
    let others = store.take(worker, &["g"], at(0)).await?;
    assert!(others.unknown_functions.is_empty());
    let unread = FunctionCapacity::new("f", 1).with_event_types(["another"]);
    let claim = Claim::new(Capacity::new(worker, 1, [unread]), at(0));
    assert!(store.claim(claim).await?.unknown_types.is_empty());
    store.resume("f", at(0)).await?;
    assert_eq!(store.backlog(&functions, at(0), 10).await?, [1, 0]);
    let others = store.take(worker, &["g"], at(0)).await?;
    assert_eq!(others.unknown_functions, [Arc::from("f")]);
    Ok(())
}

pub(super) async fn functions_tell_of_a_pause(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.worker(&["f"]).await?;
    for id in ["e-1", "e-2"] {
        store.start(id, "f").await?;
    }
    store.pause("f", at(5)).await?;
    store.pause("nobody's", at(6)).await?;
    let known = FunctionRecord::new("f")
        .with_event_types(vec!["f".into()])
        .with_living(true)
        .with_unfinished(2);
    let unknown = FunctionRecord::new("nobody's");
    assert_eq!(
        store.functions(at(7), 10).await?,
        [
            known.clone().with_paused_at(Some(at(5))),
            unknown.with_paused_at(Some(at(6)))
        ]
    );
    store.resume("f", at(8)).await?;
    store.resume("nobody's", at(8)).await?;
    assert_eq!(store.functions(at(9), 10).await?, [known]);
    Ok(())
}

pub(super) async fn runs_of_a_paused_function_change_as_ever(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let waits = !keeps_none(&bench);
    let waiting = if waits {
        Some(store.wait(worker, "waits", vec![payment(0, "a")]).await?)
    } else {
        None
    };
    let (cancelled, rerun) = (store.start("c", "f").await?, store.start("r", "f").await?);
    store.pause("f", at(1)).await?;
    for run in [&cancelled, &rerun] {
        assert!(store.cancel(run, at(2)).await?);
    }
    let again = crate::store::Rerun::new(Arc::clone(&rerun), at(3));
    assert!(store.rerun(again).await?);
    assert_eq!(store.purge(at(3), 10).await?.runs, 1);
    assert!(store.run(&cancelled).await?.is_none());
    if let Some(waiting) = &waiting {
        store.publish_one(keyed("p", "paid", "a"), at(4)).await?;
        let record = store.record(waiting).await?;
        assert!(record.due_at.is_some(), "it has heard of it");
    }
    assert!(store.take(worker, &["f"], at(5)).await?.runs.is_empty());
    store.resume("f", at(6)).await?;
    let mut claimed = store.take(worker, &["f"], at(6)).await?.runs;
    claimed.retain(|run| run.run_id != rerun);
    let arrived = claimed.first().map(|run| run.arrivals.len());
    assert_eq!(
        (claimed.len(), arrived),
        (usize::from(waits), waits.then_some(1))
    );
    Ok(())
}

pub(super) async fn pause_holds_at_once_everywhere(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let (first, second) = (store.worker(&["f"]).await?, other.worker(&["f"]).await?);
    let mut started = 0;
    for round in 0..5 {
        let next = |place: &str| event(&format!("{place}-{round}"), "f");
        // Each has published before, and may remember something.
        for (client, worker, place) in [(store, first, "a"), (&other, second, "b")] {
            let leased = client.publish_and_take(worker, &["f"], next(place)).await?;
            assert_eq!(leased.len(), 1, "round {round}");
        }
        store.pause("f", at(0)).await?;
        let leased = other.publish_and_take(second, &["f"], next("c")).await?;
        assert!(leased.is_empty(), "round {round}");
        assert!(other.take(second, &["f"], at(0)).await?.runs.is_empty());
        let leased = store.publish_and_take(first, &["f"], next("d")).await?;
        assert!(leased.is_empty(), "round {round}");
        other.resume("f", at(0)).await?;
        started += store.take(first, &["f"], at(0)).await?.runs.len();
    }
    assert_eq!(started, 10, "what waited came after each pause");
    Ok(())
}

pub(super) async fn pause_outlives_sessions(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.pause("f", at(0)).await?;
    let first = store.worker(&["f"]).await?;
    let leased = store
        .publish_and_take(first, &["f"], event("e", "f"))
        .await?;
    assert!(leased.is_empty());
    store.deregister(first, at(1)).await?;
    let again = bench.another().await?;
    let second = again.worker(&["f"]).await?;
    assert!(again.take(second, &["f"], at(1)).await?.runs.is_empty());
    let record = again.function("f").await?.expect("it is known");
    assert_eq!(record.paused_at, Some(at(0)));
    again.resume("f", at(2)).await?;
    again.take_one(second, &["f"], at(2)).await?;
    Ok(())
}

pub(super) async fn resume_wakes_another_client(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = other.worker(&["f"]).await?;
    store.pause("f", at(0)).await?;
    store.start("e", "f").await?;
    // Several times, since the first look may only note the current state.
    for _ in 0..3 {
        let waiting = {
            let other = other.clone();
            tokio::spawn(async move { other.woken().await })
        };
        tokio::time::timeout(SOON, async {
            while !waiting.is_finished() {
                store.pause("f", at(0)).await?;
                store.resume("f", at(0)).await?;
                tokio::task::yield_now().await;
            }
            Result::Ok(())
        })
        .await
        .expect("the other client is woken")?;
    }
    other.take_one(worker, &["f"], at(0)).await?;
    Ok(())
}

pub(super) async fn pause_and_resume_are_idempotent(bench: Bench) -> Result<()> {
    let store = &bench.store;
    assert!(!store.resume("f", at(0)).await?, "it was not paused");
    assert!(store.pause("f", at(1)).await?);
    assert!(!store.pause("f", at(2)).await?, "it was paused before");
    let record = store.function("f").await?.expect("it is paused");
    assert_eq!(record.paused_at, Some(at(1)), "since the first time");
    assert!(!store.resume("F", at(3)).await?, "that is another one");
    assert!(store.resume("f", at(3)).await?);
    assert!(!store.resume("f", at(4)).await?);
    assert!(store.pause("f", at(5)).await?);
    let record = store.function("f").await?.expect("it is paused");
    assert_eq!(record.paused_at, Some(at(5)));
    Ok(())
}

pub(super) async fn forget_ends_the_pause(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    for function in ["f", "nobody's"] {
        store.pause(function, at(0)).await?;
    }
    let living = store.forget("f", at(1), 10).await;
    living.expect_err("somebody has it");
    let record = store.function("f").await?.expect("it is known");
    assert_eq!(record.paused_at, Some(at(0)), "it was not forgotten");
    store.deregister(worker, at(1)).await?;
    for function in ["f", "nobody's"] {
        store.forget(function, at(2), 10).await?;
    }
    assert!(store.functions(at(2), 10).await?.is_empty());
    assert_eq!(store.record(&run).await?.status, RunStatus::Cancelled);
    let back = store.worker(&["f"]).await?;
    let leased = store.publish_and_take(back, &["f"], event("e-2", "f"));
    assert_eq!(leased.await?.len(), 1);
    Ok(())
}
