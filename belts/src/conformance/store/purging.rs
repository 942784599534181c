//! Purges: which finished runs and events go, how many at once, and what stays.

use super::{
    bench::{Bench, at, entry, event, ok, subscription},
    inspection::{complete, fail},
};
use crate::{
    error::Result,
    store::{Purged, RunFilter, RunStatus, Transition},
};

pub(super) async fn purge_keeps_unfinished_runs(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .subscribe(vec![subscription("f", &["t"]), subscription("g", &["t"])])
        .await?;
    store
        .publish_all(vec![event("both", "t"), event("one", "t")], at(0))
        .await?;
    let runs = store.take(worker, &["f", "g"], at(0)).await?.runs;
    assert_eq!(runs.len(), 4);
    let of = |event: &str, function: &str| {
        let found = runs
            .iter()
            .find(|run| &*run.event_id == event && &*run.function_id == function);
        found.expect("each event started each function")
    };
    let ends = [("both", "f", 10), ("both", "g", 20), ("one", "f", 10)];
    for (event, function, end) in ends {
        let transition = if function == "f" { complete() } else { fail() };
        store
            .must_write(
                of(event, function).lease,
                vec![entry(0, "a", "1")],
                Some(transition),
                at(end),
            )
            .await?;
    }
    // Before 20: the two that finished at 10. One event still has a run that finished later, the other one that is running.
    assert_eq!(store.purge(at(20), 100).await?.runs, 2);
    assert!(store.run(&of("both", "f").run_id).await?.is_none());
    assert!(store.journal(&of("both", "f").run_id).await?.is_empty());
    assert!(store.run(&of("both", "g").run_id).await?.is_some());
    let running = of("one", "g");
    store
        .must_write(running.lease, vec![entry(0, "a", "1")], None, at(21))
        .await?;
    for event_id in ["both", "one"] {
        let again = store
            .publish_all(vec![event(event_id, "t")], at(22))
            .await?;
        assert!(again[0].duplicate, "the event is needed");
        assert_eq!(again[0].runs.len(), 1);
    }
    assert_eq!(store.purge(at(1_000), 100).await?.runs, 1);
    assert_eq!(
        store.record(&running.run_id).await?.status,
        RunStatus::Running,
        "what runs is never purged"
    );
    assert!(
        !store.publish_all(vec![event("both", "t")], at(23)).await?[0].duplicate,
        "the event is gone with its runs"
    );
    Ok(())
}

pub(super) async fn purge_is_bounded(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for number in 0..5 {
        let run = store.start(&format!("e-{number}"), "f").await?;
        let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
        assert!(lease.token >= 0, "{run}");
        store
            .must_write(lease, Vec::new(), Some(complete()), at(10 - number))
            .await?;
    }
    assert_eq!(store.purge(at(6), 100).await?.runs, 0);
    assert_eq!(store.purge(at(100), 2).await?.runs, 2);
    let left = store.list(RunFilter::default()).await?.runs;
    let ends: Vec<_> = left.iter().filter_map(|run| run.finished_at).collect();
    assert_eq!(
        ends,
        [at(8), at(9), at(10)],
        "the longest finished went first"
    );
    assert_eq!(store.purge(at(100), 2).await?.runs, 2);
    assert_eq!(store.purge(at(100), 2).await?.runs, 1);
    assert_eq!(store.purge(at(100), 2).await?.runs, 0);
    Ok(())
}

pub(super) async fn purge_reports_whether_anything_is_left(bench: Bench) -> Result<()> {
    let store = &bench.store;
    // Nobody subscribes to these.
    let events = (0..5)
        .map(|number| event(&format!("e-{number}"), "nobody"))
        .collect();
    store.publish_all(events, at(0)).await?;
    let worker = store.worker(&["f"]).await?;
    store.start("run", "f").await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    let output = Some(Transition::complete(ok("1")));
    store
        .must_write(run.lease, Vec::new(), output, at(1))
        .await?;
    assert_eq!(store.purge(at(0), 10).await?, Purged::default());
    let (mut runs, mut events, mut turns) = (0, 0, 0);
    loop {
        let purged = store.purge(at(10), 2).await?;
        assert!(purged.runs <= 2 && purged.events <= 2);
        runs += purged.runs;
        events += purged.events;
        turns += 1;
        if !purged.more {
            break;
        }
        assert!(turns < 10, "it comes to an end");
    }
    assert_eq!((runs, events), (1, 5));
    let again = store
        .publish_all(vec![event("e-0", "nobody")], at(11))
        .await?;
    assert!(!again[0].duplicate, "it was forgotten");
    Ok(())
}
