//! How much time runs have: where it comes from, when it begins, and how long it holds.

use std::{sync::Arc, time::Duration};

use super::{
    bench::{Bench, Client, LEASE, at, capacity, event, ok, subscription, targeted},
    starting::start,
    waiting::keeps_none,
};
use crate::{
    error::Result,
    store::{
        Awaits, Claim, ClaimedRun, Commit, ENDED, Expired, Limits, Register, Rerun, RunFilter,
        RunStatus, Timestamp, Transition, WorkerId,
    },
};

/// How long runs may wait until they are claimed, and until they end.
pub(super) const START: i64 = 1_000;
pub(super) const FINISH: i64 = 5_000;

/// The limits of a function, in milliseconds.
pub(super) fn limits(
    function: &str,
    start: impl Into<Option<i64>>,
    finish: impl Into<Option<i64>>,
) -> Limits {
    let within = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    Limits::new(function)
        .with_start_within(start.into().map(within))
        .with_finish_within(finish.into().map(within))
}

impl Client {
    /// Registers a worker for functions that subscribe to the event of their name and may call others, with these limits.
    pub(super) async fn limited(&self, functions: &[&str], limits: &[Limits]) -> Result<WorkerId> {
        let subscriptions = functions.iter().map(|id| subscription(id, &[id]));
        let awaits = functions.iter().map(|id| Awaits::new(*id, [ENDED, "paid"]));
        let request = Register::new(at(0), LEASE)
            .with_subscriptions(subscriptions.collect())
            .with_awaits(awaits.collect())
            .with_limits(limits.to_vec());
        self.register(request).await
    }

    /// Registers a worker for `f` and `g`, whose runs must start and end in time.
    pub(super) async fn in_time(&self) -> Result<WorkerId> {
        let both = ["f", "g"].map(|id| limits(id, START, FINISH));
        self.limited(&["f", "g"], &both).await
    }

    /// When the time of a run is over, in milliseconds.
    pub(super) async fn times(&self, run: &str) -> Result<[Option<i64>; 2]> {
        let record = self.record(run).await?;
        let millis = |time: Timestamp| time.as_millis() - at(0).as_millis();
        Ok([record.start_by, record.finish_by].map(|time| time.map(millis)))
    }

    pub(super) async fn expire_all(&self, now: Timestamp) -> Result<Expired> {
        self.expire(now, 100).await
    }

    pub(super) async fn claim_named(&self, worker: WorkerId, run: &str) -> Result<ClaimedRun> {
        let claimed = self
            .take_named(worker, &["f", "g"], &run.into(), at(0))
            .await?;
        Ok(claimed.expect("a new run can be claimed"))
    }
}

pub(super) async fn limits_are_those_registered_last(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let free = store.start_free("e-0").await?;
    assert_eq!(store.times(&free).await?, [None, None], "nobody has it");
    store
        .limited(&["f", "g"], &[limits("f", 10, None), limits("g", 9, 99)])
        .await?;
    let second = other.limited(&["f"], &[limits("f", 20, 200)]).await?;
    let run = store.start_free("e-1").await?;
    assert_eq!(store.times(&run).await?, [Some(20), Some(200)]);
    // Another function is none of its business.
    let g = store.start("e-2", "g").await?;
    assert_eq!(store.times(&g).await?, [Some(9), Some(99)]);
    other.deregister(second, at(0)).await?;
    let run = store.start_free("e-3").await?;
    assert_eq!(store.times(&run).await?, [Some(20), Some(200)]);
    other.limited(&["f"], &[limits("f", None, 300)]).await?;
    let run = store.start_free("e-4").await?;
    assert_eq!(store.times(&run).await?, [None, Some(300)]);
    other.limited(&["f"], &[]).await?;
    let run = store.start_free("e-5").await?;
    assert_eq!(
        store.times(&run).await?,
        [None, None],
        "it has all the time"
    );
    other.limited(&["f"], &[limits("f", None, None)]).await?;
    let run = store.start_free("e-6").await?;
    assert_eq!(store.times(&run).await?, [None, None]);
    let ended = store.expire_all(at(99_000)).await?;
    assert_eq!(ended.runs.len(), 4, "{ended:?}");
    assert_eq!((ended.next, ended.more), (None, false));
    Ok(())
}

impl Client {
    /// Starts a run of `f` whoever subscribes.
    pub(super) async fn start_free(&self, id: &str) -> Result<Arc<str>> {
        let published = self.publish_all(vec![targeted(id, "f", None)], at(0));
        Ok(Arc::clone(&published.await?[0].runs[0].run_id))
    }
}

pub(super) async fn limits_hold_for_each_new_run(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.in_time().await?;
    let expected = [Some(START), Some(FINISH)];
    let subscribed = other.start("e-1", "f").await?;
    assert_eq!(other.times(&subscribed).await?, expected);
    other
        .publish_all(vec![targeted("e-2", "g", Some("r-2"))], at(0))
        .await?;
    assert_eq!(store.times("r-2").await?, expected);
    let leased = other.publish_and_take(worker, &["f", "g"], event("e-3", "g"));
    assert_eq!(leased.await?, [Arc::from("g")]);
    if keeps_none(&bench) {
        return Ok(());
    }
    let parent = store.claim_named(worker, &subscribed).await?;
    let starts = vec![
        start(&parent, "child", true),
        targeted("e-none", "none", Some("none")).with_parent(start(&parent, "x", true).parent),
    ];
    let commit = Commit::new(parent.lease).with_starts(starts);
    store.renew(worker, at(7_000), LEASE).await?;
    store.commit_one(commit, at(7_000)).await?;
    let later = [Some(START + 7_000), Some(FINISH + 7_000)];
    assert_eq!(other.times("child").await?, later);
    assert_eq!(other.times("none").await?, [None, None]);
    Ok(())
}

pub(super) async fn limits_count_from_when_a_run_is_due(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.in_time().await?;
    let mut later = event("later", "f");
    later.due_at = at(9_000);
    store.publish_all(vec![later], at(0)).await?;
    let runs = store.list(RunFilter::new()).await?.runs;
    let run = &runs[0].run_id;
    let expected = [Some(9_000 + START), Some(9_000 + FINISH)];
    assert_eq!(store.times(run).await?, expected);
    assert!(store.expire_all(at(9_000)).await?.runs.is_empty());
    assert!(store.cancel(run, at(9_000)).await?);
    // An event that says an earlier time is due at once, and no earlier.
    store.renew(worker, at(10_000), LEASE).await?;
    let published = store
        .publish_all(vec![event("past", "f")], at(10_000))
        .await?;
    let run = &published[0].runs[0].run_id;
    let expected = [Some(10_000 + START), Some(10_000 + FINISH)];
    assert_eq!(store.times(run).await?, expected);
    // The workers were last heard of long before the publish, or the clock of the publisher is ahead of theirs.
    let back = 14 * 60 * 60 * 1_000;
    let mut ahead = event("ahead", "f");
    ahead.due_at = at(back);
    let published = store.publish_all(vec![ahead], at(back)).await?;
    let run = Arc::clone(&published[0].runs[0].run_id);
    let expected = [Some(back + START), Some(back + FINISH)];
    assert_eq!(store.times(&run).await?, expected);
    store.renew(worker, at(back), LEASE).await?;
    let over = store.expire_all(at(back)).await?.runs;
    assert!(
        !over.contains(&run),
        "it has all its time when they come back"
    );
    // The clock of the publisher is behind those of the workers: so is what it takes for later.
    let mut delayed = event("delayed", "f");
    delayed.due_at = at(30_000);
    let published = store.publish_all(vec![event("behind", "f"), delayed], at(20_000));
    for event in published.await? {
        assert_eq!(store.times(&event.runs[0].run_id).await?, expected);
    }
    // But by more than a day.
    let before = back - 25 * 60 * 60 * 1_000;
    let mut early = event("early", "f");
    early.due_at = at(before);
    let published = store.publish_all(vec![early], at(before)).await?;
    let expected = [Some(before + START), Some(before + FINISH)];
    assert_eq!(store.times(&published[0].runs[0].run_id).await?, expected);
    Ok(())
}

pub(super) async fn limits_of_a_far_delay_are_at_the_end_of_time(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.in_time().await?;
    for due in [i64::MAX, i64::MAX - 1, Timestamp::LATEST.as_millis()] {
        let mut far = event(&due.to_string(), "f");
        far.due_at = Timestamp::from_millis(due);
        let published = store.publish_all(vec![far], at(0)).await?;
        store.is_never_over(&published[0].runs[0].run_id).await?;
    }
    if !keeps_none(&bench) {
        let parent = store.start("parent", "g").await?;
        let parent = store.claim_named(worker, &parent).await?;
        let mut far = start(&parent, "child", true);
        far.due_at = Timestamp::from_millis(i64::MAX);
        let commit = Commit::new(parent.lease).with_starts(vec![far]);
        store.commit_one(commit, at(0)).await?;
        store.is_never_over("child").await?;
    }
    store
        .limited(&["h"], &[limits("h", i64::MAX, i64::MAX)])
        .await?;
    let run = store.start("h", "h").await?;
    store.is_never_over(&run).await?;
    Ok(())
}

impl Client {
    async fn is_never_over(&self, run: &str) -> Result<()> {
        let record = self.record(run).await?;
        let last = Some(Timestamp::LATEST);
        assert_eq!((record.start_by, record.finish_by), (last, last));
        Ok(())
    }
}

pub(super) async fn limits_of_a_run_stay(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.in_time().await?;
    let run = store.start("e-1", "f").await?;
    let expected = [Some(START), Some(FINISH)];
    store.limited(&["f"], &[]).await?;
    assert_eq!(store.times(&run).await?, expected);
    let listed = store.list(RunFilter::new()).await?.runs;
    assert_eq!(listed[0].finish_by, Some(at(FINISH)));
    let claimed = store.claim_named(worker, &run).await?;
    assert_eq!(store.times(&run).await?, expected, "also when it goes on");
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(claimed.lease, Vec::new(), complete, at(3))
        .await?;
    assert_eq!(store.times(&run).await?, expected, "also when it is over");
    assert_eq!(store.expire_all(at(99_000)).await?, Expired::default());
    assert_eq!(store.status_of(&run).await?, RunStatus::Completed);
    Ok(())
}

pub(super) async fn claim_brings_nothing_whose_time_is_over(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.in_time().await?;
    let fresh = store.start("fresh", "f").await?;
    let begun = store.start("begun", "f").await?;
    let lease = store.claim_named(worker, &begun).await?.lease;
    let suspend = Some(Transition::suspend(at(1)));
    store.must_write(lease, Vec::new(), suspend, at(1)).await?;
    for run in [&fresh, &begun] {
        let (brings, over) = if *run == fresh {
            (START - 1, START)
        } else {
            (FINISH - 1, FINISH)
        };
        let named = store.take_named(worker, &["f"], run, at(over)).await?;
        assert!(named.is_none(), "not by name");
        let due = store.take(worker, &["f"], at(over)).await?.runs;
        assert!(due.iter().all(|claimed| claimed.run_id != *run));
        for claimed in due {
            let back = Some(Transition::suspend(at(1)));
            store
                .must_write(claimed.lease, Vec::new(), back, at(1))
                .await?;
        }
        let named = store.take_named(worker, &["f"], run, at(brings)).await?;
        assert!(named.is_some(), "until then");
    }
    assert!(
        store
            .claim(Claim::new(capacity(worker, 9, &["f"]), at(0)))
            .await?
            .runs
            .is_empty()
    );
    Ok(())
}

pub(super) async fn rerun_gives_time_anew(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.in_time().await?;
    let never = store.start("never", "f").await?;
    let begun = store.start("begun", "g").await?;
    store.claim_named(worker, &begun).await?;
    let ended = store.expire_all(at(6_000)).await?;
    assert_eq!(ended.runs.len(), 2);
    for run in [&never, &begun] {
        store.limited(&["f", "g"], &[]).await?;
        assert!(store.rerun(Rerun::new(Arc::clone(run), at(7_000))).await?);
        let record = store.record(run).await?;
        assert_eq!(record.result, None);
        assert_eq!(record.finish_by, Some(at(7_000 + FINISH)));
    }
    assert_eq!(
        store.times(&never).await?,
        [Some(7_000 + START), Some(7_000 + FINISH)]
    );
    let none = store.expire_all(at(7_000 + START - 1)).await?;
    assert_eq!((none.runs.len(), none.next), (0, Some(at(7_000 + START))));
    let ended = store.expire_all(at(7_000 + START)).await?;
    assert_eq!(ended.runs, [never]);
    let ended = store.expire_all(at(7_000 + FINISH)).await?;
    assert_eq!(
        ended.runs,
        [begun],
        "it had started, and so has no start to miss"
    );
    Ok(())
}

pub(super) async fn forget_ends_limits(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.in_time().await?;
    store.deregister(worker, at(0)).await?;
    store.forget("f", at(0), 100).await?;
    let run = store.start_free("e-1").await?;
    assert_eq!(store.times(&run).await?, [None, None]);
    let other = store.start("e-2", "g").await?;
    assert_eq!(store.times(&other).await?, [Some(START), Some(FINISH)]);
    Ok(())
}
