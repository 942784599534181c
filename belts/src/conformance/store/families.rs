//! The ends of runs that others have started: how they are told, and how whoever waits hears of them.

use super::{
    bench::{Bench, Client, at, ok, targeted},
    meeting::wait,
    starting::{call, start},
    waiting::keeps_none,
};
use crate::{
    error::Result,
    store::{Arrival, ClaimedRun, Commit, ENDED, Transition, WorkerId},
};

pub(super) const FAILURE: &[u8; 17] = b"{\"v\":1,\"err\":{}} ";

pub(super) fn fail() -> Transition {
    Transition::fail(1, *FAILURE)
}

/// What the one arrival says.
pub(super) fn told(arrivals: &[Arrival]) -> (u32, &str) {
    let [arrival] = arrivals else {
        panic!("one end is told: {arrivals:?}");
    };
    assert_eq!(&*arrival.event_type, ENDED);
    let said = std::str::from_utf8(&arrival.payload).expect("it is JSON");
    (arrival.seq, said)
}

pub(super) async fn end(
    client: &Client,
    worker: WorkerId,
    id: &str,
    how: Transition,
) -> Result<()> {
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
        wait(store, &parent, call(0, id), in_one).await?;
        if !end_first {
            end(&other, worker, id, complete()).await?;
        }
        hears(store, worker, &parent).await?;
    }
    Ok(())
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
        wait(store, &parent, call(0, &id), round % 2 == 0).await?;
        ending.await.expect("the end does not panic")?;
        hears(store, worker, &parent).await?;
    }
    Ok(())
}
