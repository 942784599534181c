//! The ends of runs that others have started: how they are told, and which runs end together.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, at, ok, targeted},
    starting::{call, start},
    waiting::keeps_none,
};
use crate::{
    error::Result,
    store::{
        Arrival, ClaimedRun, Commit, CommitBatch, CommitOutcome, ENDED, Rerun, RunStatus,
        StepState, Transition, WorkerId,
    },
};

const FAILURE: &[u8; 17] = b"{\"v\":1,\"err\":{}} ";

fn fail() -> Transition {
    Transition::fail(1, *FAILURE)
}

/// What the one arrival says.
fn told(arrivals: &[Arrival]) -> (u32, &str) {
    let [arrival] = arrivals else {
        panic!("one end is told: {arrivals:?}");
    };
    assert_eq!(&*arrival.event_type, ENDED);
    let said = std::str::from_utf8(&arrival.payload).expect("it is JSON");
    (arrival.seq, said)
}

async fn end(client: &Client, worker: WorkerId, id: &str, how: Transition) -> Result<()> {
    let run = client
        .take_named(worker, &["f", "g"], &id.into(), at(2))
        .await?;
    let run = run.expect("a run that was started can be claimed");
    client
        .must_write(run.lease, Vec::new(), Some(how), at(2))
        .await
}

pub(super) async fn end_of_a_started_run_is_told(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    let completed = r#"{"status":"completed","result":{"v":1,"ok":[7]}}"#;
    let failed = r#"{"status":"failed","result":{"v":1,"err":{}} }"#;
    let by_event = r#"{"status":"cancelled","result":{"v":1,"err":{}} }"#;
    let ways = [
        (
            "completed",
            Some(Transition::complete(ok("[7]"))),
            completed,
        ),
        ("failed", Some(fail()), failed),
        ("by-event", Some(Transition::cancel(*FAILURE)), by_event),
        (
            "skipped",
            Some(Transition::Skip),
            r#"{"status":"skipped","result":null}"#,
        ),
        ("cancelled", None, r#"{"status":"cancelled","result":null}"#),
    ];
    for (id, how, said) in ways {
        let parent = store.begin(worker, &format!("p-{id}")).await?;
        store.call(&parent, &[id], true).await?;
        match how {
            Some(how) => end(&other, worker, id, how).await?,
            None => assert!(other.cancel(id, at(2)).await?),
        }
        let record = store.record(&parent.run_id).await?;
        assert!(record.due_at.is_some_and(|due_at| due_at <= at(2)), "{id}");
        let woken = store.take_one(worker, &["f"], at(2)).await?;
        assert_eq!(
            (&*woken.run_id, told(&woken.arrivals)),
            (&*parent.run_id, (0, said))
        );
        assert!(store.cancel(&woken.run_id, at(2)).await?);
    }
    // A function that nobody has any more.
    let parent = store.begin(worker, "p-forgotten").await?;
    let gone = targeted("e-gone", "gone", Some("gone"));
    let of = start(&parent, "gone", true).parent;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(4, "gone")])
        .with_starts(vec![gone.with_parent(of)])
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(2)).await?;
    store.forget("gone", at(3), 10).await?;
    let woken = store.take_one(worker, &["f"], at(3)).await?;
    assert_eq!(
        told(&woken.arrivals),
        (4, r#"{"status":"cancelled","result":null}"#)
    );
    Ok(())
}

pub(super) async fn end_of_other_runs_is_not_told(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store
        .publish_one(targeted("e-free", "g", Some("free")), at(1))
        .await?;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, "free")])
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(1)).await?;
    end(store, worker, "free", Transition::complete(ok("1"))).await?;
    assert!(store.take(worker, &["f"], at(3)).await?.runs.is_empty());
    Ok(())
}

pub(super) async fn end_and_wait_meet_in_any_order(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    for (id, end_first, in_one) in [
        ("a", true, false),
        ("b", true, true),
        ("c", false, false),
        ("d", false, true),
    ] {
        let parent = store.begin(worker, &format!("p-{id}")).await?;
        let started = Commit::new(parent.lease).with_starts(vec![start(&parent, id, false)]);
        store.commit_one(started, at(1)).await?;
        let complete = || Transition::complete(ok("1"));
        if end_first {
            end(&other, worker, id, complete()).await?;
        }
        wait(store, &parent, id, in_one).await?;
        if !end_first {
            end(&other, worker, id, complete()).await?;
        }
        hears(store, worker, &parent).await?;
    }
    Ok(())
}

async fn wait(client: &Client, parent: &ClaimedRun, id: &str, in_one: bool) -> Result<()> {
    let suspend = || Some(Transition::suspend(None));
    let entries = vec![call(0, id)];
    if in_one {
        return client
            .must_write(parent.lease, entries, suspend(), at(1))
            .await;
    }
    client
        .must_write(parent.lease, entries, None, at(1))
        .await?;
    client
        .must_write(parent.lease, Vec::new(), suspend(), at(1))
        .await
}

/// The run is due, and hears of an end.
async fn hears(client: &Client, worker: WorkerId, parent: &ClaimedRun) -> Result<()> {
    let runs = client.take(worker, &["f"], at(2)).await?.runs;
    let [run] = &*runs else {
        panic!("{} and the end missed each other", parent.event_id);
    };
    assert_eq!(run.run_id, parent.run_id);
    told(&run.arrivals);
    assert!(client.cancel(&run.run_id, at(2)).await?);
    Ok(())
}

pub(super) async fn end_and_wait_meet_at_once(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let rounds = if bench.store.capabilities().durable {
        200
    } else {
        2_000
    };
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    for round in 0..rounds {
        let id = format!("c-{round}");
        let parent = store.begin(worker, &format!("p-{round}")).await?;
        let started = Commit::new(parent.lease).with_starts(vec![start(&parent, &id, true)]);
        store.commit_one(started, at(1)).await?;
        let child = store
            .take_named(worker, &["g"], &(&*id).into(), at(1))
            .await?;
        let lease = child.expect("it was just started").lease;
        let ending = {
            let (other, id) = (other.clone(), id.clone());
            tokio::spawn(async move {
                if round % 3 == 0 {
                    return other.cancel(&id, at(2)).await.map(drop);
                }
                let complete = Some(Transition::complete(ok("1")));
                other.must_write(lease, Vec::new(), complete, at(2)).await
            })
        };
        wait(store, &parent, &id, round % 2 == 0).await?;
        ending.await.expect("the end does not panic")?;
        hears(store, worker, &parent).await?;
    }
    Ok(())
}

pub(super) async fn end_is_told_again_to_whoever_starts_it(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c"], true).await?;
    end(store, worker, "c", Transition::complete(ok("3"))).await?;
    let parent = store.take_one(worker, &["f"], at(2)).await?;
    store
        .must_write(parent.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    let again = Rerun::new(Arc::clone(&parent.run_id), at(3)).with_from(0);
    assert!(store.rerun(again).await?);
    let parent = store.take_one(worker, &["f"], at(3)).await?;
    // What was told before may be gone by now, or this may not be found behind it.
    let place = parent
        .arrivals
        .first()
        .map_or(i64::MIN, |arrival| arrival.place);
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, "c")])
        .with_starts(vec![start(&parent, "c", true)])
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(4)).await?;
    let parent = store.take_one(worker, &["f"], at(4)).await?;
    let arrival = parent.arrivals.last().expect("it is told again");
    assert!(arrival.place > place);
    let said = r#"{"status":"completed","result":{"v":1,"ok":3}}"#;
    assert_eq!(&*arrival.payload, said.as_bytes());
    Ok(())
}

pub(super) async fn rerun_takes_back_what_was_told(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    let starts = vec![start(&parent, "c", true)];
    store
        .commit_one(Commit::new(parent.lease).with_starts(starts), at(1))
        .await?;
    end(store, worker, "c", fail()).await?;
    assert!(store.rerun(Rerun::new("c", at(2))).await?);
    wait(store, &parent, "c", true).await?;
    assert!(store.take(worker, &["f"], at(2)).await?.runs.is_empty());
    end(store, worker, "c", Transition::complete(ok("1"))).await?;
    let woken = store.take_one(worker, &["f"], at(2)).await?;
    let said = r#"{"status":"completed","result":{"v":1,"ok":1}}"#;
    assert_eq!(told(&woken.arrivals), (0, said));
    Ok(())
}

pub(super) async fn gone_run_is_told_as_gone(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["there", "over"], false).await?;
    end(store, worker, "over", Transition::complete(ok("1"))).await?;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(2, "never")])
        .with_watches(["never", "there", "over"].map(Arc::from).into())
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(3)).await?;
    let woken = store.take_one(worker, &["f"], at(3)).await?;
    let said = |seq: u32| {
        let mut of_seq = woken
            .arrivals
            .iter()
            .filter(move |arrival| arrival.seq == seq);
        let last = of_seq
            .next_back()
            .map(|arrival| Arc::clone(&arrival.payload));
        last.map(|said| String::from_utf8_lossy(&said).into_owned())
    };
    assert_eq!(said(0), None, "it goes on");
    assert_eq!(
        said(1).as_deref(),
        Some(r#"{"status":"completed","result":{"v":1,"ok":1}}"#)
    );
    assert_eq!(
        said(2).as_deref(),
        Some(r#"{"status":"gone","result":null}"#)
    );
    // What was told once is not told otherwise.
    store.forget_and_watch(&woken, "over").await?;
    let again = store.arrived(&[woken.lease]).await?;
    let arrivals = again.iter().flat_map(|(_, arrivals)| arrivals);
    let gone = arrivals.filter(|arrival| arrival.payload.starts_with(b"{\"status\":\"gone"));
    assert_eq!(gone.count(), 1);
    Ok(())
}

impl Client {
    /// Purges all that has finished, and watches a run of which the end was told.
    async fn forget_and_watch(&self, parent: &ClaimedRun, id: &str) -> Result<()> {
        while self.purge(at(10_000), 100).await?.more {}
        assert!(self.run(id).await?.is_none());
        let commit = Commit::new(parent.lease).with_watches(vec![id.into()]);
        assert_eq!(
            self.commit_one(commit, at(4)).await?,
            CommitOutcome::Applied
        );
        Ok(())
    }
}

pub(super) async fn run_that_is_gone_is_started_again(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    for (nth, how) in [Transition::Skip, Transition::complete(ok("1"))]
        .into_iter()
        .enumerate()
    {
        let id = format!("c-{nth}");
        store.call(&parent, &[&id], false).await?;
        end(store, worker, &id, how).await?;
        while store.purge(at(10_000), 100).await?.more {}
        assert!(store.run(&id).await?.is_none());
        let mut again = start(&parent, &id, true);
        again.id = format!("e-again-{nth}").into();
        let commit = Commit::new(parent.lease)
            .with_entries(vec![call(5, &id)])
            .with_starts(vec![again]);
        assert_eq!(
            store.commit_one(commit, at(3)).await?,
            CommitOutcome::Applied
        );
        let heard = store.arrived(&[parent.lease]).await?;
        assert!(
            heard.is_empty(),
            "what was told of it is taken back: {heard:?}"
        );
        end(store, worker, &id, Transition::complete(ok("2"))).await?;
        let (_, heard) = store.arrived(&[parent.lease]).await?.remove(0);
        let said = r#"{"status":"completed","result":{"v":1,"ok":2}}"#;
        assert!(
            heard
                .iter()
                .all(|arrival| *arrival.payload == *said.as_bytes())
        );
    }
    Ok(())
}

pub(super) async fn rerun_opens_calls_again(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["a", "b", "c"], false).await?;
    end(store, worker, "a", fail()).await?;
    let (_, heard) = store.arrived(&[parent.lease]).await?.remove(0);
    assert_eq!(told(&heard).0, 0);
    let settled = |seq: u32, id: &str, state| {
        let mut entry = call(seq, id)
            .with_value("f", *FAILURE)
            .with_finished_at(at(2));
        entry.state = state;
        entry
    };
    let mut entries = vec![
        settled(0, "a", StepState::Failed),
        call(1, "b").with_due_at(at(900)),
        settled(2, "c", StepState::Failed),
    ];
    for entry in &mut entries {
        entry.wait = store.journal(&parent.run_id).await?[entry.seq as usize]
            .wait
            .clone();
    }
    store
        .must_write(parent.lease, entries, Some(fail()), at(3))
        .await?;
    assert!(store.rerun(Rerun::new("a", at(4))).await?);
    let again = Rerun::new(Arc::clone(&parent.run_id), at(4)).with_reopen(vec![0, 1]);
    assert!(store.rerun(again).await?);
    let run = store.take_one(worker, &["f"], at(4)).await?;
    assert!(
        run.arrivals.iter().all(|arrival| arrival.seq == 1),
        "b was cancelled with it"
    );
    let open: Vec<_> = run
        .journal
        .iter()
        .map(|entry| {
            (
                entry.seq,
                entry.state,
                entry.value.len(),
                entry.due_at,
                entry.finished_at,
            )
        })
        .collect();
    let waits = |seq| (seq, StepState::Waiting, 0, None, None);
    assert_eq!(
        open,
        [waits(0), waits(1)],
        "the failed one that is not named is dropped"
    );
    let suspend = Some(Transition::suspend(None));
    let closed = settled(1, "b", StepState::Completed);
    store
        .must_write(run.lease, vec![closed], suspend, at(5))
        .await?;
    assert!(store.take(worker, &["f"], at(5)).await?.runs.is_empty());
    end(store, worker, "a", Transition::complete(ok("7"))).await?;
    let run = store.take_one(worker, &["f"], at(5)).await?;
    let said = r#"{"status":"completed","result":{"v":1,"ok":7}}"#;
    assert_eq!(
        told(&run.arrivals),
        (0, said),
        "it waits again from where it did"
    );
    Ok(())
}

pub(super) async fn closed_wait_hears_nothing_of_what_was_cancelled(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c"], false).await?;
    let mut closed = call(0, "c")
        .with_value("", ok("null"))
        .with_finished_at(at(2));
    closed.state = StepState::Completed;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![closed])
        .with_cancels(vec!["c".into()])
        .with_transition(Transition::suspend(at(900)));
    store.commit_one(commit, at(2)).await?;
    assert_eq!(store.status_of("c").await?, RunStatus::Cancelled);
    assert_eq!(store.record(&parent.run_id).await?.due_at, Some(at(900)));
    Ok(())
}

/// Starts a family: `c` by the parent, `d` by that one, and `e` by that, all attached; and `free` by the parent, which is not.
async fn generations(
    store: &Client,
    worker: WorkerId,
    id: &str,
) -> Result<(ClaimedRun, [String; 4])> {
    let names = ["c", "d", "e", "free"].map(|name| format!("{id}-{name}"));
    let [c, d, e, free] = &names;
    let parent = store.begin(worker, id).await?;
    let starts = vec![start(&parent, c, true), start(&parent, free, false)];
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, c)])
        .with_starts(starts);
    store.commit_one(commit, at(1)).await?;
    let named = async |id: &str| {
        let run = store.take_named(worker, &["g"], &id.into(), at(1)).await?;
        Ok::<_, crate::Error>(run.expect("it was just started"))
    };
    let child = named(c).await?;
    store.call(&child, &[d], true).await?;
    let child = named(d).await?;
    store.call(&child, &[e], false).await?;
    Ok((parent, names))
}

pub(super) async fn failed_run_cancels_what_it_started(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    for (id, how) in [
        ("failed", Some(fail())),
        ("by-event", Some(Transition::cancel(*FAILURE))),
        ("cancelled", None),
    ] {
        let (parent, [c, d, e, free]) = generations(store, worker, id).await?;
        match how {
            Some(how) => {
                other
                    .must_write(parent.lease, Vec::new(), Some(how), at(5))
                    .await?
            }
            None => assert!(other.cancel(&parent.run_id, at(5)).await?),
        }
        for (run, is_due) in [(&c, false), (&d, false), (&e, false), (&free, true)] {
            let record = store.record(run).await?;
            let ended = (record.status == RunStatus::Cancelled, record.finished_at);
            let expected = if is_due {
                (false, None)
            } else {
                (true, Some(at(5)))
            };
            assert_eq!(ended, expected, "{id}: {run}");
            assert!(is_due || record.due_at.is_none());
        }
        assert!(store.cancel(&free, at(5)).await?);
        // Nobody waits any more, and nobody drives one of them.
        assert!(
            store
                .take(worker, &["f", "g"], at(20_000))
                .await?
                .runs
                .is_empty()
        );
    }
    Ok(())
}

pub(super) async fn what_is_not_attached_goes_on(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let (parent, [c, d, e, free]) = generations(store, worker, "p").await?;
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(parent.lease, Vec::new(), complete, at(2))
        .await?;
    for run in [&c, &d, &e, &free] {
        assert!(!store.status_of(run).await?.is_finished(), "{run}");
    }
    // What has finished stays as it is.
    end(store, worker, &e, Transition::complete(ok("1"))).await?;
    assert!(store.cancel(&c, at(3)).await?);
    assert_eq!(store.status_of(&d).await?, RunStatus::Cancelled);
    assert_eq!(store.status_of(&e).await?, RunStatus::Completed);
    assert!(!store.status_of(&free).await?.is_finished());
    Ok(())
}

pub(super) async fn commit_cancels_runs(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.family().await?;
    let (parent, [c, d, e, free]) = generations(store, worker, "p").await?;
    let stranger = store.begin(worker, "stranger").await?;
    let cancels = |lease| {
        let ids = [&*c, &*d, &*free, "nobody"].map(Arc::from);
        Commit::new(lease).with_cancels(ids.into())
    };
    store.commit_one(cancels(stranger.lease), at(3)).await?;
    for run in [&c, &d, &e, &free] {
        assert!(
            !store.status_of(run).await?.is_finished(),
            "{run} is not its own"
        );
    }
    let commit = cancels(parent.lease).with_transition(Transition::suspend(None));
    let outcome = other.commit_one(commit, at(4)).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    for run in [&c, &d, &e, &free] {
        assert_eq!(store.status_of(run).await?, RunStatus::Cancelled, "{run}");
    }
    let woken = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!(told(&woken.arrivals).0, 0, "it is told as any other end");
    Ok(())
}

/// Many parents, each with children that end as their parent does, one by one, or are cancelled, from four sides at once: nobody waits
/// in a circle, and each end is told.
pub(super) async fn families_end_at_once(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let rounds = if bench.store.capabilities().durable {
        20
    } else {
        200
    };
    let store = &bench.store;
    let worker = store.family().await?;
    for round in 0..rounds {
        let mut parents = Vec::new();
        for place in 0..2 {
            parents.push(store.begin(worker, &format!("p-{round}-{place}")).await?);
        }
        let mut children = Vec::new();
        for nth in 0..2 {
            for parent in &parents {
                let id = format!("{}-{nth}", parent.event_id);
                let started = Commit::new(parent.lease)
                    .with_entries(vec![call(nth, &id)])
                    .with_starts(vec![start(parent, &id, true)]);
                store.commit_one(started, at(1)).await?;
                let child = store
                    .take_named(worker, &["g"], &(&*id).into(), at(1))
                    .await?;
                children.push(child.expect("it was just started"));
            }
        }
        let entries = (0..)
            .zip(&children)
            .map(|(seq, child)| call(seq, &child.run_id));
        store
            .wait(worker, &format!("witness-{round}"), entries.collect())
            .await?;
        let (one, other, third) = (
            bench.another().await?,
            bench.another().await?,
            bench.another().await?,
        );
        let together = |runs: &[ClaimedRun], how: &Transition| {
            let commits = runs
                .iter()
                .map(|run| Commit::new(run.lease).with_transition(how.clone()));
            CommitBatch::new(commits.collect(), at(3))
        };
        let complete = Transition::complete(ok("1"));
        let (up, down) = (together(&children, &complete), together(&parents, &fail()));
        let ids = [&parents[1].run_id, &children[0].run_id, &children[3].run_id];
        let ids = ids.map(Arc::clone);
        let tasks = [
            tokio::spawn(async move { one.commit(up).await.map(drop) }),
            tokio::spawn(async move { other.commit(down).await.map(drop) }),
            tokio::spawn(async move {
                for id in &ids {
                    third.cancel(id, at(3)).await?;
                }
                Ok(())
            }),
        ];
        for task in tasks {
            task.await.expect("no end panics")?;
        }
        for run in parents.iter().chain(&children) {
            let status = store.status_of(&run.run_id).await?;
            assert!(
                status.is_finished(),
                "round {round}: {} is {status}",
                run.run_id
            );
        }
        let witness = store.take_one(worker, &["f"], at(3)).await?;
        let seqs = witness.arrivals.iter().map(|arrival| arrival.seq);
        assert_eq!(
            seqs.collect::<Vec<_>>(),
            [0, 1, 2, 3],
            "round {round}: each end is told once"
        );
        assert!(store.cancel(&witness.run_id, at(4)).await?);
    }
    Ok(())
}
