//! Runs whose time is over: which end, how, and what is said of it.

use std::{sync::Arc, time::Duration};

use super::{
    bench::{Bench, LEASE, at, entry, event, ok, targeted},
    families::told,
    limits::{FINISH, START, limits},
    starting::{call, start},
    waiting::{keeps_none, keyed, payment},
};
use crate::{
    codec,
    error::{ErrorKind, Result},
    store::{Arrival, Commit, CommitOutcome, Expired, RunStatus, Transition},
};

/// Far more than a wake-up takes, and less than a test may take.
const SOON: Duration = Duration::from_secs(10);

pub(super) async fn expire_ends_what_has_not_started(bench: Bench) -> Result<()> {
    let store = &bench.store;
    assert_eq!(store.expire_all(at(99_000)).await?, Expired::default());
    let worker = store
        .limited(&["f", "g"], &[limits("f", START, None)])
        .await?;
    let fresh = store.start("fresh", "f").await?;
    let begun = store.start("begun", "f").await?;
    let other = store.start("other", "g").await?;
    store.claim_named(worker, &begun).await?;
    let early = store.expire_all(at(START - 1)).await?;
    assert_eq!(early, Expired::default().with_next(Some(at(START)), at(0)));
    let ended = store.expire_all(at(START)).await?;
    assert_eq!(ended, Expired::new(vec![Arc::clone(&fresh)]));
    let record = store.record(&fresh).await?;
    let about = (record.status, record.finished_at, record.due_at);
    assert_eq!(about, (RunStatus::Cancelled, Some(at(START)), None));
    assert_eq!(store.status_of(&begun).await?, RunStatus::Running);
    assert_eq!(store.status_of(&other).await?, RunStatus::Pending);
    assert_eq!(store.expire_all(at(99_000)).await?, Expired::default());
    Ok(())
}

pub(super) async fn expire_ends_what_has_not_finished(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .limited(
            &["f", "g"],
            &[limits("f", None, FINISH), limits("g", START, FINISH)],
        )
        .await?;
    let fresh = store.start("fresh", "f").await?;
    let begun = store.start("begun", "g").await?;
    let done = store.start("done", "g").await?;
    store.claim_named(worker, &begun).await?;
    let lease = store.claim_named(worker, &done).await?.lease;
    let complete = Some(Transition::complete(ok("1")));
    store.must_write(lease, Vec::new(), complete, at(2)).await?;
    let early = store.expire_all(at(FINISH - 1)).await?;
    assert_eq!((early.runs.len(), early.next), (0, Some(at(FINISH))));
    let ended = store.expire_all(at(FINISH)).await?;
    let mut runs = ended.runs.clone();
    runs.sort();
    let mut expected = [fresh.clone(), begun.clone()];
    expected.sort();
    assert_eq!((runs.as_slice(), ended.next), (&expected[..], None));
    for run in [&fresh, &begun] {
        assert_eq!(store.status_of(run).await?, RunStatus::Cancelled);
    }
    assert_eq!(store.status_of(&done).await?, RunStatus::Completed);
    Ok(())
}

pub(super) async fn expire_ends_runs_in_every_state(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.in_time().await?;
    let waits = !keeps_none(&bench);
    let states = [
        ("pending", None),
        ("running", None),
        ("sleeps", Some(Transition::suspend(at(90_000)))),
        ("waits", Some(Transition::suspend(None))),
        ("retries", Some(Transition::retry(at(2), 1, ok("\"why\"")))),
        ("put-off", Some(Transition::put_off(at(90_000)))),
        ("stopped", Some(Transition::Stop)),
    ];
    let mut runs = Vec::new();
    for (id, transition) in states {
        let run = store.start(id, "f").await?;
        if id != "pending" {
            let lease = store.claim_named(worker, &run).await?.lease;
            let entries = if id == "waits" && waits {
                vec![payment(0, "o-1")]
            } else {
                vec![entry(0, "step", "1")]
            };
            store.must_write(lease, entries, transition, at(1)).await?;
        }
        runs.push(run);
    }
    store.pause("f", at(1)).await?;
    let ended = other.expire_all(at(FINISH)).await?;
    assert_eq!((ended.runs.len(), ended.next), (runs.len(), None));
    for run in &runs {
        let record = store.record(run).await?;
        let about = (record.status, record.finished_at, record.due_at);
        assert_eq!(about, (RunStatus::Cancelled, Some(at(FINISH)), None));
        assert!(
            store
                .take_named(worker, &["f"], run, at(1))
                .await?
                .is_none()
        );
    }
    store
        .publish_one(keyed("late", "paid", "o-1"), at(FINISH))
        .await?;
    store.resume("f", at(1)).await?;
    let later = store.take(worker, &["f"], at(20_000)).await?;
    assert!(later.runs.is_empty(), "nothing is left to do");
    assert_eq!(later.next_due, None);
    Ok(())
}

pub(super) async fn expire_ends_as_cancel_does(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store
        .limited(&["f", "g"], &[limits("g", None, FINISH)])
        .await?;
    let run = store.start("e-driven", "g").await?;
    let driven = store.claim_named(worker, &run).await?;
    // What was told of the start is forgotten.
    let _ = tokio::time::timeout(Duration::from_millis(1), store.woken()).await;
    let told_of = tokio::spawn({
        let store = store.clone();
        async move { store.woken().await }
    });
    assert_eq!(other.expire_all(at(FINISH)).await?.runs, [run]);
    let woken = tokio::time::timeout(SOON, told_of).await;
    assert!(woken.is_ok(), "whoever drives it is woken");
    assert_eq!(store.revoked(&[driven.lease]).await?, [driven.lease]);
    let late = store.write(driven.lease, vec![entry(0, "late", "1")], None, at(FINISH));
    assert_eq!(late.await?, CommitOutcome::LeaseLost);
    if keeps_none(&bench) {
        return Ok(());
    }
    let parent = store.begin(worker, "p").await?;
    let waits = Some(Transition::suspend(None));
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, "child")])
        .with_starts(vec![start(&parent, "child", true)])
        .with_transition(waits);
    store.commit_one(commit, at(1)).await?;
    let child = store.claim_named(worker, "child").await?;
    let starts = ["below", "free"].map(|id| {
        let attached = start(&child, id, id == "below");
        targeted(&format!("e-{id}"), "f", Some(id)).with_parent(attached.parent)
    });
    let commit = Commit::new(child.lease).with_starts(starts.into());
    store.commit_one(commit, at(2)).await?;
    let ended = other.expire_all(at(FINISH + 1)).await?;
    assert_eq!(ended.runs, [Arc::from("child")], "the others end with it");
    assert_eq!(store.status_of("below").await?, RunStatus::Cancelled);
    assert_eq!(store.status_of("free").await?, RunStatus::Pending);
    store.cancel("free", at(FINISH + 1)).await?;
    let woken = store.take_one(worker, &["f"], at(FINISH + 1)).await?;
    let (seq, said) = told(&woken.arrivals);
    assert_eq!((&*woken.run_id, seq), (&*parent.run_id, 0));
    let cause = "it had not finished within 5s";
    assert!(
        said.contains(r#"{"status":"cancelled","#) && said.contains(cause),
        "{said}"
    );
    store.renew(worker, at(FINISH + 2), LEASE).await?;
    let lease = woken.lease;
    let arrived: Vec<(_, Vec<Arrival>)> = store.arrived(&[lease]).await?;
    assert_eq!(arrived.len(), 1, "it is told once: {arrived:?}");
    Ok(())
}

pub(super) async fn expired_run_keeps_its_cause(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let three = [
        limits("f", 3_600_000, 172_800_000),
        limits("g", 90_000, 100_000),
        limits("h", None, 86_400_000),
    ];
    let worker = store.limited(&["f", "g", "h"], &three).await?;
    let fresh = store.start("e-f", "f").await?;
    let both = store.start("e-g", "g").await?;
    let retried = store.start("e-h", "h").await?;
    let begun = store.start("e-b", "f").await?;
    let lease = store.claim_named(worker, &begun).await?.lease;
    let claimed = store.take_named(worker, &["h"], &retried, at(0)).await?;
    let failed = Some(Transition::retry(at(9), 1, ok("\"an earlier failure\"")));
    let retried_lease = claimed.expect("it is due").lease;
    store
        .must_write(retried_lease, Vec::new(), failed, at(1))
        .await?;
    store
        .must_write(lease, vec![entry(0, "kept", "1")], None, at(1))
        .await?;
    let ended = store.expire_all(at(200_000_000)).await?;
    assert_eq!(ended.runs.len(), 4);
    for (run, cause) in [
        (&fresh, "it had not started within 1h"),
        (&both, "it had not started within 1m30s"),
        (&retried, "it had not finished within 1d"),
        (&begun, "it had not finished within 2d"),
    ] {
        let result = store.record(run).await?.result.expect("a cause");
        let failure = codec::raw(&result)?;
        let codec::Decoded::Err(failure) = failure else {
            panic!("a failure");
        };
        let error = failure.into_error();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(error.to_string().contains(cause), "{error}");
    }
    assert_eq!(
        store.journal(&begun).await?.len(),
        1,
        "what it recorded stays"
    );
    Ok(())
}

pub(super) async fn expire_is_bounded_and_tells_what_is_left(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.in_time().await?;
    let mut runs = Vec::new();
    for time in 0..5 {
        let id = format!("e-{time}");
        let mut event = event(&id, "f");
        event.due_at = at(time * 10);
        let published = store.publish_all(vec![event], at(0)).await?;
        runs.push(Arc::clone(&published[0].runs[0].run_id));
    }
    let now = at(START + 30);
    let first = store.expire(now, 2).await?;
    let expected = Expired::new(runs[..2].to_vec()).with_next(Some(at(START + 20)), now);
    assert_eq!(first, expected);
    assert!(first.more);
    let none = store.expire(now, 0).await?;
    assert_eq!((none.runs.len(), none.more), (0, true));
    let second = store.expire(now, 2).await?;
    assert_eq!(second.runs, runs[2..4]);
    assert_eq!((second.next, second.more), (Some(at(START + 40)), false));
    assert!(store.cancel(&runs[4], now).await?);
    assert_eq!(store.expire(now, 2).await?, Expired::default());
    store.purge(at(99_000), 100).await?;
    assert_eq!(store.expire(at(99_000), 2).await?, Expired::default());
    Ok(())
}
