//! What is seen of runs that stand in line, and what becomes of them besides.

use std::{sync::Arc, time::Duration};

use super::{
    bench::{Bench, LEASE, at, event, subscription},
    lines::{POOL, SHARED, events, has_none, keyed, of, one_at_a_time},
};
use crate::{
    error::Result,
    store::{
        Capacity, Claim, Lane, Limits, Register, Rerun, Route, Routed, RunFilter, RunStatus,
        Transition,
    },
};

pub(super) async fn record_tells_which_limit_is_full(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let limits = [of("f", &[(POOL, 2), (SHARED, 9)])];
    let flow = keyed("7").with_lane(Lane::new(SHARED, "", 9));
    let mut runs = Vec::new();
    for n in 0..3 {
        runs.push(store.line_up(&format!("e{n}"), &flow, at(n)).await?);
    }
    let held = store.brought(worker, 100, &limits, at(10)).await?;
    assert_eq!(store.brought(worker, 100, &limits, at(11)).await?.len(), 0);
    let why = async |run: &str| Ok::<_, crate::Error>(store.record(run).await?.why());
    let said = why(&runs[2]).await?.unwrap_or_default();
    // A store that encrypts does not show the key.
    assert!(
        said.starts_with("concurrency account=") && said.ends_with(" 2/2"),
        "{said}"
    );
    assert_eq!(why(&runs[0]).await?, None);
    store.done(&held[0], at(12)).await?;
    let next = store.brought(worker, 100, &limits, at(13)).await?;
    assert_eq!((next.len(), why(&runs[2]).await?), (1, None));
    Ok(())
}

pub(super) async fn free_place_wakes_another_client(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let limits = [one_at_a_time()];
    for n in 0..2 {
        store.line_up(&format!("e{n}"), &keyed("k"), at(n)).await?;
    }
    let held = store.brought(worker, 100, &limits, at(10)).await?;
    assert!(
        store
            .brought(worker, 100, &limits, at(11))
            .await?
            .is_empty()
    );
    // What was told before is heard by then.
    while tokio::time::timeout(Duration::from_millis(300), other.woken())
        .await
        .is_ok()
    {}
    let woken = other.woken();
    tokio::pin!(woken);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut woken)
            .await
            .is_err()
    );
    store.done(&held[0], at(12)).await?;
    let waited = tokio::time::timeout(Duration::from_secs(20), woken).await;
    assert!(waited.is_ok(), "it must be woken");
    Ok(())
}

pub(super) async fn claim_by_name_takes_a_place(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut runs = Vec::new();
    for n in 0..3 {
        runs.push(store.line_up(&format!("e{n}"), &keyed("k"), at(n)).await?);
    }
    let named = async |run: &Arc<str>, now| {
        let capacity = Capacity::new(worker, 1, [one_at_a_time()]);
        let claim = Claim::new(capacity, now).with_only(Arc::clone(run));
        Ok::<_, crate::Error>(store.claim(claim).await?.runs.pop())
    };
    let last = named(&runs[2], at(10)).await?.expect("there is a place");
    assert!(named(&runs[0], at(11)).await?.is_none(), "it is taken");
    assert!(
        store
            .brought(worker, 100, &[one_at_a_time()], at(12))
            .await?
            .is_empty()
    );
    assert!(
        named(&runs[0], at(13)).await?.is_none(),
        "nor one that stands in line"
    );
    store.done(&last, at(14)).await?;
    let first = named(&runs[0], at(15)).await?.expect("it is free again");
    store.done(&first, at(16)).await?;
    let next = store
        .brought(worker, 100, &[one_at_a_time()], at(17))
        .await?;
    assert_eq!(events(&next), ["e1"]);
    Ok(())
}

/// Whatever is done to a run that stands in line, it is as to any other that waits.
pub(super) async fn run_in_line_changes_as_ever(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![subscription("f", &["f"])])
        .with_limits(vec![
            Limits::new("f").with_start_within(Duration::from_secs(60)),
        ]);
    let worker = store.register(register).await?;
    let limits = [one_at_a_time()];
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(store.line_up(&format!("e{n}"), &keyed("k"), at(n)).await?);
    }
    let held = store.brought(worker, 100, &limits, at(10)).await?;
    assert!(
        store
            .brought(worker, 100, &limits, at(11))
            .await?
            .is_empty()
    );
    let open = RunFilter {
        statuses: vec![RunStatus::Pending],
        ..RunFilter::default()
    };
    assert_eq!(
        store.list(open.clone()).await?.runs.len(),
        4,
        "they are listed"
    );
    let few = RunFilter { looks: 100, ..open };
    assert_eq!(store.list(few).await?.runs.len(), 4);
    for (time, count) in [(-1, 0), (0, 4), (11, 4)] {
        let due = RunFilter::new().with_due_by(at(time));
        let of_function = due.clone().with_function("f");
        assert_eq!(store.list(of_function).await?.runs.len(), count, "{time}");
        assert_eq!(store.list(due).await?.runs.len(), count, "{time}");
    }
    let functions = store.functions(at(11), 100).await?;
    assert_eq!(functions[0].unfinished, 5);
    assert!(store.cancel(&runs[1], at(12)).await?);
    let record = store.record(&runs[1]).await?;
    assert_eq!((record.status, record.why()), (RunStatus::Cancelled, None));
    assert!(store.cancel(&runs[2], at(12)).await?);
    assert!(
        store
            .rerun(Rerun::new(Arc::clone(&runs[2]), at(13)))
            .await?
    );
    assert_eq!(
        store.purge(at(1_000), 100).await?.runs,
        1,
        "the one that was cancelled"
    );
    assert!(
        store
            .brought(worker, 100, &limits, at(14))
            .await?
            .is_empty()
    );
    store.done(&held[0], at(15)).await?;
    let next = store.brought(worker, 1, &limits, at(16)).await?;
    assert_eq!(next.len(), 1, "one of those that are left");
    store.end(&next[0], Transition::Skip, at(17)).await?;
    // Nobody has begun the others in time.
    let expired = store.expire(at(70_000), 100).await?;
    assert_eq!(expired.runs.len(), 2, "{expired:?}");
    let left = store.brought(worker, 100, &limits, at(70_001)).await?;
    assert!(left.is_empty());
    let flow = keyed("w");
    for id in ["w0", "w1"] {
        store.line_up(id, &flow, at(70_010)).await?;
    }
    store.deregister(worker, at(70_020)).await?;
    let forgotten = store.forget("f", at(70_030), 100).await?;
    assert_eq!(forgotten.runs, 2);
    let functions = store.functions(at(70_040), 100).await?;
    assert!(functions.iter().all(|known| &*known.function_id != "f"));
    Ok(())
}

/// A run that was routed into its line is over once, when its time is.
pub(super) async fn run_in_line_ends_once(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let limits = Limits::new("f")
        .with_start_within(Duration::from_secs(60))
        .with_finish_within(Duration::from_secs(3_600));
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![subscription("f", &["f"])])
        .with_limits(vec![limits]);
    let worker = store.register(register).await?;
    store.publish_all(vec![event("e", "f")], at(0)).await?;
    let run = store.brought(worker, 1, &[one_at_a_time()], at(1)).await?;
    let route = Route::new(run[0].lease, "f", keyed("k"), at(1));
    assert_eq!(store.route(route).await?, Routed::waits(Some(at(1))));
    let run = &run[0].run_id;
    assert!(store.cancel(run, at(2)).await?);
    for late in [60_001, 3_600_001, 10_000_000] {
        let expired = store.expire(at(late), 100).await?;
        assert!(expired.runs.is_empty(), "{expired:?}");
    }
    assert_eq!(store.record(run).await?.finished_at, Some(at(2)));
    Ok(())
}
