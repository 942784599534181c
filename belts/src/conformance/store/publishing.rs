//! Events and the runs that they start.

use std::{collections::HashSet, sync::Arc};

use super::bench::{Bench, at, capacity, event, subscription, targeted};
use crate::{
    error::Result,
    store::{
        Capacity, EventDigest, FunctionCapacity, Publish, PublishedEvent, RunFilter, RunStatus,
        Target,
    },
};

fn functions(published: &PublishedEvent) -> Vec<&str> {
    published.runs.iter().map(|run| &*run.function_id).collect()
}

pub(super) async fn publish_twice_is_one_event(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store
        .subscribe(vec![subscription("b", &["t"]), subscription("a", &["t"])])
        .await?;
    let first = store
        .publish_all(
            vec![event("e", "t"), event("e", "t"), event("e-2", "t")],
            at(0),
        )
        .await?;
    assert_eq!(
        first
            .iter()
            .map(|event| event.duplicate)
            .collect::<Vec<_>>(),
        [false, true, false]
    );
    let again = store.publish_all(vec![event("e", "t")], at(1)).await?;
    assert!(again[0].duplicate);
    let ids = |event: &PublishedEvent| {
        event
            .runs
            .iter()
            .map(|run| Arc::clone(&run.run_id))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&again[0]),
        ids(&first[0]),
        "a duplicate answers with the runs that are there"
    );
    assert_eq!(ids(&first[1]), ids(&first[0]));
    assert_eq!(functions(&again[0]), ["a", "b"]);
    assert!(again[0].runs.iter().all(|run| run.lease.is_none()));
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 4);
    Ok(())
}

pub(super) async fn publish_twice_at_once_is_one_event(bench: Bench) -> Result<()> {
    const EVENTS: usize = 50;
    bench.store.worker(&["f"]).await?;
    let mut publishing = Vec::new();
    for _ in 0..4 {
        let client = bench.another().await?;
        publishing.push(tokio::spawn(async move {
            let mut begun = Vec::new();
            for number in 0..EVENTS {
                let published = client
                    .publish_all(vec![event(&format!("e-{number}"), "f")], at(0))
                    .await?;
                assert_eq!(published[0].runs.len(), 1);
                if !published[0].duplicate {
                    begun.push(Arc::clone(&published[0].runs[0].run_id));
                }
            }
            Result::Ok(begun)
        }));
    }
    let mut begun = HashSet::new();
    for publisher in publishing {
        for run in publisher.await.expect("the publisher does not panic")? {
            assert!(begun.insert(run), "each run is begun once");
        }
    }
    assert_eq!(begun.len(), EVENTS);
    assert_eq!(
        bench
            .store
            .list(RunFilter::new().with_limit(1_000))
            .await?
            .runs
            .len(),
        EVENTS
    );
    Ok(())
}

pub(super) async fn publish_starts_one_run_per_function(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let subscriptions = vec![
        subscription("c", &["x", "y"]),
        subscription("a", &["x", "x"]),
        subscription("b", &["y"]),
    ];
    store.subscribe(subscriptions).await?;
    let published = store
        .publish_all(
            vec![event("1", "x"), event("2", "y"), event("3", "z")],
            at(7),
        )
        .await?;
    assert_eq!(
        published
            .iter()
            .map(|event| &*event.event_id)
            .collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
    assert_eq!(functions(&published[0]), ["a", "c"]);
    assert_eq!(functions(&published[1]), ["b", "c"]);
    assert!(published[2].runs.is_empty());
    let record = store.record(&published[0].runs[0].run_id).await?;
    assert_eq!(
        (&*record.event_id, &*record.event_type, &*record.function_id),
        ("1", "x", "a")
    );
    assert_eq!(
        (record.status, record.created_at),
        (RunStatus::Pending, at(7))
    );
    assert_eq!(&*record.payload, b"{\"a\":1}");
    Ok(())
}

pub(super) async fn publish_claims_within_capacity(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["a", "b", "c"]).await?;
    let limit = |function: &str, limit| FunctionCapacity::new(function, limit);
    let claim = Capacity::new(worker, 4, [limit("a", 2), limit("b", 9)]);
    let events = ["a", "a", "a", "c", "b", "b", "b"];
    let events = events
        .iter()
        .enumerate()
        .map(|(number, kind)| event(&number.to_string(), kind))
        .collect();
    let published = store
        .publish(Publish::new(events, at(0)).with_claim(claim))
        .await?;
    let leased: Vec<bool> = published
        .iter()
        .map(|event| event.runs[0].lease.is_some())
        .collect();
    assert_eq!(
        leased,
        [true, true, false, false, true, true, false],
        "2 of a, none of c, 4 in all"
    );
    for event in &published {
        let run = &event.runs[0];
        let record = store.record(&run.run_id).await?;
        let expected = if run.lease.is_some() {
            RunStatus::Running
        } else {
            RunStatus::Pending
        };
        assert_eq!(record.status, expected);
        if let Some(lease) = run.lease {
            assert_eq!(lease.worker, worker);
            assert_eq!(record.started_at, Some(at(0)));
            store.must_write(lease, Vec::new(), None, at(1)).await?;
        }
    }
    assert_eq!(
        store
            .take(worker, &["a", "b", "c"], at(1))
            .await?
            .runs
            .len(),
        3
    );
    Ok(())
}

pub(super) async fn publish_claims_only_what_is_due(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut delayed = event("later", "f");
    delayed.due_at = at(100);
    let claim = Some(capacity(worker, 10, &["f"]));
    let publish = |claim, now| Publish {
        events: vec![delayed.clone()],
        claim,
        now,
    };
    let published = store.publish(publish(claim.clone(), at(99))).await?;
    assert!(
        published[0].runs[0].lease.is_none(),
        "a delayed run is not claimed"
    );
    // A session whose lease has ended does not claim either, although the publish succeeds.
    delayed.id = "late".into();
    let publish = |claim, now| Publish {
        events: vec![delayed.clone()],
        claim,
        now,
    };
    let published = store.publish(publish(claim, at(30_000))).await?;
    assert!(!published[0].duplicate);
    assert!(
        published[0].runs[0].lease.is_none(),
        "an ended session claims nothing"
    );
    Ok(())
}

pub(super) async fn targeted_run_is_created_once(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let first = store
        .publish_all(vec![targeted("e-1", "f", Some("my run"))], at(0))
        .await?;
    assert_eq!(&*first[0].runs[0].run_id, "my run");
    let other = targeted("e-2", "g", Some("my run"));
    let second = store.publish_all(vec![other.clone(), other], at(1)).await?;
    for answer in second {
        assert!(answer.duplicate);
        assert_eq!(
            &*answer.event_id, "e-1",
            "the answer names the event of the run"
        );
        assert_eq!(functions(&answer), ["f"]);
    }
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 1);
    Ok(())
}

pub(super) async fn targeted_event_needs_no_subscription(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store
        .subscribe(vec![subscription("listener", &["targeted"])])
        .await?;
    let published = store
        .publish_all(vec![targeted("e-1", "f", None)], at(0))
        .await?;
    assert_eq!(functions(&published[0]), ["f"], "only the target runs");
    assert_eq!(
        store.subscriptions().await?,
        [subscription("listener", &["targeted"])]
    );
    let worker = store.worker(&[]).await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    assert_eq!(run.run_id, published[0].runs[0].run_id);
    Ok(())
}

pub(super) async fn excepted_functions_are_left_out(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let subscriptions = ["a", "b", "c"]
        .iter()
        .map(|function| subscription(function, &["t"]))
        .collect();
    store.subscribe(subscriptions).await?;
    let mut event = event("e", "t");
    event.target = Target::subscribers_except(vec!["b".into(), "nobody".into()]);
    let published = store.publish_all(vec![event], at(0)).await?;
    assert_eq!(functions(&published[0]), ["a", "c"]);
    Ok(())
}

pub(super) async fn event_without_functions_is_recorded(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let first = store.publish_all(vec![event("e", "t")], at(0)).await?;
    assert!(!first[0].duplicate && first[0].runs.is_empty());
    store.subscribe(vec![subscription("f", &["t"])]).await?;
    let second = store.publish_all(vec![event("e", "t")], at(0)).await?;
    assert!(
        second[0].duplicate && second[0].runs.is_empty(),
        "who subscribes later does not get it"
    );
    Ok(())
}

pub(super) async fn delayed_event_waits(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut delayed = event("e", "f");
    delayed.due_at = at(100);
    store.publish_all(vec![delayed], at(0)).await?;
    let early = store.take(worker, &["f"], at(99)).await?;
    assert!(early.runs.is_empty());
    assert_eq!(early.next_due, Some(at(100)));
    store.take_one(worker, &["f"], at(100)).await?;
    Ok(())
}

pub(super) async fn other_event_under_one_id_is_a_conflict(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    store.worker(&["t", "u"]).await?;
    let first = store.publish_all(vec![event("e", "t")], at(0)).await?;
    assert!(!first[0].conflict);
    let mut changed = event("e", "t");
    changed.payload = Arc::from(*b"{\"a\":2}");
    changed.digest = EventDigest::of("t", &changed.payload);
    let mut targeted = targeted("e", "t", None);
    targeted.digest = EventDigest::of("targeted", &targeted.payload);
    // Alone, in a batch, and next to the existing one.
    for events in [
        vec![event("e", "u")],
        vec![changed.clone()],
        vec![targeted],
        vec![
            event("e-2", "t"),
            event("e", "u"),
            event("e", "t"),
            event("e-2", "u"),
        ],
    ] {
        let expected: Vec<bool> = events
            .iter()
            .map(|new| match &*new.id {
                "e-2" => &*new.event_type == "u",
                _ => new.digest != event("e", "t").digest,
            })
            .collect();
        let published = other.publish_all(events, at(1)).await?;
        let conflicts: Vec<bool> = published.iter().map(|event| event.conflict).collect();
        assert_eq!(conflicts, expected);
        for published in published.iter().filter(|event| event.conflict) {
            assert!(
                published.duplicate && published.runs.is_empty(),
                "nothing is told"
            );
        }
    }
    let again = store.publish_all(vec![event("e", "t")], at(2)).await?;
    assert!(again[0].duplicate && !again[0].conflict);
    assert_eq!(again[0].runs.len(), 1);
    assert_eq!(
        store.list(RunFilter::default()).await?.runs.len(),
        2,
        "nothing was written"
    );
    Ok(())
}

pub(super) async fn due_at_once_whatever_the_publishers_clock(bench: Bench) -> Result<()> {
    const AHEAD: i64 = 600_000;
    let (store, publisher) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let mut now = event("now", "f");
    now.due_at = at(AHEAD);
    let mut later = event("later", "f");
    later.due_at = at(AHEAD + 60_000);
    publisher.publish_all(vec![now, later], at(AHEAD)).await?;
    let run = store.take_one(worker, &["f"], at(5)).await?;
    assert_eq!(
        &*run.event_id, "now",
        "a delay goes by the publisher's clock"
    );
    Ok(())
}
