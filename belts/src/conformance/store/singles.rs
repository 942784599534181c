//! One live run of a key at a time: singletons, which skip, replace or queue.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, LEASE, at, event, ok, subscription},
    flowing::{EACH, has_none, secs, singleton, skipped},
};
use crate::{
    error::Result,
    store::{
        Limits, Register, Route, Routed, Routing, RunRecord, RunStatus, Skipped, SkippedBy, Then,
        Transition, WorkerId,
    },
};

pub(super) async fn singleton_skips_while_one_is_live(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let flow = singleton(Then::Skip);
    let first = store.flow("a", &flow, at(0)).await?;
    let live = Some((SkippedBy::Singleton, Some(&*first.run_id)));
    let second = store.flow("b", &flow, at(1)).await?;
    assert_eq!(skipped(&second), live, "it waits to be claimed");
    let run = store.take_one(worker, &["f"], at(2)).await?;
    assert_eq!(skipped(&store.flow("c", &flow, at(3)).await?), live);
    let sleep = Some(Transition::suspend(at(60_000)));
    store
        .must_write(run.lease, Vec::new(), sleep, at(4))
        .await?;
    assert_eq!(
        skipped(&store.flow("d", &flow, at(5)).await?),
        live,
        "it sleeps"
    );
    let run = store.take_one(worker, &["f"], at(60_000)).await?;
    store.complete(&run, at(60_001)).await?;
    let next = store.flow("e", &flow, at(60_002)).await?;
    assert_eq!(next.routed, None);
    Ok(())
}

pub(super) async fn singleton_replaces_the_live_one(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let flow = singleton(Then::Replace);
    let first = store.flow("a", &flow, at(0)).await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    let second = store.flow("b", &flow, at(1)).await?;
    assert_eq!(second.routed, None);
    let record = store.record(&first.run_id).await?;
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_eq!(store.revoked(&[run.lease]).await?, [run.lease]);
    let third = store.flow("c", &flow, at(2)).await?;
    let waiting = store.due_runs(worker, at(3)).await?;
    let waiting: Vec<_> = waiting.iter().map(|run| &run.run_id).collect();
    assert_eq!(waiting, [&third.run_id], "the newest alone");
    // One of a publisher that does not know the function is routed after the run of a later event.
    let old = event("old", "f");
    let old = store.publish_all(vec![old], at(4)).await?.remove(0);
    let old = Arc::clone(&old.runs[0].run_id);
    let later = store.flow("later", &flow, at(5)).await?;
    for run in store.due_runs(worker, at(6)).await? {
        if run.run_id == old {
            let route = Route::new(run.lease, "f", flow.clone(), at(6));
            let skipped =
                Skipped::new(SkippedBy::Singleton).with_run(Some(Arc::clone(&later.run_id)));
            assert_eq!(store.route(route).await?, Routed::Skipped(skipped));
        }
    }
    let record = store.record(&later.run_id).await?;
    assert!(!record.status.is_finished(), "the later event's stays");
    Ok(())
}

/// What ends a run while others of its singleton wait.
async fn end(
    store: &Client,
    worker: WorkerId,
    run_id: &Arc<str>,
    how: usize,
    now: i64,
) -> Result<()> {
    match how {
        0 => {
            let run = store.take_one(worker, &["f"], at(now)).await?;
            assert_eq!(run.run_id, *run_id, "one at a time, in their order");
            store.complete(&run, at(now)).await
        }
        1 => {
            assert!(store.cancel(run_id, at(now)).await?);
            Ok(())
        }
        2 => {
            let run = store.take_one(worker, &["f"], at(now)).await?;
            let fail = Some(Transition::fail(1, ok("0")));
            store.must_write(run.lease, Vec::new(), fail, at(now)).await
        }
        _ => {
            // Its time is over, and so is that of those that came later, but for the last.
            store.expire(at(now), 1).await.map(drop)
        }
    }
}

pub(super) async fn singleton_queues_until_the_end(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let wants = vec![subscription("f", &["f"])];
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(wants)
        .with_limits(vec![Limits::new("f").with_finish_within(secs(3_600))]);
    let worker = store.register(register).await?;
    let flow = singleton(Then::Queue);
    let mut runs = Vec::new();
    for n in 0..5 {
        let run = store.flow(&format!("e{n}"), &flow, at(n)).await?;
        assert_eq!(run.routed, (n > 0).then(|| Routed::waits(None)));
        runs.push(run.run_id);
    }
    let record = store.record(&runs[1]).await?;
    assert_eq!((record.due_at, record.status), (None, RunStatus::Suspended));
    assert!(record.why().is_some_and(|why| why.contains("singleton")));
    // One in the middle of the line leaves it.
    assert!(store.cancel(&runs[3], at(10)).await?);
    let before_the_end = [at(20), at(21), at(22)];
    for (how, now) in before_the_end.into_iter().enumerate() {
        let due = |record: &RunRecord| record.due_at.is_some_and(|due_at| due_at <= now);
        let place = [0, 1, 2][how];
        assert!(due(&store.record(&runs[place]).await?), "{how}");
        if place + 1 < 3 {
            assert!(!due(&store.record(&runs[place + 1]).await?), "{how}");
        }
        let now = 20 + i64::try_from(how).unwrap_or(0);
        end(store, worker, &runs[place], how, now).await?;
    }
    let last = store.take_one(worker, &["f"], at(23)).await?;
    assert_eq!((&last.run_id, last.routing), (&runs[4], Routing::Held));
    Ok(())
}

pub(super) async fn end_of_time_lets_the_next_of_a_singleton_go_on(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![subscription("f", &["f"])])
        .with_limits(vec![Limits::new("f").with_finish_within(secs(60))]);
    let worker = store.register(register).await?;
    let flow = singleton(Then::Queue);
    let first = store.flow("a", &flow, at(0)).await?;
    let second = store.flow("b", &flow, at(1_000)).await?;
    end(store, worker, &first.run_id, 3, 60_000).await?;
    let next = store.take_one(worker, &["f"], at(60_500)).await?;
    assert_eq!(next.run_id, second.run_id);
    Ok(())
}

/// Clients publish while others end runs of the line: each goes on, one at a time, and the line never stands still.
pub(super) async fn line_of_a_singleton_goes_on_at_once(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut tasks = Vec::new();
    for client in 0..3 {
        let store = bench.another().await?;
        tasks.push(tokio::spawn(async move {
            for n in 0..EACH {
                let id = format!("q-{client}-{n}");
                store.flow(&id, &singleton(Then::Queue), at(0)).await?;
            }
            Ok::<_, crate::Error>(())
        }));
    }
    let mut ended = 0;
    loop {
        let is_over = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let due = store.due_runs(worker, at(1)).await?;
        assert!(due.len() <= 1, "one at a time: {}", due.len());
        match due.first() {
            Some(run) if ended % 3 == 2 => {
                assert!(store.cancel(&run.run_id, at(1)).await?);
            }
            Some(run) => store.complete(run, at(1)).await?,
            None if is_over => break,
            None => tokio::task::yield_now().await,
        }
        ended += due.len();
    }
    for task in tasks {
        task.await.expect("publishing does not panic")?;
    }
    assert_eq!(ended, 3 * EACH, "the line has an end");
    Ok(())
}
