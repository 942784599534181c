//! Runs that others have started, and whoever waits for their ends.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use belts::store::{
    Commit, CommitOutcome, Redis, Rerun, RunFilter, RunStatus, Store, Transition, WorkerId,
};
use belts_suite::servers;
use redis::{Cmd, cmd};
use tokio::sync::oneshot;

use crate::requests::{
    at, begin, calling, child, claim, claim_named, commit, commit_one, complete, fail, paid,
    publish, worker,
};

const SOON: Duration = Duration::from_secs(20);

async fn server() -> belts::Result<(servers::Redis, Redis)> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    Ok((server, store))
}

/// A run that has started these and waits for their ends.
async fn call(
    store: &Redis,
    worker: WorkerId,
    event: &str,
    ids: &[&str],
) -> belts::Result<Arc<str>> {
    let (parent, lease) = begin(store, event, worker).await?;
    let entries = (0..).zip(ids).map(|(seq, id)| calling(seq, id));
    let commit = Commit::new(lease)
        .with_entries(entries.collect())
        .with_starts(ids.iter().map(|id| child(&parent, id)).collect())
        .with_transition(Transition::suspend(None));
    assert_eq!(commit_one(store, commit).await?, CommitOutcome::Applied);
    Ok(parent)
}

/// Scripts write the id of a run into the header of what is told of its end.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn runs_of_any_id_tell_their_ends() -> belts::Result<()> {
    let (_server, store) = server().await?;
    let worker = worker(&store).await?;
    let ids = [
        "a \"quoted\" \\ id/with\nlines",
        "\u{1}\u{7f} 1 0 {}",
        "größer 😀",
        " 7",
        "",
    ];
    let parent = call(&store, worker, "e", &ids).await?;
    for id in ids {
        let run = claim_named(&store, worker, id).await?;
        let of = run.parent.expect("it has one");
        assert_eq!((&of.run_id, of.depth, of.attached), (&parent, 1, true));
        commit(&store, run.lease, Vec::new(), Some(complete())).await?;
    }
    let woken = claim(&store, worker, at(1)).await?.runs.remove(0);
    let seqs = woken.arrivals.iter().map(|one| one.seq);
    assert_eq!(seqs.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let result = br#"{"status":"completed","result":{"v":1,"ok":1}}"#;
    let mut told = woken.arrivals.iter();
    assert!(told.all(|one| *one.payload == *result));
    Ok(())
}

/// Whoever waits is in another process, which hears of it at once.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn end_of_a_run_wakes_another_process() -> belts::Result<()> {
    let (server, store) = server().await?;
    let other = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    let ends = [
        ("completes", Some(complete())),
        ("fails", Some(fail())),
        ("is skipped", Some(Transition::Skip)),
        ("is cancelled", None),
    ];
    for (id, transition) in ends {
        let parent = call(&store, worker, &format!("e of {id}"), &[id]).await?;
        let lease = claim_named(&store, worker, id).await?.lease;
        let (looked, has_looked) = oneshot::channel();
        let waiting = {
            let other = other.clone();
            tokio::spawn(async move {
                let mut looked = Some(looked);
                // What was told before is kept for the first one who waits.
                while other
                    .run(&parent)
                    .await?
                    .is_some_and(|run| run.due_at.is_none())
                {
                    looked.take().map(|looked| looked.send(()));
                    other.woken().await;
                }
                belts::Result::Ok(())
            })
        };
        has_looked.await.expect("it is not due yet");
        match transition {
            Some(transition) => {
                commit(&store, lease, Vec::new(), Some(transition)).await?;
            }
            None => assert!(store.cancel(id, at(1)).await?),
        }
        let woken = tokio::time::timeout(SOON, waiting).await;
        woken.expect("it hears of it").expect("it does not panic")?;
        assert_eq!(claim(&store, worker, at(1)).await?.runs.len(), 1);
    }
    Ok(())
}

/// A process of an earlier version ends runs without a word, and removes them from where it knows of them.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_an_earlier_version_has_ended_is_told_to_whoever_starts_it() -> belts::Result<()> {
    let (server, store) = server().await?;
    let run = |command: &mut Cmd| {
        let _done: redis::Value = server.command(command).expect("the server runs");
    };
    let worker = worker(&store).await?;
    let parent = call(&store, worker, "e", &["ends", "is removed"]).await?;
    let ended = [("status", "6"), ("lease", ""), ("due", ""), ("ended", "5")];
    run(cmd("HSET").arg("{belts}:run:2").arg(&ended));
    run(cmd("ZREM").arg("{belts}:due:g").arg("2").arg("3"));
    run(cmd("DEL")
        .arg("{belts}:run:3")
        .arg("{belts}:id:is removed")
        .arg("{belts}:event:event of is removed"));
    assert!(claim(&store, worker, at(1)).await?.runs.is_empty());
    let lease = claim_named(&store, worker, &parent).await?.lease;
    let starts = ["ends", "is removed"].map(|id| child(&parent, id));
    let commit = Commit::new(lease)
        .with_starts(starts.into())
        .with_transition(Transition::suspend(None));
    commit_one(&store, commit).await?;
    let runs = claim(&store, worker, at(1)).await?.runs;
    let ids: Vec<&str> = runs.iter().map(|run| &*run.run_id).collect();
    assert_eq!(ids, ["is removed", &*parent], "one is started anew");
    assert_eq!(runs[1].arrivals.len(), 1);
    assert!(store.cancel(&parent, at(1)).await?);
    let status = store.run("is removed").await?.expect("it is there").status;
    assert_eq!(status, RunStatus::Cancelled);
    let started = cmd("ZCARD")
        .arg(format!("{{belts}}:started:{parent}"))
        .to_owned();
    assert_eq!(
        server.command::<usize>(&started).expect("the server runs"),
        2
    );
    Ok(())
}

/// Of many ends of one run there is no more than the last event.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn run_that_ends_again_and_again_is_told_once() -> belts::Result<()> {
    let (server, store) = server().await?;
    let worker = worker(&store).await?;
    let parent = call(&store, worker, "e", &["c"]).await?;
    for _ in 0..3 {
        let lease = claim_named(&store, worker, "c").await?.lease;
        commit(&store, lease, Vec::new(), Some(fail())).await?;
        assert!(store.rerun(Rerun::new("c", at(1))).await?);
    }
    let lease = claim_named(&store, worker, &parent).await?.lease;
    assert!(store.arrived(&[lease]).await?.is_empty());
    let of_child = claim_named(&store, worker, "c").await?.lease;
    commit(&store, of_child, Vec::new(), Some(complete())).await?;
    for _ in 0..3 {
        let commit = Commit::new(lease).with_starts(vec![child(&parent, "c")]);
        commit_one(&store, commit).await?;
    }
    assert_eq!(store.arrived(&[lease]).await?[0].1.len(), 1);
    let keys = cmd("KEYS").arg("{belts}:event:belts.ended:*").to_owned();
    let keys: Vec<String> = server.command(&keys).expect("the server runs");
    assert_eq!(keys.len(), 1, "{keys:?}");
    Ok(())
}

/// The event that asked for it is still there.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn skipped_run_is_started_again_by_the_same_event() -> belts::Result<()> {
    let (_server, store) = server().await?;
    let worker = worker(&store).await?;
    let parent = call(&store, worker, "e", &["c"]).await?;
    let of_child = claim_named(&store, worker, "c").await?.lease;
    commit(&store, of_child, Vec::new(), Some(Transition::Skip)).await?;
    let lease = claim_named(&store, worker, &parent).await?.lease;
    assert_eq!(store.arrived(&[lease]).await?[0].1.len(), 1);
    let again = Commit::new(lease).with_starts(vec![child(&parent, "c")]);
    commit_one(&store, again).await?;
    assert!(store.arrived(&[lease]).await?.is_empty());
    let of_child = claim_named(&store, worker, "c").await?.lease;
    commit(&store, of_child, Vec::new(), Some(complete())).await?;
    let told = store.arrived(&[lease]).await?.remove(0).1;
    assert_eq!(told.len(), 1);
    assert!(told[0].payload.starts_with(b"{\"status\":\"completed\""));
    Ok(())
}

/// It was told while nobody awaited such, before any run that goes on.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn end_that_nobody_awaited_is_found_by_whoever_watches() -> belts::Result<()> {
    let (_server, store) = server().await?;
    let worker = worker(&store).await?;
    for id in ["1", "2"] {
        publish(&store, paid(id)).await?;
    }
    let (parent, lease) = begin(&store, "first", worker).await?;
    let start = Commit::new(lease).with_starts(vec![child(&parent, "c")]);
    commit_one(&store, start).await?;
    let of_child = claim_named(&store, worker, "c").await?.lease;
    for lease in [of_child, lease] {
        commit(&store, lease, Vec::new(), Some(complete())).await?;
    }
    // What was told stays for the time being: two other events go first.
    assert_eq!(store.purge(at(1_000), 2).await?.runs, 2);
    assert!(store.run("c").await?.is_none());
    let (_, lease) = begin(&store, "second", worker).await?;
    let watch = Commit::new(lease)
        .with_entries(vec![calling(0, "c")])
        .with_watches(vec!["c".into()])
        .with_transition(Transition::suspend(None));
    commit_one(&store, watch).await?;
    let woken = claim(&store, worker, at(1)).await?.runs.remove(0);
    assert_eq!(woken.arrivals.len(), 1);
    let said = br#"{"status":"completed","result":{"v":1,"ok":1}}"#;
    assert_eq!(*woken.arrivals[0].payload, *said);
    Ok(())
}

/// What the server was asked since the last look at it, and how often.
fn commands(server: &servers::Redis) -> BTreeMap<String, usize> {
    let stats = cmd("INFO").arg("commandstats").to_owned();
    let stats: String = server.command(&stats).expect("the server runs");
    let _done: String = server
        .command(cmd("CONFIG").arg("RESETSTAT"))
        .expect("it is reset");
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let count = rest.split(',').next()?;
        Some((name.to_owned(), count.parse().expect("it is a number")))
    });
    let others = ["eval", "info", "config", "client", "hello"];
    let of_scripts = |name: &str| !others.iter().any(|other| name.starts_with(other));
    calls.filter(|(name, _)| of_scripts(name)).collect()
}

/// A run without a parent that has started no others looks for neither.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn ends_of_other_runs_look_for_nothing() -> belts::Result<()> {
    let (server, store) = server().await?;
    let worker = worker(&store).await?;
    let (completes, fails) = (
        begin(&store, "1", worker).await?.1,
        begin(&store, "2", worker).await?.1,
    );
    commands(&server);
    commit(&store, completes, Vec::new(), Some(complete())).await?;
    let expected = |calls: &[(&str, usize)]| -> BTreeMap<String, usize> {
        let calls = calls.iter();
        calls
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    assert_eq!(
        commands(&server),
        expected(&[("hmget", 1), ("hset", 2), ("srem", 1), ("zadd", 1)])
    );
    commit(&store, fails, Vec::new(), Some(fail())).await?;
    assert_eq!(
        commands(&server),
        expected(&[
            ("hget", 1),
            ("hmget", 1),
            ("hset", 3),
            ("srem", 1),
            ("zadd", 1)
        ])
    );
    Ok(())
}

/// Many runs beside each other and below each other end in one script.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn large_family_ends_at_once() -> belts::Result<()> {
    const WIDE: usize = 2_000;
    const DEEP: usize = 300;
    let (_server, store) = server().await?;
    let worker = worker(&store).await?;
    let (root, mut lease) = begin(&store, "e", worker).await?;
    let starts = (0..WIDE).map(|nth| child(&root, &format!("wide-{nth}")));
    let commit = Commit::new(lease).with_starts(starts.collect());
    commit_one(&store, commit).await?;
    let mut parent = Arc::clone(&root);
    for nth in 0..DEEP {
        let id = format!("deep-{nth}");
        let commit = Commit::new(lease).with_starts(vec![child(&parent, &id)]);
        commit_one(&store, commit).await?;
        lease = claim_named(&store, worker, &id).await?.lease;
        parent = id.into();
    }
    assert!(store.cancel(&root, at(1)).await?);
    let cancelled = RunFilter::new().with_statuses([RunStatus::Cancelled]);
    let page = store.list(cancelled.with_limit(10_000)).await?;
    assert_eq!(page.runs.len(), 1 + WIDE + DEEP);
    assert_eq!(store.revoked(&[lease]).await?, [lease]);
    Ok(())
}
