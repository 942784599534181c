//! Limits of runs at once over all workers, by key and by pool, and priorities: who gets a place, and in what order.

use std::{sync::Arc, time::Duration};

use super::{
    bench::{Bench, Client, LEASE, at, entry, event, subscription},
    flowing::flowing,
};
use crate::{
    error::Result,
    store::{
        Capacity, Claim, Claimed, ClaimedRun, Flow, FunctionCapacity, Lane, LaneLimit, Limits,
        Register, Release, Route, Routed, Routing, RunStatus, Timestamp, Transition, WorkerId,
    },
};

/// The pool of the limits of `f`.
pub(super) const POOL: &str = "f:account";
/// One that functions share.
pub(super) const SHARED: &str = "shared:api";

/// Whether the store has nothing to be tested here.
pub(super) fn has_none(bench: &Bench) -> bool {
    !bench.store.capabilities().lanes
}

/// A function of which any number may be taken, with its limits over all workers.
pub(super) fn of(function: &str, lanes: &[(&str, u32)]) -> FunctionCapacity {
    let limits = lanes.iter();
    let limits: Arc<[LaneLimit]> = limits
        .map(|(pool, limit)| LaneLimit::new(*pool, *limit))
        .collect();
    FunctionCapacity::new(function, 100).with_lanes(limits)
}

pub(super) fn one_at_a_time() -> FunctionCapacity {
    of("f", &[(POOL, 1)])
}

/// A run that counts for the limit of this key.
pub(super) fn keyed(key: &str) -> Flow {
    Flow::new().with_lane(Lane::new(POOL, key, 1))
}

impl Client {
    /// Claims up to `most` runs.
    pub(super) async fn claim_of(
        &self,
        worker: WorkerId,
        most: usize,
        functions: &[FunctionCapacity],
        now: Timestamp,
    ) -> Result<Claimed> {
        let capacity = Capacity::new(worker, most, functions.to_vec());
        self.claim(Claim::new(capacity, now)).await
    }

    /// The runs that such a claim brings, by the ids of their events.
    pub(super) async fn brought(
        &self,
        worker: WorkerId,
        most: usize,
        functions: &[FunctionCapacity],
        now: Timestamp,
    ) -> Result<Vec<ClaimedRun>> {
        let mut claimed = self.claim_of(worker, most, functions, now).await?.runs;
        claimed.sort_by(|a, b| a.event_id.cmp(&b.event_id));
        Ok(claimed)
    }

    /// Publishes an event for `f`; its run.
    pub(super) async fn line_up(&self, id: &str, flow: &Flow, now: Timestamp) -> Result<Arc<str>> {
        let mut published = self.publish_all(vec![flowing(id, flow, now)], now).await?;
        let run = published.remove(0).runs.remove(0);
        assert!(matches!(run.routed, None | Some(Routed::Waits { .. })));
        Ok(run.run_id)
    }

    pub(super) async fn end(
        &self,
        run: &ClaimedRun,
        transition: Transition,
        now: Timestamp,
    ) -> Result<()> {
        self.must_write(run.lease, Vec::new(), Some(transition), now)
            .await
    }

    pub(super) async fn done(&self, run: &ClaimedRun, now: Timestamp) -> Result<()> {
        let output: Arc<[u8]> = Arc::from(*b"{\"v\":1,\"ok\":1}");
        self.end(run, Transition::complete(output), now).await
    }
}

pub(super) fn events(runs: &[ClaimedRun]) -> Vec<&str> {
    runs.iter().map(|run| &*run.event_id).collect()
}

pub(super) async fn limit_of_a_key_is_kept(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let one = store.worker(&["f"]).await?;
    let two = other.worker(&["f"]).await?;
    for n in 0..4 {
        for key in ["a", "b"] {
            store
                .line_up(&format!("{key}{n}"), &keyed(key), at(n))
                .await?;
        }
    }
    let two_each = [of("f", &[(POOL, 2)])];
    let first = store.brought(one, 1, &two_each, at(10)).await?;
    let rest = other.brought(two, 100, &two_each, at(10)).await?;
    assert_eq!(
        (first.len(), rest.len()),
        (1, 3),
        "two of each key, whoever asks"
    );
    let claimed = other.claim_of(two, 100, &two_each, at(11)).await?;
    assert!(claimed.runs.is_empty());
    assert_eq!(
        claimed.next_due, None,
        "what is held by a limit is no reason to ask again"
    );
    store.done(&first[0], at(12)).await?;
    let next = other.brought(two, 100, &two_each, at(13)).await?;
    assert_eq!(next.len(), 1);
    assert_eq!(
        next[0].event_id[..1],
        first[0].event_id[..1],
        "its key has a place"
    );
    assert_eq!(next[0].routing, Routing::Done);
    Ok(())
}

pub(super) async fn run_at_rest_holds_no_place(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let limits = [one_at_a_time()];
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        store
            .line_up(id, &keyed("k"), at(i64::try_from(n).unwrap_or(0)))
            .await?;
    }
    let sleeps = store.brought(worker, 100, &limits, at(10)).await?;
    assert_eq!(events(&sleeps), ["a"]);
    store
        .end(&sleeps[0], Transition::suspend(at(1_000)), at(11))
        .await?;
    let waits = store.brought(worker, 100, &limits, at(12)).await?;
    assert_eq!(events(&waits), ["b"], "one that sleeps holds no place");
    store
        .end(&waits[0], Transition::suspend(None), at(13))
        .await?;
    let driven = store.brought(worker, 100, &limits, at(14)).await?;
    assert_eq!(events(&driven), ["c"], "nor does one that waits");
    let claimed = store.claim_of(worker, 100, &limits, at(15)).await?;
    assert_eq!((claimed.runs.len(), claimed.next_due), (0, Some(at(1_000))));
    assert!(
        store
            .brought(worker, 100, &limits, at(1_000))
            .await?
            .is_empty()
    );
    store.done(&driven[0], at(1_001)).await?;
    let again = store.brought(worker, 100, &limits, at(1_002)).await?;
    assert_eq!(events(&again), ["a"], "it takes its turn again");
    Ok(())
}

pub(super) async fn place_is_free_with_the_end_of_its_lease(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let register = |now: Timestamp, name: &str| {
        Register::new(now, LEASE)
            .with_name(name)
            .with_subscriptions(vec![subscription("f", &["f"])])
            .with_limits(vec![
                Limits::new("f").with_finish_within(Duration::from_secs(9_000)),
            ])
    };
    let mut worker = store.register(register(at(0), "one")).await?;
    let limits = [one_at_a_time()];
    for n in 0..12 {
        store
            .line_up(&format!("e{n:02}"), &keyed("k"), at(n))
            .await?;
    }
    let mut now = 100;
    let error: Arc<[u8]> = Arc::from(*b"{\"v\":1,\"ok\":1}");
    for how in 0..10 {
        now += 100;
        let taken = store.brought(worker, 100, &limits, at(now)).await?;
        assert_eq!(taken.len(), 1, "{how}");
        assert!(
            store
                .brought(worker, 100, &limits, at(now))
                .await?
                .is_empty(),
            "{how}"
        );
        let (run, end) = (&taken[0], |transition| {
            store.end(&taken[0], transition, at(now + 1))
        });
        match how {
            0 => end(Transition::fail(1, Arc::clone(&error))).await?,
            1 => end(Transition::retry(at(9_000_000), 1, Arc::clone(&error))).await?,
            2 => end(Transition::Stop).await?,
            3 => end(Transition::Skip).await?,
            4 => {
                end(Transition::Cancel {
                    error: Arc::clone(&error),
                })
                .await?;
            }
            5 => assert!(store.cancel(&run.run_id, at(now + 1)).await?),
            6 => {
                // It is due at once, and has the place again; it ends so that the next one can.
                assert_eq!(store.release(Release::new(worker, at(now + 1))).await?, 1);
                let again = store.brought(worker, 100, &limits, at(now + 2)).await?;
                assert_eq!(again.len(), 1);
                store.done(&again[0], at(now + 3)).await?;
            }
            7 => {
                now += 10;
                worker = store.register(register(at(now), "one")).await?;
                let again = store.brought(worker, 100, &limits, at(now)).await?;
                assert_eq!(again.len(), 1, "another has taken its name");
                store.done(&again[0], at(now + 1)).await?;
            }
            8 => {
                store.deregister(worker, at(now + 1)).await?;
                worker = store.register(register(at(now + 1), "two")).await?;
                let again = store.brought(worker, 100, &limits, at(now + 2)).await?;
                assert_eq!(again.len(), 1);
                store.done(&again[0], at(now + 3)).await?;
            }
            _ => {
                let other = store.register(register(at(now), "three")).await?;
                assert!(
                    store
                        .brought(other, 100, &limits, at(now + 1))
                        .await?
                        .is_empty()
                );
                now += 31_000;
                let again = store.brought(other, 100, &limits, at(now)).await?;
                assert_eq!(again.len(), 1, "its worker is silent");
                store.done(&again[0], at(now + 1)).await?;
                worker = other;
            }
        }
    }
    let last = store.brought(worker, 100, &limits, at(now + 100)).await?;
    assert_eq!(last.len(), 1);
    // The time of all of them is over, of the one that is driven as well.
    let expired = store.expire(at(9_000_020), 100).await?;
    assert!(expired.runs.len() >= 2, "{expired:?}");
    Ok(())
}

pub(super) async fn keys_take_turns(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut many = Vec::new();
    for n in 0..40 {
        many.push(flowing(&format!("big-{n:02}"), &keyed("big"), at(0)));
    }
    store.publish_all(many, at(0)).await?;
    for key in ["s", "t", "u"] {
        for n in 0..2 {
            store
                .line_up(&format!("{key}-{n}"), &keyed(key), at(1 + n))
                .await?;
        }
    }
    let limits = [of("f", &[(POOL, 100)])];
    let first = store.brought(worker, 4, &limits, at(10)).await?;
    assert_eq!(
        events(&first),
        ["big-00", "s-0", "t-0", "u-0"],
        "a round of all keys"
    );
    let mut keys = Vec::new();
    // One after the other, at one and the same moment.
    for _ in 0..4 {
        let next = store.brought(worker, 1, &limits, at(10)).await?;
        keys.push(next[0].event_id[..1].to_owned());
    }
    keys.sort_unstable();
    assert_eq!(keys, ["b", "s", "t", "u"], "each has one turn in a round");
    let rest = store.claim_of(worker, 10, &limits, at(11)).await?;
    assert_eq!(rest.runs.len(), 10, "whoever is alone has all the places");
    assert!(
        rest.next_due.is_some_and(|due| due <= at(11)),
        "more is left"
    );
    Ok(())
}

pub(super) async fn full_key_stops_nobody(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f", "g"]).await?;
    let limits = [one_at_a_time(), FunctionCapacity::new("g", 100)];
    let many = (0..300).map(|n| flowing(&format!("full-{n:03}"), &keyed("full"), at(0)));
    store.publish_all(many.collect(), at(0)).await?;
    let holder = store.brought(worker, 100, &limits, at(1)).await?;
    assert_eq!(events(&holder), ["full-000"]);
    for (n, key) in ["x", "y", "z"].into_iter().enumerate() {
        store.line_up(key, &keyed(key), at(10)).await?;
        store
            .publish_all(vec![event(&format!("g{n}"), "g")], at(10))
            .await?;
        let taken = store.brought(worker, 100, &limits, at(20)).await?;
        assert_eq!(events(&taken), [format!("g{n}").as_str(), key]);
    }
    store.line_up("plain", &Flow::new(), at(30)).await?;
    let taken = store.brought(worker, 100, &limits, at(30)).await?;
    assert_eq!(
        events(&taken),
        ["plain"],
        "a run without a limit is in nobody's way"
    );
    store.done(&holder[0], at(40)).await?;
    let next = store.brought(worker, 100, &limits, at(41)).await?;
    assert_eq!(events(&next), ["full-001"]);
    Ok(())
}

pub(super) async fn limits_are_those_of_the_claim(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for n in 0..12 {
        store
            .line_up(&format!("e{n:02}"), &keyed("k"), at(n))
            .await?;
    }
    let by = |limit| [of("f", &[(POOL, limit)])];
    let mut held = store.brought(worker, 100, &by(2), at(20)).await?;
    assert_eq!(held.len(), 2);
    assert!(store.brought(worker, 100, &by(2), at(21)).await?.is_empty());
    let more = store.brought(worker, 100, &by(5), at(22)).await?;
    assert_eq!(more.len(), 3, "a limit that was raised holds at once");
    held.extend(more);
    for left in (0..5).rev() {
        let next = store.brought(worker, 100, &by(1), at(30)).await?;
        assert!(next.is_empty(), "{left} are driven yet, by the old limit");
        store.done(&held.remove(0), at(31)).await?;
    }
    let next = store.brought(worker, 100, &by(1), at(32)).await?;
    assert_eq!(
        events(&next),
        ["e05"],
        "one that was lowered holds for what begins"
    );
    assert!(store.brought(worker, 100, &by(1), at(33)).await?.is_empty());
    // The code has no such limit any more.
    let none = [FunctionCapacity::new("f", 3)];
    let mut free = store.brought(worker, 100, &none, at(34)).await?;
    assert_eq!(free.len(), 3);
    let another = [of("f", &[("f:region", 1)])];
    free.extend(store.brought(worker, 100, &another, at(35)).await?);
    let mut free = events(&free);
    free.sort_unstable();
    let left = ["e06", "e07", "e08", "e09", "e10", "e11"];
    assert_eq!(free, left, "nor has another one a say");
    Ok(())
}

pub(super) async fn routed_run_stands_in_line(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let limits = [one_at_a_time()];
    for id in ["a", "b"] {
        store.publish_all(vec![event(id, "f")], at(0)).await?;
    }
    let unrouted = store.brought(worker, 100, &limits, at(1)).await?;
    assert_eq!(
        events(&unrouted),
        ["a", "b"],
        "their keys are not known yet"
    );
    for run in &unrouted {
        let route = Route::new(run.lease, "f", keyed("k"), at(2));
        assert!(matches!(
            store.route(route).await?,
            Routed::Waits { until: Some(_) }
        ));
        let record = store.record(&run.run_id).await?;
        assert_eq!(
            (record.status, record.started_at),
            (RunStatus::Pending, None)
        );
    }
    let first = store.brought(worker, 100, &limits, at(3)).await?;
    assert_eq!(events(&first), ["a"]);
    assert_eq!(first[0].routing, Routing::Done);
    store.done(&first[0], at(4)).await?;
    let begun = store.brought(worker, 100, &limits, at(5)).await?;
    assert_eq!(events(&begun), ["b"]);
    store.done(&begun[0], at(6)).await?;
    // One that began before its function had a limit goes on where it was.
    store.publish_all(vec![event("c", "f")], at(7)).await?;
    let begun = store.brought(worker, 100, &limits, at(7)).await?;
    let entries = vec![entry(0, "one", "1")];
    store
        .must_write(begun[0].lease, entries, None, at(8))
        .await?;
    let route = Route::new(begun[0].lease, "f", keyed("k"), at(9));
    assert!(matches!(store.route(route).await?, Routed::Waits { .. }));
    let again = store.brought(worker, 100, &limits, at(10)).await?;
    assert_eq!((again[0].journal.len(), again[0].started_at), (1, at(7)));
    Ok(())
}

pub(super) async fn priority_moves_a_run_once_it_is_due(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let limits = [of("f", &[])];
    let moved = |seconds| Flow::new().with_priority(seconds);
    store.line_up("usual", &moved(0), at(10_000)).await?;
    store.line_up("late", &moved(-600), at(10_000)).await?;
    store.line_up("some", &moved(1), at(10_000)).await?;
    store.line_up("first", &moved(600), at(10_500)).await?;
    let mut delayed = flowing("delayed", &moved(600), at(10_000));
    delayed.due_at = at(60_000);
    store.publish_all(vec![delayed], at(10_000)).await?;
    let mut order = Vec::new();
    for now in [11_000, 11_001, 11_002] {
        let next = store.brought(worker, 1, &limits, at(now)).await?;
        order.push(next[0].event_id.to_string());
    }
    assert_eq!(order, ["first", "some", "usual"]);
    let rest = store.claim_of(worker, 10, &limits, at(11_003)).await?;
    assert_eq!(
        events(&rest.runs),
        ["late"],
        "later than others, but not for no reason"
    );
    assert_eq!(rest.next_due, Some(at(60_000)), "it is not due earlier");
    store.line_up("before", &moved(0), at(59_000)).await?;
    let next = store.brought(worker, 1, &limits, at(60_000)).await?;
    assert_eq!(events(&next), ["delayed"]);
    // Within a line of a limit as well.
    for (id, seconds) in [("k-usual", 0), ("k-first", 30)] {
        store
            .line_up(id, &keyed("k").with_priority(seconds), at(70_000))
            .await?;
    }
    let next = store
        .brought(worker, 100, &[one_at_a_time()], at(71_000))
        .await?;
    assert_eq!(events(&next), ["before", "k-first"]);
    Ok(())
}
