//! How long Redis keeps what is over.

use std::time::Duration;

use belts::store::{
    After, AwaitedType, Awaits, Batch, Entry, Flow, NewEvent, Redis, Register, Rerun, RunFilter,
    RunStatus, Singleton, StepKind, StepState, Store, Subscription, Target, Then, Transition, Wait,
};
use belts_suite::servers;
use redis::cmd;

use super::pause;
use crate::requests::{
    LEASE, at, begin, claim, commit, complete, entry, event, fail, paid, publish, waiting, worker,
};

const TTL: Duration = Duration::from_millis(200);

async fn with_ttl(server: &servers::Redis) -> belts::Result<Redis> {
    Redis::builder(server.url()).ttl(TTL).open().await
}

/// Returns when the keys of a run are gone. Each goes by its own time, which Redis 7.0 reads anew for each of them: the last may go
/// milliseconds after the first.
async fn is_gone(store: &Redis, run: &str) {
    let gone = async {
        while store.run(run).await.expect("the server runs").is_some() {
            pause(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("the run goes by itself");
    pause(Duration::from_millis(50)).await;
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn finished_run_goes_with_all_that_belongs_to_it() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    let worker = worker(&store).await?;
    let named = event("e").with_target(Target::function("f", Some("my run".into())));
    publish(&store, named.clone()).await?;
    let lease = claim(&store, worker, at(0)).await?.runs[0].lease;
    commit(&store, lease, vec![entry(0)], None).await?;
    pause(2 * TTL).await;
    let record = store.run("my run").await?.expect("what lives is kept");
    assert_eq!(record.status, RunStatus::Running);
    commit(&store, lease, vec![entry(1)], Some(complete())).await?;
    assert_eq!(store.journal("my run").await?.len(), 2);
    is_gone(&store, "my run").await;
    assert!(store.journal("my run").await?.is_empty());
    assert!(store.list(RunFilter::default()).await?.runs.is_empty());
    assert!(!publish(&store, named).await?.duplicate, "its event is new");
    assert!(store.cancel("my run", at(2)).await?);
    is_gone(&store, "my run").await;
    // Two runs went, and the purge clears the indexes of them, whatever its time.
    let sizes = || {
        ["runs", "finished"].map(|index| {
            let size = cmd("ZCARD").arg(format!("{{belts}}:{index}")).to_owned();
            server.command::<usize>(&size).expect("the server runs")
        })
    };
    assert_eq!(sizes(), [2, 2]);
    assert_eq!(store.purge(at(-1_000), 10).await?.runs, 2);
    assert_eq!(sizes(), [0, 0]);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn event_stays_for_the_last_of_its_runs() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    let worker = worker(&store).await?;
    let both = event("e").with_target(Target::subscribers());
    let published = publish(&store, both.clone()).await?;
    let runs = claim(&store, worker, at(0)).await?.runs;
    let lease_of = |function: &str| {
        let run = runs.iter().find(|run| &*run.function_id == function);
        run.expect("both functions run").lease
    };
    commit(&store, lease_of("f"), vec![], Some(complete())).await?;
    is_gone(&store, &published.runs[0].run_id).await;
    let again = publish(&store, both.clone()).await?;
    assert!(again.duplicate, "the other run needs it");
    assert_eq!(again.runs.len(), 1);
    commit(&store, lease_of("g"), vec![], Some(complete())).await?;
    is_gone(&store, &published.runs[1].run_id).await;
    assert!(!publish(&store, both).await?.duplicate);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn rerun_stays() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    let worker = worker(&store).await?;
    let run = publish(&store, event("e")).await?.runs.remove(0).run_id;
    let lease = claim(&store, worker, at(0)).await?.runs[0].lease;
    commit(&store, lease, vec![entry(0)], Some(fail())).await?;
    assert!(store.rerun(Rerun::new(&*run, at(2))).await?);
    pause(2 * TTL).await;
    let claimed = claim(&store, worker, at(2)).await?;
    assert_eq!(claimed.runs[0].run_id, run);
    assert_eq!(claimed.runs[0].journal, [entry(0)]);
    assert!(publish(&store, event("e")).await?.duplicate);
    Ok(())
}

/// An event without runs has a time to live, and so has one whose runs are over. But a run may wait for them yet.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn event_stays_for_a_run_that_may_wait_for_it() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", ["t"])])
        .with_awaits(vec![Awaits::new("f", ["paid", "t"])]);
    let worker = store.register(request).await?;
    publish(&store, event("first")).await?;
    let lease = claim(&store, worker, at(0)).await?.runs[0].lease;
    publish(&store, NewEvent::new("paid", "paid", *b"{}", at(0))).await?;
    let second = publish(&store, event("second")).await?.runs.remove(0);
    let other = claim(&store, worker, at(0)).await?.runs[0].lease;
    commit(&store, other, Vec::new(), Some(complete())).await?;
    is_gone(&store, &second.run_id).await;
    pause(2 * TTL).await;
    let types = ["paid", "t"].map(|event_type| AwaitedType::new(event_type, After::Start));
    let wait = Entry::new(0, "wait", StepKind::Wait, StepState::Waiting, at(1))
        .with_wait(Wait::event(types, None));
    commit(&store, lease, vec![wait], None).await?;
    let arrived = store.arrived(&[lease]).await?;
    let events: Vec<&str> = arrived[0].1.iter().map(|one| &*one.event_id).collect();
    assert_eq!(events, ["paid", "second"]);
    commit(&store, lease, Vec::new(), Some(complete())).await?;
    assert_eq!(store.purge(at(10), 10).await?.events, 2);
    assert!(!publish(&store, event("second")).await?.duplicate);
    Ok(())
}

/// With a time to live they were in no index, so that nobody found them who awaited their type later.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn newly_awaited_type_finds_what_has_a_time_to_live() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let ttl = Duration::from_secs(600);
    let store = Redis::builder(server.url()).ttl(ttl).open().await?;
    let worker = worker(&store).await?;
    let (_, lease) = begin(&store, "e", worker).await?;
    publish(&store, paid("one")).await?;
    // Of one that was started and skipped nothing else is left either.
    let skipped = paid("two").with_target(Target::subscribers());
    let request =
        Register::new(at(0), LEASE).with_subscriptions(vec![Subscription::new("g", ["paid"])]);
    let other = store.register(request).await?;
    publish(&store, skipped).await?;
    let run = claim(&store, other, at(0)).await?.runs.remove(0);
    commit(&store, run.lease, Vec::new(), Some(Transition::Skip)).await?;
    commit(&store, lease, vec![waiting(0, After::Start)], None).await?;
    let arrived = store.arrived(&[lease]).await?;
    let events: Vec<&str> = arrived[0].1.iter().map(|one| &*one.event_id).collect();
    assert_eq!(events, ["one", "two"]);
    let key = cmd("PTTL").arg("{belts}:event:one").to_owned();
    assert_eq!(server.command::<i64>(&key).expect("the server runs"), -1);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn purge_clears_the_index_of_events_that_expired() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    for id in ["one", "two"] {
        publish(&store, paid(id)).await?;
    }
    pause(2 * TTL).await;
    let purged = store.purge(at(-1_000), 10).await?;
    assert_eq!((purged.events, purged.more), (2, false));
    let size = cmd("ZCARD").arg("{belts}:idle").to_owned();
    assert_eq!(server.command::<usize>(&size).expect("the server runs"), 0);
    Ok(())
}

/// Those beside the first went while the run was live again.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn run_that_is_rerun_keeps_all_events_of_its_batch() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    let worker = worker(&store).await?;
    let mut run_id = None;
    for id in ["e-1", "e-2", "e-3"] {
        let batch = Batch::new("", 3, Duration::from_secs(5));
        let flow = Flow::new().with_batch(batch);
        let event = event(id).with_target(Target::function("f", None));
        let event = event.with_flows(vec![("f".into(), flow)]);
        let published = publish(&store, event).await?;
        run_id = Some(published.runs[0].run_id.clone());
    }
    let run_id = run_id.expect("there are three");
    let lease = claim(&store, worker, at(0)).await?.runs[0].lease;
    commit(&store, lease, vec![], Some(fail())).await?;
    assert!(store.rerun(Rerun::new(&*run_id, at(1))).await?);
    pause(2 * TTL).await;
    let events = store.batch(&run_id).await?;
    let ids = events.iter().map(|event| &*event.id);
    assert_eq!(ids.collect::<Vec<_>>(), ["e-1", "e-2", "e-3"]);
    let lease = claim(&store, worker, at(1)).await?.runs[0].lease;
    commit(&store, lease, vec![], Some(complete())).await?;
    is_gone(&store, &run_id).await;
    assert!(store.batch(&run_id).await?.is_empty());
    assert!(!publish(&store, event("e-2")).await?.duplicate);
    Ok(())
}

/// Who came later did not wait for a run that was rerun.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn run_of_a_singleton_that_is_rerun_is_live_again() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = with_ttl(&server).await?;
    let worker = worker(&store).await?;
    let single = |id: &str| {
        let flow = Flow::new().with_singleton(Singleton::new("", Then::Skip));
        let event = event(id).with_target(Target::function("f", None));
        event.with_flows(vec![("f".into(), flow)])
    };
    let first = publish(&store, single("e-1")).await?.runs.remove(0);
    let lease = claim(&store, worker, at(0)).await?.runs[0].lease;
    commit(&store, lease, vec![], Some(fail())).await?;
    assert!(store.rerun(Rerun::new(&*first.run_id, at(1))).await?);
    let second = publish(&store, single("e-2")).await?;
    assert!(second.runs[0].skipped().is_some(), "{second:?}");
    let lease = claim(&store, worker, at(1)).await?.runs[0].lease;
    commit(&store, lease, vec![], Some(complete())).await?;
    let third = publish(&store, single("e-3")).await?;
    assert!(third.runs[0].skipped().is_none(), "{third:?}");
    Ok(())
}
