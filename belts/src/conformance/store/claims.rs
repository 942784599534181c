//! Which runs a claim returns, and what it says about the others.

use std::sync::Arc;

use super::bench::{Bench, at, entry, event, ok, subscription, targeted};
use crate::{
    error::Result,
    store::{Capacity, Claim, FunctionCapacity, Publish, Transition, UnknownType},
};

pub(super) async fn claim_brings_the_journal(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
    store
        .must_write(
            lease,
            vec![entry(2, "c", "3"), entry(0, "a", "1")],
            None,
            at(1),
        )
        .await?;
    let release = Some(Transition::suspend(at(2)));
    store
        .must_write(lease, vec![entry(1, "b", "2")], release, at(2))
        .await?;
    let again = store.take_one(worker, &["f"], at(2)).await?;
    assert_eq!(
        again.journal,
        [entry(0, "a", "1"), entry(1, "b", "2"), entry(2, "c", "3")]
    );
    assert_eq!(again.journal, store.journal(&again.run_id).await?);
    Ok(())
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) async fn claim_brings_the_run(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f", "g"]).await?;
    let mut with_retries = event("e-1", "f");
    with_retries.retries = Some(0);
    with_retries.traceparent = Some(TRACEPARENT.into());
    with_retries.payload = Arc::from("{\"ü\":\"\\u0000\"}".as_bytes());
    let published = store
        .publish_all(vec![with_retries, event("e-2", "g")], at(3))
        .await?;
    let runs = store.take(worker, &["f", "g"], at(5)).await?.runs;
    let run = runs
        .iter()
        .find(|run| &*run.function_id == "f")
        .expect("the run of f is due");
    assert_eq!(run.run_id, published[0].runs[0].run_id);
    assert_eq!((&*run.event_id, &*run.event_type), ("e-1", "f"));
    assert_eq!(&*run.payload, "{\"ü\":\"\\u0000\"}".as_bytes());
    assert_eq!(
        (run.failed_attempts, run.retries, run.started_at),
        (0, Some(0), at(5))
    );
    assert_eq!(run.traceparent.as_deref(), Some(TRACEPARENT));
    assert!(run.journal.is_empty());
    let other = runs
        .iter()
        .find(|run| &*run.function_id == "g")
        .expect("the run of g is due");
    assert_eq!(other.retries, None, "no retries were said");
    assert_eq!(other.traceparent, None, "no span was named");
    let retry = Transition::retry(at(9), 2, ok("null"));
    store
        .must_write(run.lease, Vec::new(), Some(retry), at(6))
        .await?;
    let again = store.take_one(worker, &["f"], at(9)).await?;
    assert_eq!(
        (again.failed_attempts, again.retries, again.started_at),
        (2, Some(0), at(5))
    );
    Ok(())
}

pub(super) async fn claim_respects_limits(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["a", "b", "c"]).await?;
    let due = [
        ("a", 40),
        ("b", 10),
        ("a", 20),
        ("b", 30),
        ("c", 1),
        ("a", 60),
        ("b", 50),
        ("a", 90),
    ];
    let events = due.iter().map(|(function, due_at)| {
        let mut event = event(&due_at.to_string(), function);
        event.due_at = at(*due_at);
        event
    });
    store.publish_all(events.collect(), at(0)).await?;
    let claim = |limit, a, b, now| {
        let function = |id: &str, limit| FunctionCapacity::new(id, limit);
        let functions = [function("b", b), function("a", a), function("unknown", 5)];
        Claim::new(Capacity::new(worker, limit, functions), at(now))
    };
    let events_of = |claimed: &crate::store::Claimed| -> Vec<i64> {
        claimed
            .runs
            .iter()
            .map(|run| run.event_id.parse().expect("the ids are numbers"))
            .collect()
    };
    let first = store.claim(claim(2, 5, 5, 70)).await?;
    assert_eq!(
        events_of(&first),
        [10, 20],
        "the longest due first, over all functions"
    );
    assert_eq!(first.next_due, Some(at(30)));
    let none = store.claim(claim(0, 5, 5, 70)).await?;
    assert!(none.runs.is_empty());
    let second = store.claim(claim(9, 1, 0, 70)).await?;
    assert_eq!(events_of(&second), [40], "one of a, none of b");
    assert_eq!(
        second.next_due,
        Some(at(30)),
        "b has one due that was not claimed"
    );
    let third = store.claim(claim(9, 9, 9, 70)).await?;
    assert_eq!(
        events_of(&third),
        [30, 50, 60],
        "nothing that is not due, nothing of c"
    );
    assert_eq!(third.next_due, Some(at(90)));
    Ok(())
}

pub(super) async fn claim_reports_the_next_due_time(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f", "g"]).await?;
    assert_eq!(store.take(worker, &["f"], at(0)).await?.next_due, None);
    let later = |id: &str, function, due_at| {
        let mut event = event(id, function);
        event.due_at = at(due_at);
        event
    };
    store
        .publish_all(
            vec![
                later("1", "f", 500),
                later("2", "f", 300),
                later("3", "g", 100),
            ],
            at(0),
        )
        .await?;
    assert_eq!(
        store.take(worker, &["f"], at(0)).await?.next_due,
        Some(at(300))
    );
    assert_eq!(
        store.take(worker, &["f", "g"], at(0)).await?.next_due,
        Some(at(100))
    );
    let claimed = store.take(worker, &["f"], at(300)).await?;
    assert_eq!((claimed.runs.len(), claimed.next_due), (1, Some(at(500))));
    let run = Arc::clone(&claimed.runs[0].run_id);
    store
        .must_write(
            claimed.runs[0].lease,
            vec![],
            Some(Transition::suspend(at(900))),
            at(301),
        )
        .await?;
    let capacity = super::bench::capacity(worker, 100, &["f"]);
    let named = store
        .claim(Claim::new(capacity, at(302)).with_only(run))
        .await?;
    assert_eq!(
        (named.runs.len(), named.next_due),
        (1, Some(at(500))),
        "by name, and the next of the others"
    );
    Ok(())
}

pub(super) async fn claim_names_unknown_functions(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f", "g", "later"]).await?;
    let mut later = event("e-3", "later");
    later.due_at = at(100);
    let events = vec![
        event("e-1", "f"),
        event("e-2", "g"),
        later,
        targeted("e-4", "h", None),
    ];
    store.publish_all(events, at(0)).await?;
    let claimed = store.take(worker, &["f"], at(0)).await?;
    assert_eq!(claimed.runs.len(), 1);
    let mut unknown: Vec<&str> = claimed.unknown_functions.iter().map(|id| &**id).collect();
    unknown.sort_unstable();
    assert_eq!(unknown, ["g", "h"]);
    assert_eq!(claimed.next_due, None, "what others run is not waited for");
    let all = store.take(worker, &["f", "g", "h"], at(0)).await?;
    assert!(all.unknown_functions.is_empty());
    assert_eq!(all.runs.len(), 2, "they were left for who knows them");
    Ok(())
}

pub(super) async fn claim_is_fair_between_functions(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["busy", "quiet", "third"]).await?;
    let mut events: Vec<_> = (0..40)
        .map(|number| event(&format!("busy-{number}"), "busy"))
        .collect();
    for (id, function) in [
        ("quiet-0", "quiet"),
        ("quiet-1", "quiet"),
        ("third-0", "third"),
    ] {
        let mut event = event(id, function);
        event.due_at = at(1_000);
        events.push(event);
    }
    store.publish_all(events, at(0)).await?;
    let claim = Claim::new(
        super::bench::capacity(worker, 8, &["busy", "quiet", "third"]),
        at(2_000),
    );
    let claimed = store.claim(claim.clone()).await?;
    let of = |function: &str| {
        claimed
            .runs
            .iter()
            .filter(|run| &*run.function_id == function)
            .count()
    };
    assert_eq!((of("busy"), of("quiet"), of("third")), (5, 2, 1));
    assert_eq!(claimed.next_due, Some(at(0)));
    assert_eq!(store.claim(claim).await?.runs.len(), 8, "alone it gets all");
    Ok(())
}

pub(super) async fn claim_skips_unreadable_event_types(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let old = store
        .subscribe(vec![subscription("f", &["placed"])])
        .await?;
    let new = other
        .subscribe(vec![subscription("f", &["placed", "returned"])])
        .await?;
    let mut later = event("later", "returned");
    later.due_at = at(500);
    let events = vec![event("1", "returned"), event("2", "placed"), later];
    let published = store.publish_all(events, at(0)).await?;
    let reading = |worker, types: &[&str]| {
        let types: Vec<Arc<str>> = types.iter().map(|name| Arc::from(*name)).collect();
        let function = FunctionCapacity::new("f", 10).with_event_types(types);
        Capacity::new(worker, 10, [function])
    };
    let claim = |capacity, only| Claim {
        capacity,
        only,
        max_bytes: usize::MAX,
        now: at(1),
    };
    let claimed = store.claim(claim(reading(old, &["placed"]), None)).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(&*claimed.runs[0].event_id, "2");
    assert_eq!(
        claimed.next_due, None,
        "what it cannot read is not waited for"
    );
    let unknown = UnknownType::new("f", "returned");
    assert_eq!(claimed.unknown_types, [unknown]);
    assert!(claimed.unknown_functions.is_empty());
    let left = Arc::clone(&published[0].runs[0].run_id);
    let named = claim(reading(old, &["placed"]), Some(Arc::clone(&left)));
    assert!(
        store.claim(named).await?.runs.is_empty(),
        "not by name either"
    );
    let claimed = other
        .claim(claim(reading(new, &["placed", "returned"]), None))
        .await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(claimed.runs[0].run_id, left);
    assert_eq!(claimed.next_due, Some(at(500)));
    assert!(claimed.unknown_types.is_empty());
    // A publish with a claim behaves the same.
    let publish =
        Publish::new(vec![event("3", "returned")], at(2)).with_claim(reading(old, &["placed"]));
    assert!(store.publish(publish).await?[0].runs[0].lease.is_none());
    Ok(())
}

pub(super) async fn claim_is_bounded_in_bytes(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let json = format!("{{\"a\":\"{}\"}}", "x".repeat(10_000));
    for number in 0..3 {
        let mut event = event(&format!("e-{number}"), "f");
        event.payload = json.clone().into_bytes().into();
        store.publish_all(vec![event], at(0)).await?;
    }
    let claim = |max_bytes| {
        Claim::new(super::bench::capacity(worker, 10, &["f"]), at(1)).with_max_bytes(max_bytes)
    };
    let one = store.claim(claim(1)).await?;
    assert_eq!(one.runs.len(), 1, "one run at least");
    assert_eq!(one.next_due, Some(at(0)), "the others are due still");
    // Its journal counts as well.
    let big = entry(0, "a", &format!("\"{}\"", "y".repeat(20_000)));
    let release = Some(Transition::suspend(at(0)));
    store
        .must_write(one.runs[0].lease, vec![big], release, at(1))
        .await?;
    let two = store.claim(claim(25_000)).await?;
    assert!(
        (1..=2).contains(&two.runs.len()),
        "{} runs of 10 or 30 kB each",
        two.runs.len()
    );
    let bytes = |claimed: &crate::store::Claimed| -> usize {
        let runs = claimed.runs.iter();
        runs.map(|run| {
            run.payload.len()
                + run
                    .journal
                    .iter()
                    .map(|entry| entry.value.len())
                    .sum::<usize>()
        })
        .sum()
    };
    assert!(two.runs.len() == 1 || bytes(&two) <= 25_000);
    let rest = store.claim(claim(usize::MAX)).await?;
    assert_eq!(two.runs.len() + rest.runs.len(), 3, "nothing is lost");
    Ok(())
}
