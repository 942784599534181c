//! Keys that somebody spoiled, or a newer version wrote: none of them stops the others.

use belts::store::{
    After, Commit, Redis, Rerun, RunFilter, RunStatus, SetAside, Store, Transition,
};
use belts_suite::servers;
use redis::{Cmd, cmd};

use crate::requests::{
    LEASE, at, begin, calling, child, claim, commit, commit_one, entry, event, paid, publish,
    waiting, worker,
};

struct Spoiled {
    server: servers::Redis,
    store: Redis,
}

impl Spoiled {
    async fn new() -> belts::Result<Self> {
        let server = servers::Redis::options()
            .start()
            .expect("the server starts");
        let store = Redis::open(server.url()).await?;
        Ok(Self { server, store })
    }

    fn write(&self, command: &Cmd) {
        let _done: redis::Value = self.server.command(command).expect("the server runs");
    }

    fn set(&self, key: &str, text: &str) {
        self.write(cmd("SET").arg(format!("{{belts}}:{key}")).arg(text));
    }

    fn set_field(&self, key: &str, field: &str, text: &str) {
        let key = format!("{{belts}}:{key}");
        self.write(cmd("HSET").arg(key).arg(field).arg(text));
    }
}

fn names(set_aside: &[SetAside]) -> Vec<&str> {
    set_aside.iter().map(|run| &*run.reason).collect()
}

/// One row that could not be read made every claim of the store an error.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn unreadable_run_fails_and_the_others_are_claimed() -> belts::Result<()> {
    let spoiled = Spoiled::new().await?;
    let store = &spoiled.store;
    let worker = worker(store).await?;
    let run = publish(store, event("bad")).await?.runs.remove(0).run_id;
    publish(store, event("good")).await?;
    spoiled.set("event:bad", "no event");
    let claimed = claim(store, worker, at(1)).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(&*claimed.runs[0].event_id, "good");
    assert_eq!(claimed.set_aside[0].run_id, run);
    assert_eq!(
        names(&claimed.set_aside),
        ["it has no line end where one is expected"]
    );
    let record = store.run(&run).await?.expect("it is there still");
    assert_eq!(record.status, RunStatus::Failed);
    let why = String::from_utf8_lossy(record.result.as_deref().expect("it tells")).into_owned();
    assert!(why.contains("cannot be read from the store"), "{why}");
    let page = store.list(RunFilter::default()).await?;
    assert_eq!(page.runs.len(), 2, "a list shows it too");
    // It can be mended and run again.
    spoiled.set("event:bad", "1 1 ,1,\n{\"t\":\"t\"}\n{}");
    assert!(store.rerun(Rerun::new(&*run, at(2))).await?);
    let claimed = claim(store, worker, at(3)).await?;
    assert_eq!(claimed.runs[0].run_id, run);
    assert_eq!(store.run(&run).await?.expect("it runs").result, None);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_a_newer_version_may_have_written_is_put_off() -> belts::Result<()> {
    let spoiled = Spoiled::new().await?;
    let store = &spoiled.store;
    let worker = worker(store).await?;
    let (run, lease) = begin(store, "e", worker).await?;
    let suspend = belts::store::Transition::suspend(at(1));
    commit(store, lease, vec![entry(0)], Some(suspend)).await?;
    let newer = "0{\"p\":\"a\",\"t\":\"()\",\"k\":\"signal\",\"b\":1}\n";
    spoiled.set_field(&format!("steps:{}", lease.run), "1", newer);
    let claimed = claim(store, worker, at(2)).await?;
    assert!(claimed.runs.is_empty());
    assert_eq!(
        names(&claimed.set_aside),
        ["it has a kind of step that this version of belts does not know"]
    );
    let record = store.run(&run).await?.expect("it is there still");
    assert_eq!(
        (record.status, record.due_at),
        (RunStatus::Suspended, Some(at(60_002)))
    );
    assert!(record.result.is_some(), "its record tells the error");
    store.renew(worker, at(60_002), LEASE).await?;
    let known = newer.replace("signal", "sleep");
    spoiled.set_field(&format!("steps:{}", lease.run), "1", &known);
    let claimed = claim(store, worker, at(60_002)).await?;
    assert_eq!(claimed.runs[0].journal.len(), 2);
    assert_eq!(store.run(&run).await?.expect("it runs").result, None);
    Ok(())
}

/// Whatever arrived for its waits made it due at once, so that the next claim set it aside again.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_is_put_off_keeps_its_time_whatever_arrives() -> belts::Result<()> {
    let spoiled = Spoiled::new().await?;
    let store = &spoiled.store;
    let worker = worker(store).await?;
    let (run, lease) = begin(store, "e", worker).await?;
    let suspend = Some(Transition::suspend(None));
    commit(store, lease, vec![waiting(0, After::Start)], suspend).await?;
    let newer = "0{\"p\":\"a\",\"t\":\"()\",\"k\":\"signal\",\"b\":1}\n";
    spoiled.set_field(&format!("steps:{}", lease.run), "1", newer);
    publish(store, paid("first")).await?;
    assert_eq!(claim(store, worker, at(2)).await?.set_aside.len(), 1);
    publish(store, paid("second")).await?;
    let record = store.run(&run).await?.expect("it is there still");
    assert_eq!(record.due_at, Some(at(60_002)));
    assert!(claim(store, worker, at(3)).await?.set_aside.is_empty());
    // It goes on where it can be read, and is woken again.
    let known = newer.replace("signal", "sleep");
    spoiled.set_field(&format!("steps:{}", lease.run), "1", &known);
    let run = claim(store, worker, at(60_002)).await?.runs.remove(0);
    assert_eq!(run.arrivals.len(), 2);
    let passed = waiting(0, After::Place(run.arrivals[1].place));
    let suspend = Some(Transition::suspend(None));
    commit(store, run.lease, vec![passed], suspend).await?;
    publish(store, paid("third")).await?;
    assert_eq!(claim(store, worker, at(60_003)).await?.runs.len(), 1);
    Ok(())
}

/// Keys of another type: the scripts themselves must get over them.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn keys_of_another_type_stop_nobody() -> belts::Result<()> {
    let spoiled = Spoiled::new().await?;
    let store = &spoiled.store;
    let first = worker(store).await?;
    let (_, held) = begin(store, "journal", first).await?;
    let suspend = belts::store::Transition::suspend(at(1));
    commit(store, held, vec![entry(0)], Some(suspend)).await?;
    spoiled.set(&format!("steps:{}", held.run), "no journal");
    publish(store, event("hash")).await?;
    spoiled.set("run:2", "no run");
    publish(store, event("missing")).await?;
    spoiled.write(cmd("DEL").arg("{belts}:run:3"));
    publish(store, event("good")).await?;
    let claimed = claim(store, first, at(2)).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(&*claimed.runs[0].event_id, "good");
    assert_eq!(claimed.set_aside.len(), 2, "{:?}", claimed.set_aside);
    assert!(claim(store, first, at(2)).await?.set_aside.is_empty());
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 2);
    // Sessions and what they want.
    spoiled.set("held:1", "no set");
    spoiled.write(cmd("ZADD").arg("{belts}:workers").arg(1).arg(1));
    spoiled.set("worker:2", "no session");
    spoiled.write(cmd("ZADD").arg("{belts}:workers").arg(1).arg(2));
    spoiled.set_field("wants", "1", "no JSON");
    let second = worker(store).await?;
    claim(store, second, at(3)).await?;
    assert_eq!(store.subscriptions().await?.len(), 2);
    assert_eq!(store.functions(at(3), 10).await?.len(), 2);
    Ok(())
}

/// A run waits for it, and another one ends with it.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn run_that_is_set_aside_tells_its_end() -> belts::Result<()> {
    let spoiled = Spoiled::new().await?;
    let store = &spoiled.store;
    let worker = worker(store).await?;
    let (parent, lease) = begin(store, "e", worker).await?;
    let commit = Commit::new(lease)
        .with_entries(vec![calling(0, "bad")])
        .with_starts(vec![child(&parent, "bad")])
        .with_transition(Transition::suspend(None));
    commit_one(store, commit).await?;
    let bad = claim(store, worker, at(1)).await?.runs.remove(0);
    let commit = Commit::new(bad.lease)
        .with_starts(vec![child("bad", "below"), child("bad", "spoiled")])
        .with_transition(Transition::suspend(at(2)));
    commit_one(store, commit).await?;
    spoiled.set("event:event of bad", "no event");
    spoiled.set("run:4", "no run");
    spoiled.write(cmd("ZREM").arg("{belts}:due:g").arg("4"));

    let claimed = claim(store, worker, at(2)).await?;
    assert_eq!(&*claimed.set_aside[0].run_id, "bad");
    let record = store.run("below").await?.expect("it is there");
    assert_eq!(record.status, RunStatus::Cancelled);
    let woken = claim(store, worker, at(2)).await?.runs.remove(0);
    assert_eq!((&woken.run_id, woken.arrivals.len()), (&parent, 1));
    let told = String::from_utf8_lossy(&woken.arrivals[0].payload).into_owned();
    assert!(
        told.starts_with("{\"status\":\"failed\",\"result\":{\"v\":1,\"err\":"),
        "{told}"
    );
    assert!(told.contains("cannot be read from the store"), "{told}");
    Ok(())
}

/// The claim that sets a run aside had leased what ends with it.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_ends_with_a_run_that_is_set_aside_is_not_leased() -> belts::Result<()> {
    let spoiled = Spoiled::new().await?;
    let store = &spoiled.store;
    let worker = worker(store).await?;
    let (parent, lease) = begin(store, "bad", worker).await?;
    let commit = Commit::new(lease)
        .with_starts(vec![child(&parent, "below")])
        .with_transition(Transition::suspend(at(1)));
    commit_one(store, commit).await?;
    publish(store, event("good")).await?;
    spoiled.set("event:bad", "no event");
    let claimed = claim(store, worker, at(1)).await?;
    assert_eq!(claimed.set_aside[0].run_id, parent);
    let events: Vec<&str> = claimed.runs.iter().map(|run| &*run.event_id).collect();
    assert_eq!(events, ["good"]);
    let record = store.run("below").await?.expect("it is there");
    assert_eq!(record.status, RunStatus::Cancelled);
    Ok(())
}
