//! Keys that the previous release wrote, and its processes beside ours.

use std::time::Duration;

use belts::store::{
    CommitOutcome, Limits, NewEvent, Redis, Register, RunStatus, Store, Subscription, Target,
};
use belts_suite::servers;
use redis::{Cmd, cmd};

use crate::requests::{LEASE, at, claim, commit, complete, entry, event, publish, worker};

const BEFORE: i64 = 1_700_000_000_000;

/// As 0.1.0 left them before sessions had wants: a worker for `f` and `old` that lives, one run that waits, and one that it drives.
fn write(server: &servers::Redis) {
    let key = |name: &str| format!("{{belts}}:{name}");
    let run = |command: &mut Cmd| {
        let _done: redis::Value = server.command(command).expect("the server runs");
    };
    let hash = |name: &str, fields: &[(&str, &str)]| run(cmd("HSET").arg(key(name)).arg(fields));
    let meta = [("format", "1"), ("worker", "7"), ("run", "2")];
    hash("meta", &meta);
    let ends = (BEFORE + 30_000).to_string();
    hash("worker:7", &[("lease", "30000"), ("ends", &ends)]);
    run(cmd("ZADD").arg(key("workers")).arg(&ends).arg("7"));
    run(cmd("SADD").arg(key("held:7")).arg("2"));
    for function in ["f", "old"] {
        run(cmd("SADD").arg(key("functions")).arg(function));
        run(cmd("SADD").arg(key("subscribed")).arg(function));
        run(cmd("SADD")
            .arg(key(&format!("function:{function}")))
            .arg("t"));
        run(cmd("ZADD").arg(key("type:t")).arg(0).arg(function));
    }
    let event = format!("77 {BEFORE} ,1,2,\n{{\"t\":\"t\"}}\n{{}}");
    run(cmd("SET").arg(key("event:before")).arg(event));
    let due = BEFORE.to_string();
    let waits = [
        ("id", "0-1"),
        ("function", "f"),
        ("event", "before"),
        ("token", "77"),
        ("status", "0"),
        ("lease", ""),
        ("due", &due),
    ];
    hash("run:1", &waits);
    run(cmd("ZADD").arg(key("due:f")).arg(&due).arg("1"));
    let driven = [
        ("id", "0-2"),
        ("function", "old"),
        ("event", "before"),
        ("token", "77"),
        ("status", "1"),
        ("lease", "7 77"),
        ("started", &due),
    ];
    hash("run:2", &driven);
    hash(
        "steps:2",
        &[("0", "0{\"p\":\"a\",\"t\":\"()\",\"b\":1,\"f\":0}\n{}")],
    );
    for number in ["1", "2"] {
        run(cmd("ZADD").arg(key("runs")).arg(number).arg(number));
    }
}

fn all_of(id: &str) -> NewEvent {
    event(id).with_target(Target::subscribers())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn runs_of_the_previous_release_go_on() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    write(&server);
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    let mut able = crate::requests::capacity(worker);
    able.functions = able
        .functions
        .iter()
        .map(|function| function.clone().with_event_types(["t"]))
        .collect();
    let request = belts::store::Claim::new(able, at(1));
    let claimed = store.claim(request).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(&*claimed.runs[0].run_id, "0-1");
    assert!(claimed.runs[0].lease.token > 77);
    let lease = claimed.runs[0].lease;
    let outcome = commit(&store, lease, vec![entry(0)], Some(complete())).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    let driven = store.run("0-2").await?.expect("it is there");
    assert_eq!(driven.status, RunStatus::Running);
    assert_eq!(store.journal("0-2").await?.len(), 1);
    assert!(
        publish(&store, event("before")).await?.duplicate,
        "no digest is compared"
    );
    assert!(store.cancel("0-2", at(2)).await?);
    assert_eq!(store.purge(at(10), 10).await?.runs, 2);
    Ok(())
}

/// A session of the previous release replaces what others want for its functions; ours put it right when they renew their lease.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_a_session_of_the_previous_release_replaces_comes_back() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    // As its script for a worker of `f` and the type `s` did.
    for command in [
        cmd("HINCRBY").arg("{belts}:meta").arg("worker").arg(1),
        cmd("ZREM").arg("{belts}:type:t").arg("f"),
        cmd("DEL").arg("{belts}:function:f"),
        cmd("SADD").arg("{belts}:function:f").arg("s"),
        cmd("ZADD").arg("{belts}:type:s").arg(0).arg("f"),
        cmd("ZADD")
            .arg("{belts}:workers")
            .arg(BEFORE + 30_000)
            .arg("8"),
    ] {
        let _done: redis::Value = server.command(command).expect("the server runs");
    }
    assert!(publish(&store, event("1")).await?.runs.is_empty());
    store.renew(worker, at(1), LEASE).await?;
    assert_eq!(publish(&store, event("2")).await?.runs.len(), 1);
    let types: usize = store
        .subscriptions()
        .await?
        .iter()
        .map(|one| one.event_types.len())
        .sum();
    assert_eq!(types, 3, "and it has what it wants itself");
    Ok(())
}

/// A process of the previous release has a function that ours has not: what comes for it starts it.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn session_of_the_previous_release_wants_on_beside_ours() -> belts::Result<()> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    write(&server);
    let store = Redis::open(server.url()).await?;
    let register = |now| {
        Register::new(now, LEASE).with_subscriptions(vec![Subscription::new("f", ["t", "u"])])
    };
    store.register(register(at(0))).await?;
    assert_eq!(
        publish(&store, all_of("1")).await?.runs.len(),
        2,
        "`old` lives"
    );
    // It ends as its own release has it, and a day later it is forgotten.
    let gone = cmd("ZREM").arg("{belts}:workers").arg("7").to_owned();
    let _done: i64 = server.command(&gone).expect("the server runs");
    store.register(register(at(1))).await?;
    assert_eq!(publish(&store, all_of("2")).await?.runs.len(), 2);
    let later = store.register(register(at(DAY + 1))).await?;
    assert_eq!(publish(&store, all_of("3")).await?.runs.len(), 1);
    assert!(!claim(&store, later, at(DAY + 1)).await?.runs.is_empty());
    Ok(())
}

/// What was wanted before sessions had wants stood in one row. It fell as a whole when a program came that had one of its
/// functions, and another program that shared the store lost what was published for it until it came back.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_ended_sessions_of_the_previous_release_wanted_stands_by_function() -> belts::Result<()>
{
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    write(&server);
    let gone = cmd("ZREM").arg("{belts}:workers").arg("7").to_owned();
    let _done: i64 = server.command(&gone).expect("the server runs");
    let store = Redis::open(server.url()).await?;
    let register = async |function: &str| {
        let subscriptions = vec![Subscription::new(function, ["u"])];
        let request = Register::new(at(0), LEASE).with_subscriptions(subscriptions);
        store.register(request).await
    };
    let runs = async |id: &str| -> belts::Result<usize> {
        Ok(publish(&store, all_of(id)).await?.runs.len())
    };
    register("new").await?;
    assert_eq!(runs("1").await?, 2, "nobody speaks for either");
    register("f").await?;
    assert_eq!(runs("2").await?, 1, "`old` still wants it");
    register("old").await?;
    assert_eq!(runs("3").await?, 0);
    Ok(())
}

/// The previous release does not know when the time of a run is over that it reruns: claims passed it over, and nobody ended it.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn time_of_a_run_that_the_previous_release_reran_is_over() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let limits = Limits::new("f").with_finish_within(Duration::from_secs(1));
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", ["t"])])
        .with_limits(vec![limits]);
    let worker = store.register(register).await?;
    let run = publish(&store, event("e")).await?.runs.remove(0).run_id;
    let rerun = |now: i64| {
        let (key, now) = ("{belts}:run:1", at(now).as_millis());
        for command in [
            cmd("HSET").arg(key).arg(&[("status", "2"), ("lease", "")]),
            cmd("HSET").arg(key).arg("due").arg(now),
            cmd("HDEL").arg(key).arg(&["ended", "failed", "crashes"]),
            cmd("HDEL").arg("{belts}:steps:1").arg("result"),
            cmd("ZADD").arg("{belts}:due:f").arg(now).arg("1"),
            cmd("ZREM").arg("{belts}:finished").arg("1"),
        ] {
            let _done: redis::Value = server.command(command).expect("the server runs");
        }
    };
    // Ended in time, and rerun in time.
    assert!(store.cancel(&run, at(1)).await?);
    rerun(2);
    let none = store.expire(at(2), 10).await?;
    assert_eq!((none.runs.len(), none.next), (0, None), "it is not known");
    assert_eq!(claim(&store, worker, at(3)).await?.runs.len(), 1);
    let none = store.expire(at(4), 10).await?;
    assert_eq!((none.runs.len(), none.next), (0, Some(at(1_000))));
    assert_eq!(
        store.expire(at(1_000), 10).await?.runs,
        std::slice::from_ref(&run)
    );
    // Rerun when its time was over.
    rerun(2_000);
    assert!(store.expire(at(2_000), 10).await?.runs.is_empty());
    assert!(claim(&store, worker, at(2_001)).await?.runs.is_empty());
    assert_eq!(store.expire(at(2_002), 10).await?.runs, [run]);
    Ok(())
}
