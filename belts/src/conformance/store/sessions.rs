//! Workers that come and go, and what they subscribe to.

use super::bench::{Bench, LEASE, at, capacity, entry, event, subscription, targeted};
use crate::{
    error::{ErrorKind, Result},
    store::{CommitOutcome, Publish, Register, RunFilter, WorkerId},
};

pub(super) async fn subscriptions_of_live_sessions_are_combined(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    // Either version may start first: the old one again after the new one too.
    let old = || vec![subscription("b", &["x", "y"]), subscription("a", &["x"])];
    let new = || vec![subscription("b", &["z", "y"]), subscription("c", &["y"])];
    let first = store.subscribe(old()).await?;
    other.subscribe(new()).await?;
    store.deregister(first, at(1)).await?;
    store.subscribe(old()).await?;
    let expected = [
        subscription("a", &["x"]),
        subscription("b", &["x", "y", "z"]),
        subscription("c", &["y"]),
    ];
    assert_eq!(store.subscriptions().await?, expected);
    assert_eq!(other.subscriptions().await?, expected);
    let published = other
        .publish_all(vec![event("1", "x"), event("2", "z")], at(1))
        .await?;
    assert_eq!(published[0].runs.len(), 2);
    assert_eq!(published[1].runs.len(), 1);
    Ok(())
}

pub(super) async fn subscriptions_outlive_their_session(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.subscribe(vec![subscription("f", &["t"])]).await?;
    store.deregister(worker, at(1)).await?;
    // The store has another living program, and one that only publishes.
    other.subscribe(vec![subscription("g", &["u"])]).await?;
    other.subscribe(Vec::new()).await?;
    for (client, id) in [(store, "1"), (&other, "2")] {
        let published = client.publish_all(vec![event(id, "t")], at(2)).await?;
        assert_eq!(
            published[0].runs.len(),
            1,
            "it starts a run for who comes back"
        );
    }
    let back = bench.another().await?;
    let worker = back.subscribe(vec![subscription("f", &["t"])]).await?;
    assert_eq!(back.take(worker, &["f"], at(3)).await?.runs.len(), 2);
    Ok(())
}

pub(super) async fn removed_function_gets_no_runs(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let old = || {
        vec![
            subscription("kept", &["t"]),
            subscription("removed", &["t"]),
        ]
    };
    let new = || vec![subscription("kept", &["t"])];
    let runs = async |id: &str| -> Result<usize> {
        let published = store.publish_all(vec![event(id, "t")], at(2)).await?;
        Ok(published[0].runs.len())
    };
    // The new version starts before the old one ends.
    let before = store.subscribe(old()).await?;
    let after = other.subscribe(new()).await?;
    assert_eq!(runs("1").await?, 2, "the old version lives");
    store.deregister(before, at(1)).await?;
    assert_eq!(runs("2").await?, 1, "its last session has ended");
    // It starts after the old one has ended.
    other.deregister(after, at(1)).await?;
    let before = store.subscribe(old()).await?;
    store.deregister(before, at(1)).await?;
    assert_eq!(runs("3").await?, 2, "nobody speaks for the program yet");
    other.subscribe(new()).await?;
    assert_eq!(runs("4").await?, 1);
    assert_eq!(store.subscriptions().await?, [subscription("kept", &["t"])]);
    Ok(())
}

pub(super) async fn expired_session_stays_subscribed_for_a_day(bench: Bench) -> Result<()> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let (store, other) = (&bench.store, bench.another().await?);
    let both = vec![
        subscription("kept", &["t"]),
        subscription("removed", &["t"]),
    ];
    store.subscribe(both).await?;
    other.subscribe(vec![subscription("kept", &["t"])]).await?;
    let runs = async |id: &str, now| -> Result<usize> {
        let later = bench.another().await?;
        let request = crate::store::Register::new(now, LEASE)
            .with_subscriptions(vec![subscription("kept", &["t"])]);
        let worker = later.register(request).await?;
        later.take(worker, &[], now).await?;
        let published = later.publish_all(vec![event(id, "t")], now).await?;
        Ok(published[0].runs.len())
    };
    assert_eq!(runs("1", at(29_999)).await?, 2);
    assert_eq!(runs("2", at(60_000)).await?, 2, "it may be on its way back");
    assert_eq!(runs("3", at(DAY)).await?, 2);
    assert_eq!(runs("4", at(DAY + 30_001)).await?, 1, "it has ended");
    Ok(())
}

pub(super) async fn new_subscription_takes_effect_at_once_everywhere(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let runs = async |client: &super::bench::Client, id: &str| -> Result<usize> {
        let published = client.publish_all(vec![event(id, "t")], at(0)).await?;
        Ok(published[0].runs.len())
    };
    assert_eq!(runs(store, "1").await?, 0);
    let first = other.subscribe(vec![subscription("f", &["t"])]).await?;
    assert_eq!(runs(store, "2").await?, 1);
    store.subscribe(vec![subscription("g", &["t"])]).await?;
    assert_eq!(runs(&other, "3").await?, 2);
    assert_eq!(runs(store, "4").await?, 2);
    other.deregister(first, at(0)).await?;
    other.subscribe(vec![subscription("f", &["u"])]).await?;
    assert_eq!(runs(store, "5").await?, 1);
    Ok(())
}

pub(super) async fn same_name_takes_over(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    store.worker(&["f"]).await?;
    let first = store.named_worker("left", at(0)).await?;
    let bystander = store.named_worker("right", at(0)).await?;
    store.start("e", "f").await?;
    let before = store.take_one(first, &["f"], at(0)).await?;
    let second = other.named_worker("left", at(5)).await?;
    assert_ne!(first, second);
    let after = other.take_one(second, &["f"], at(5)).await?;
    assert_eq!(after.run_id, before.run_id);
    assert!(after.lease.token > before.lease.token);
    assert_eq!(
        store.write(before.lease, Vec::new(), None, at(6)).await?,
        CommitOutcome::LeaseLost
    );
    other
        .must_write(after.lease, Vec::new(), None, at(6))
        .await?;
    let gone = store
        .renew(first, at(6), LEASE)
        .await
        .expect_err("the first session has ended");
    assert_eq!(gone.kind(), ErrorKind::Busy);
    store.renew(bystander, at(6), LEASE).await
}

pub(super) async fn deregistered_worker_leaves_its_runs(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let (first, second) = (store.worker(&["f"]).await?, store.worker(&["f"]).await?);
    store.start("e", "f").await?;
    let before = store.take_one(first, &["f"], at(0)).await?;
    assert!(store.take(second, &["f"], at(1)).await?.runs.is_empty());
    store.deregister(first, at(2)).await?;
    store.deregister(first, at(2)).await?;
    let after = store.take_one(second, &["f"], at(2)).await?;
    assert!(after.lease.token > before.lease.token);
    assert_eq!(
        store.write(before.lease, Vec::new(), None, at(3)).await?,
        CommitOutcome::LeaseLost
    );
    assert_eq!(
        store.subscriptions().await?.len(),
        1,
        "the second still wants it"
    );
    Ok(())
}

pub(super) async fn unknown_session_is_busy(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    store.deregister(worker, at(1)).await?;
    for unknown in [worker, WorkerId(i64::MAX)] {
        let error = store
            .renew(unknown, at(1), LEASE)
            .await
            .expect_err("the session is not known");
        assert_eq!(error.kind(), ErrorKind::Busy);
        let error = store
            .take(unknown, &["f"], at(1))
            .await
            .expect_err("the session is not known");
        assert_eq!(error.kind(), ErrorKind::Busy);
    }
    let worker = store.worker(&["f"]).await?;
    store.take_one(worker, &["f"], at(1)).await?;
    Ok(())
}

pub(super) async fn expired_session_keeps_unclaimed_runs(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
    // Its lease ends at 30,000. `renew` and `claim` bring it back to life.
    store.renew(worker, at(30_000), LEASE).await?;
    store
        .must_write(lease, vec![entry(0, "one", "1")], None, at(30_001))
        .await?;
    assert!(
        store
            .take(worker, &["f"], at(90_000))
            .await?
            .runs
            .is_empty(),
        "it has the run"
    );
    store
        .must_write(lease, vec![entry(1, "two", "2")], None, at(90_001))
        .await?;
    let second = other.worker(&["f"]).await?;
    other.renew(second, at(100_000), LEASE).await?;
    assert!(
        other
            .take(second, &["f"], at(119_999))
            .await?
            .runs
            .is_empty(),
        "it lives"
    );
    let taken = other.take_one(second, &["f"], at(120_000)).await?;
    store.renew(worker, at(120_001), LEASE).await?;
    assert_eq!(
        store.write(lease, Vec::new(), None, at(120_002)).await?,
        CommitOutcome::LeaseLost,
        "it does not get back what another took"
    );
    other
        .must_write(taken.lease, Vec::new(), None, at(120_003))
        .await
}

pub(super) async fn unknown_session_publishes_without_claiming(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.deregister(worker, at(0)).await?;
    let claim = Some(capacity(worker, 10, &["f"]));
    let published = store
        .publish(Publish {
            events: vec![event("e", "f")],
            claim,
            now: at(0),
        })
        .await?;
    assert!(published[0].runs[0].lease.is_none());
    Ok(())
}

pub(super) async fn run_keeps_the_build_that_began_it(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let of_build = |build: Option<&str>| {
        let build = build.map(std::sync::Arc::from);
        Register::new(at(0), LEASE)
            .with_subscriptions(vec![subscription("f", &["t"])])
            .with_build(build)
    };
    let old = store.register(of_build(Some("1.0.0"))).await?;
    let new = other.register(of_build(Some("2.0.0"))).await?;
    let nameless = store.register(of_build(None)).await?;
    // One is leased by its publish, one by a claim, one is never begun, one by whoever names no build.
    let publish = |id: &str, run: &str| targeted(id, "f", Some(run));
    let room = capacity(old, 1, &["f"]);
    let first = Publish::new(vec![publish("1", "at-once")], at(1)).with_claim(room);
    let leased = store.publish(first).await?[0].runs[0]
        .lease
        .expect("there was room");
    store
        .publish_all(vec![publish("2", "claimed")], at(2))
        .await?;
    other.take(new, &["f"], at(3)).await?;
    store
        .publish_all(vec![publish("3", "nameless")], at(4))
        .await?;
    store.take(nameless, &["f"], at(5)).await?;
    store
        .publish_all(vec![publish("4", "waiting")], at(6))
        .await?;
    let build = async |run: &str| -> Result<Option<String>> {
        let record = other.run(run).await?.expect("it is there");
        Ok(record.build.map(|build| build.to_string()))
    };
    assert_eq!(build("at-once").await?.as_deref(), Some("1.0.0"));
    assert_eq!(build("claimed").await?.as_deref(), Some("2.0.0"));
    assert_eq!(build("nameless").await?, None);
    assert_eq!(build("waiting").await?, None);
    // Whoever goes on with it has not begun it; nor has the session to be there any more.
    let due = at(7);
    let suspend = crate::store::Transition::suspend(due);
    store
        .must_write(leased, Vec::new(), Some(suspend), due)
        .await?;
    store.deregister(old, due).await?;
    let again = other.take(new, &["f"], at(8)).await?;
    assert!(again.runs.iter().any(|run| &*run.run_id == "at-once"));
    assert_eq!(build("at-once").await?.as_deref(), Some("1.0.0"));
    let listed = other.list(RunFilter::new().with_function("f")).await?.runs;
    let listed = listed
        .iter()
        .find(|run| &*run.run_id == "claimed")
        .expect("it is listed");
    assert_eq!(listed.build.as_deref(), Some("2.0.0"));
    Ok(())
}
