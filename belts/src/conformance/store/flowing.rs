//! Flow options that skip events or spread the starts of runs, applied by a publish and by `route`.

use std::{sync::Arc, time::Duration};

use super::bench::{Bench, Client, at, event, ok};
use crate::{
    error::Result,
    store::{
        ClaimedRun, CommitOutcome, Flow, Mark, NewEvent, Once, PublishedRun, Rate, Rerun, Route,
        Routed, Routing, RunRecord, RunStatus, Singleton, Skipped, SkippedBy, Then, Timestamp,
        Transition, WorkerId,
    },
};

/// How many events of each kind several clients publish at once.
pub(super) const EACH: usize = 6;

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

    pub(super) async fn complete(&self, run: &ClaimedRun, now: Timestamp) -> Result<()> {
        let end = Some(Transition::complete(ok("1")));
        self.must_write(run.lease, Vec::new(), end, now).await
    }
}

fn idempotent() -> Flow {
    Flow::new().with_idempotent(Once::new("k", secs(60)))
}

pub(super) fn singleton(then: Then) -> Flow {
    Flow::new().with_singleton(Singleton::new("k", then))
}

pub(super) fn skipped(run: &PublishedRun) -> Option<(SkippedBy, Option<&str>)> {
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
