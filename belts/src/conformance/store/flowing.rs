//! Flow options that skip events or spread the starts of runs, applied by a publish and by `route`.

use std::{sync::Arc, time::Duration};

use super::bench::{Bench, Client, LEASE, at, event, ok, subscription};
use crate::{
    error::Result,
    store::{
        ClaimedRun, CommitOutcome, Flow, Limits, Mark, NewEvent, Once, PublishedRun, Rate,
        Register, Rerun, Route, Routed, Routing, RunRecord, RunStatus, Singleton, Skipped,
        SkippedBy, Then, Timestamp, Transition, WorkerId,
    },
};

/// How many events of each kind several clients publish at once.
const EACH: usize = 6;

/// Whether the store has nothing to be tested here.
pub(super) fn has_none(bench: &Bench) -> bool {
    !bench.store.capabilities().flow
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn flowing(id: &str, flow: &Flow, now: Timestamp) -> NewEvent {
    let payload = format!("{{\"id\":\"{id}\"}}").into_bytes();
    NewEvent::new(id, "f", payload, now).with_flows(vec![("f".into(), flow.clone())])
}

impl Client {
    /// Publishes an event for the function `f`; what became of its run.
    pub(super) async fn flow(&self, id: &str, flow: &Flow, now: Timestamp) -> Result<PublishedRun> {
        let events = vec![flowing(id, flow, now)];
        let mut published = self.publish_all(events, now).await?.remove(0);
        assert!(!published.duplicate);
        assert_eq!(published.runs.len(), 1, "one function has one answer");
        Ok(published.runs.remove(0))
    }

    /// The runs of `f` that a claim brings.
    pub(super) async fn due_runs(
        &self,
        worker: WorkerId,
        now: Timestamp,
    ) -> Result<Vec<ClaimedRun>> {
        Ok(self.take(worker, &["f"], now).await?.runs)
    }

    async fn complete(&self, run: &ClaimedRun, now: Timestamp) -> Result<()> {
        let end = Some(Transition::complete(ok("1")));
        self.must_write(run.lease, Vec::new(), end, now).await
    }
}

fn idempotent() -> Flow {
    Flow::new().with_idempotent(Once::new("k", secs(60)))
}

fn singleton(then: Then) -> Flow {
    Flow::new().with_singleton(Singleton::new("k", then))
}

fn skipped(run: &PublishedRun) -> Option<(SkippedBy, Option<&str>)> {
    run.skipped()
        .map(|skipped| (skipped.by, skipped.run_id.as_deref()))
}

pub(super) async fn flow_is_applied_once_by_publish_or_by_route(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let first = store.flow("a", &idempotent(), at(0)).await?;
    assert_eq!((first.routed, first.lease), (None, None));
    let run = store.take_one(worker, &["f"], at(0)).await?;
    assert_eq!((&run.run_id, run.routing), (&first.run_id, Routing::Done));
    let route = Route::new(run.lease, "f", idempotent(), at(0));
    assert_eq!(store.route(route).await?, Routed::Starts, "it was applied");
    // Of a publisher that does not know the function.
    store.publish_all(vec![event("b", "f")], at(1)).await?;
    let run = store.take_one(worker, &["f"], at(1)).await?;
    assert_eq!(run.routing, Routing::Not);
    let routed = store
        .route(Route::new(run.lease, "f", idempotent(), at(1)))
        .await?;
    let other = Skipped::new(SkippedBy::Idempotent).with_run(Some(first.run_id));
    assert_eq!(routed, Routed::Skipped(other));
    let late = store.write(run.lease, Vec::new(), None, at(2)).await?;
    assert_eq!(late, CommitOutcome::LeaseLost, "it has ended");
    Ok(())
}

pub(super) async fn route_is_refused_with_its_lease(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.publish_all(vec![event("a", "f")], at(0)).await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    store.cancel(&run.run_id, at(1)).await?;
    let routed = store
        .route(Route::new(run.lease, "f", idempotent(), at(1)))
        .await?;
    assert_eq!(routed, Routed::LeaseLost);
    let next = store.flow("b", &idempotent(), at(2)).await?;
    assert_eq!(next.routed, None, "it has taken no key");
    Ok(())
}

pub(super) async fn idempotent_key_is_taken_from_its_first_publish_on(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let first = store.flow("a", &idempotent(), at(0)).await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    let fail = Some(Transition::fail(1, ok("0")));
    store
        .must_write(run.lease, Vec::new(), fail, at(1_000))
        .await?;
    let again = store.flow("b", &idempotent(), at(59_999)).await?;
    let there = Some((SkippedBy::Idempotent, Some(&*first.run_id)));
    assert_eq!(skipped(&again), there, "whatever became of the run");
    let other = Flow::new().with_idempotent(Once::new("l", secs(60)));
    assert_eq!(
        store.flow("c", &other, at(59_999)).await?.routed,
        None,
        "of another key"
    );
    let later = store.flow("d", &idempotent(), at(60_000)).await?;
    assert_eq!(later.routed, None, "the time is over");
    Ok(())
}

pub(super) async fn rate_limit_skips_what_is_over(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    store.worker(&["f"]).await?;
    let rate = |key: &str| Rate::new(key, 3, secs(30)).with_burst(3);
    let flow = |key| Flow::new().with_rate_limit(rate(key));
    let mut passed = Vec::new();
    for (n, now) in [0, 0, 1, 2, 9_999, 10_000, 10_001, 40_000, 40_000, 40_000]
        .into_iter()
        .enumerate()
    {
        let run = store.flow(&format!("e{n}"), &flow("k"), at(now)).await?;
        passed.push(run.routed.is_none());
        if run.routed.is_some() {
            assert_eq!(skipped(&run), Some((SkippedBy::RateLimit, None)));
        }
    }
    let expected = [
        true, true, true, false, false, true, false, true, true, true,
    ];
    assert_eq!(passed, expected);
    assert_eq!(store.flow("other", &flow("l"), at(2)).await?.routed, None);
    // A clock that was a day ahead has kept nothing that stops others for a day.
    let day = 86_400_000;
    store.flow("ahead", &flow("m"), at(day)).await?;
    let back = store.flow("back", &flow("m"), at(0)).await?;
    assert_eq!(back.routed, None);
    Ok(())
}

pub(super) async fn skipped_run_is_on_record(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let first = store.flow("a", &idempotent(), at(0)).await?;
    let second = store.flow("b", &idempotent(), at(1)).await?;
    let record = store.record(&second.run_id).await?;
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_eq!((record.started_at, record.finished_at), (None, Some(at(1))));
    let why = format!("skipped by idempotent: run {}", first.run_id);
    assert_eq!(record.why().as_deref(), Some(&*why));
    let said = record.result.as_deref().unwrap_or_default();
    let said = String::from_utf8_lossy(said).into_owned();
    assert!(said.contains("skipped by `idempotent`"), "{said}");
    assert_eq!(store.due_runs(worker, at(2)).await?.len(), 1);
    let known = store
        .publish_all(vec![flowing("b", &idempotent(), at(3))], at(3))
        .await?;
    assert!(known[0].duplicate, "its event is known");
    // Who runs it again means it.
    let rerun = Rerun::new(Arc::clone(&second.run_id), at(4));
    assert!(store.rerun(rerun).await?);
    let run = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!((run.run_id, run.routing), (second.run_id, Routing::Done));
    Ok(())
}

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

pub(super) async fn throttle_spreads_starts(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let rate = Rate::new("k", 60, secs(60)).with_burst(2);
    let flow = Flow::new().with_throttle(rate);
    let mut waits = Vec::new();
    let mut ids = Vec::new();
    for n in 0..5 {
        let run = store.flow(&format!("e{n}"), &flow, at(0)).await?;
        waits.push(match run.routed {
            Some(Routed::Waits { until }) => until,
            other => {
                assert_eq!(other, None);
                None
            }
        });
        ids.push(run.run_id);
    }
    let expected = [
        None,
        None,
        Some(at(1_000)),
        Some(at(2_000)),
        Some(at(3_000)),
    ];
    assert_eq!(waits, expected);
    let record = store.record(&ids[3]).await?;
    assert_eq!(
        (record.status, record.due_at),
        (RunStatus::Pending, Some(at(2_000)))
    );
    let why = format!("throttled until {}", at(2_000));
    assert_eq!(record.why().as_deref(), Some(&*why));
    // By `route` it is the same.
    store
        .publish_all(vec![event("unrouted", "f")], at(0))
        .await?;
    for run in store.due_runs(worker, at(0)).await? {
        if run.routing == Routing::Not {
            let routed = store
                .route(Route::new(run.lease, "f", flow.clone(), at(0)))
                .await?;
            assert_eq!(routed, Routed::waits(Some(at(4_000))));
            let record = store.record(&run.run_id).await?;
            assert_eq!(
                (record.started_at, record.status),
                (None, RunStatus::Pending)
            );
        } else {
            store.complete(&run, at(0)).await?;
        }
    }
    assert_eq!(store.due_runs(worker, at(999)).await?.len(), 0);
    let run = store.take_one(worker, &["f"], at(1_000)).await?;
    assert_eq!(
        (run.run_id, run.routing),
        (Arc::clone(&ids[2]), Routing::Done)
    );
    Ok(())
}

/// Many clients publish at once: each limit holds as if they had come one after the other.
pub(super) async fn limits_of_flow_hold_at_once(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    bench.store.worker(&["f"]).await?;
    let flows = [
        (
            "once",
            Flow::new().with_idempotent(Once::new("k", secs(60))),
        ),
        (
            "single",
            Flow::new().with_singleton(Singleton::new("s", Then::Skip)),
        ),
        (
            "rate",
            Flow::new().with_rate_limit(Rate::new("r", 5, secs(3_600)).with_burst(5)),
        ),
        (
            "throttle",
            Flow::new().with_throttle(Rate::new("t", 1, secs(1))),
        ),
    ];
    let mut tasks = Vec::new();
    for client in 0..4 {
        let store = bench.another().await?;
        let flows = flows.clone();
        tasks.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for n in 0..EACH {
                for (name, flow) in &flows {
                    let id = format!("{name}-{client}-{n}");
                    answers.push((*name, store.flow(&id, flow, at(0)).await?));
                }
            }
            Ok::<_, crate::Error>(answers)
        }));
    }
    let mut passed = std::collections::BTreeMap::<&str, usize>::new();
    let mut times = Vec::new();
    for task in tasks {
        for (name, run) in task.await.expect("publishing does not panic")? {
            if name == "throttle" {
                let record = bench.store.record(&run.run_id).await?;
                times.push(record.due_at);
            }
            *passed.entry(name).or_default() += usize::from(run.skipped().is_none());
        }
    }
    assert_eq!(
        (passed["once"], passed["single"], passed["rate"]),
        (1, 1, 5)
    );
    times.sort_unstable();
    let turns = 0..i64::try_from(4 * EACH).unwrap_or(0);
    let expected: Vec<_> = turns.map(|turn| Some(at(turn * 1_000))).collect();
    assert_eq!(times, expected, "each has a turn of its own");
    let mark = |record: RunRecord| record.mark;
    let mut page = bench
        .store
        .list(crate::store::RunFilter::default())
        .await?
        .runs;
    let skipped = page.drain(..).filter_map(mark);
    let skipped = skipped.filter(|mark| matches!(mark, Mark::Skipped(_)));
    assert!(skipped.count() > 0);
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
