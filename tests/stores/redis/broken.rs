//! Connections that break, servers that restart, and servers that forget.

use std::{collections::HashSet, time::Duration};

use belts::{
    ErrorKind,
    store::{CommitOutcome, Redis, RunFilter, RunStatus, Store},
};
use belts_suite::servers;
use redis::cmd;

use super::pause;
use crate::requests::{at, claim, commit, complete, entry, event, publish, publish_to, worker};

const SOON: Duration = Duration::from_secs(20);

fn server() -> servers::Redis {
    let options = servers::Redis::options();
    options.start().expect("the server starts")
}

/// A server that loses nothing when it is killed.
fn careful_server() -> servers::Redis {
    let options = servers::Redis::options()
        .setting("appendonly", "yes")
        .setting("appendfsync", "always");
    options.start().expect("the server starts")
}

/// Publishes and completes runs from several tasks; every write must go through.
async fn work(store: &Redis, tasks: usize, each: usize) -> belts::Result<()> {
    let worker = worker(store).await?;
    let tasks = (0..tasks).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..each {
                let event = event(&format!("e-{task}-{number}"));
                let published = publish_to(&store, event, Some(worker)).await?;
                assert!(!published.duplicate, "each event is new");
                let lease = published.runs[0].lease.expect("the worker has room");
                for seq in 0..3 {
                    let outcome = commit(&store, lease, vec![entry(seq)], None).await?;
                    assert_eq!(outcome, CommitOutcome::Applied);
                }
                let outcome = commit(&store, lease, vec![], Some(complete())).await?;
                assert_eq!(outcome, CommitOutcome::Applied);
            }
            belts::Result::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("working does not panic")?;
    }
    Ok(())
}

/// All those runs are there once, complete with their journals.
async fn all_done(store: &Redis, runs: usize) -> belts::Result<()> {
    let filter = RunFilter::new().with_limit(10_000);
    let page = store.list(filter).await?;
    let events: HashSet<_> = page.runs.iter().map(|run| &run.event_id).collect();
    assert_eq!((page.runs.len(), events.len()), (runs, runs));
    for run in &page.runs {
        assert_eq!(run.status, RunStatus::Completed);
        assert_eq!(store.journal(&run.run_id).await?.len(), 3);
    }
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_through_although_connections_break() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    let working = {
        let store = store.clone();
        tokio::spawn(async move { work(&store, 8, 30).await })
    };
    let mut kills = 0;
    while !working.is_finished() {
        server.disconnect_all().expect("the server runs");
        kills += 1;
        pause(Duration::from_millis(30)).await;
    }
    working.await.expect("working does not panic")?;
    assert!(kills > 3, "connections broke while work was under way");
    all_done(&store, 240).await
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_through_although_the_server_dies_and_comes_back() -> belts::Result<()> {
    let server = careful_server();
    let store = Redis::open(server.url()).await?;
    let working = {
        let store = store.clone();
        tokio::spawn(async move { work(&store, 8, 40).await })
    };
    for _ in 0..3 {
        pause(Duration::from_millis(60)).await;
        server.kill().expect("it runs");
        server.start_again().expect("it starts");
    }
    working.await.expect("working does not panic")?;
    all_done(&store, 320).await
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_loaded_again() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    let working = {
        let store = store.clone();
        tokio::spawn(async move { work(&store, 4, 40).await })
    };
    while !working.is_finished() {
        let flush = cmd("SCRIPT").arg("FLUSH").to_owned();
        let _done: String = server.command(&flush).expect("the server runs");
        pause(Duration::from_millis(5)).await;
    }
    working.await.expect("working does not panic")?;
    all_done(&store, 160).await
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn server_that_stays_away_is_an_error() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    server.stop().expect("it runs");
    let error = publish(&store, event("e"))
        .await
        .expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Store);
    let port = server.port().expect("it is ours").to_string();
    assert!(error.to_string().contains(&port), "{error}");
    assert!(error.to_string().ends_with("cannot be reached"), "{error}");
    Ok(())
}

/// The server has lost everything, and numbers begin again, while a worker still holds a lease.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lease_from_before_the_loss_of_all_data_writes_nothing() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    let before = worker(&store).await?;
    let published = publish_to(&store, event("e"), Some(before)).await?;
    let old = published.runs[0].lease.expect("the worker has room");
    let _done: String = server.command(&cmd("FLUSHALL")).expect("the server runs");
    assert_eq!(
        commit(&store, old, vec![entry(0)], None).await?,
        CommitOutcome::LeaseLost
    );
    let gone = store.renew(before, at(1), crate::requests::LEASE).await;
    assert_eq!(gone.expect_err("it is not known").kind(), ErrorKind::Busy);
    let after = worker(&store).await?;
    assert_ne!(before, after);
    let published = publish_to(&store, event("e"), Some(after)).await?;
    assert!(!published.duplicate);
    let new = published.runs[0].lease.expect("the worker has room");
    assert_eq!(old.run, new.run, "numbers begin again");
    let mut of_another = old;
    of_another.worker = after;
    for late in [old, of_another] {
        let outcome = commit(&store, late, vec![entry(0)], Some(complete())).await?;
        assert_eq!(outcome, CommitOutcome::LeaseLost);
    }
    assert_eq!(
        commit(&store, new, vec![entry(0)], None).await?,
        CommitOutcome::Applied
    );
    let format = cmd("HGET").arg("{belts}:meta").arg("format").to_owned();
    let format: String = server.command(&format).expect("the format is noted again");
    assert_eq!(format, "1");
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn wake_ups_come_again_after_a_break() -> belts::Result<()> {
    let server = server();
    let (store, other) = (
        Redis::open(server.url()).await?,
        Redis::open(server.url()).await?,
    );
    worker(&store).await?;
    // The first may be that of the subscription itself.
    let wake = async |round: usize| {
        let waiting = {
            let other = other.clone();
            tokio::spawn(async move { other.woken().await })
        };
        let mut number = 0;
        while !waiting.is_finished() {
            number += 1;
            publish(&store, event(&format!("{round}-{number}"))).await?;
            pause(Duration::from_millis(2)).await;
        }
        belts::Result::Ok(())
    };
    for round in 0..6 {
        if round % 2 == 1 {
            server.disconnect_all().expect("the server runs");
        }
        tokio::time::timeout(SOON, wake(round))
            .await
            .expect("the other is woken")?;
    }
    Ok(())
}

/// What happened while nobody listened is made good by one wake-up after each break.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn break_wakes_once() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    for _ in 0..3 {
        tokio::time::timeout(SOON, store.woken())
            .await
            .expect("to begin to listen wakes");
        let quiet = tokio::time::timeout(Duration::from_millis(300), store.woken());
        assert!(quiet.await.is_err(), "nothing else does");
        server.disconnect_all().expect("the server runs");
    }
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn own_writes_are_not_told_twice() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    worker(&store).await?;
    let quiet = || tokio::time::timeout(Duration::from_millis(300), store.woken());
    while quiet().await.is_ok() {}
    publish(&store, event("e")).await?;
    assert!(quiet().await.is_ok(), "told directly");
    assert!(quiet().await.is_err(), "and not by the server");
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn connections_end_with_the_last_clone() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    let clone = store.clone();
    let clients = || {
        let list: String = server
            .command(cmd("CLIENT").arg("LIST"))
            .expect("the server runs");
        list.lines().count() - 1
    };
    let listening = async {
        loop {
            clone.woken().await;
        }
    };
    let both = async {
        while clients() < 2 {
            pause(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = listening => {}
        both = tokio::time::timeout(SOON, both) => both.expect("one for calls, one that listens"),
    }
    drop(store);
    assert_eq!(clients(), 2);
    drop(clone);
    let gone = async {
        while clients() > 0 {
            pause(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, gone)
        .await
        .expect("both connections end");
    Ok(())
}

/// The runs of a session that ends are released a bounded number at a time.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn session_with_very_many_runs_is_released_whole() -> belts::Result<()> {
    const RUNS: usize = 2_500;
    let server = server();
    let store = Redis::open(server.url()).await?;
    let mut holder = worker(&store).await?;
    for number in 0..RUNS {
        publish(&store, event(&number.to_string())).await?;
    }
    // By the end of its lease, and by `deregister`.
    for now in [0, 30_000, 30_001] {
        assert_eq!(claim(&store, holder, at(now)).await?.runs.len(), RUNS);
        match now {
            0 => {
                holder = worker(&store).await?;
                store
                    .renew(holder, at(29_000), crate::requests::LEASE)
                    .await?;
            }
            30_000 => {
                store.deregister(holder, at(30_001)).await?;
                holder = worker(&store).await?;
                store
                    .renew(holder, at(30_001), crate::requests::LEASE)
                    .await?;
            }
            _ => {}
        }
    }
    Ok(())
}
