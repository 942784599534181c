//! Writes whose answer is lost: the store finds out what became of them.

use belts::{
    ErrorKind,
    store::{
        Commit, CommitOutcome, NewEvent, Redis, Release, Rerun, RunFilter, RunStatus, Store,
        Transition,
    },
};
use belts_suite::servers::{self, Prefix};
use redis::cmd;

use crate::{
    proxy::Proxy,
    requests::{
        at, begin, calling, child, claim, claim_named, commit, commit_one, complete, entry, event,
        fail, publish, publish_to, worker,
    },
};

/// A call as Redis logs it; the fourth field is what was called.
type Logged = (i64, i64, i64, Vec<String>, String, String);

/// A store behind a proxy, and one without.
struct Lossy {
    proxy: Proxy,
    store: Redis,
    direct: Redis,
    _server: servers::Redis,
    _prefix: Prefix,
}

async fn lossy() -> belts::Result<Lossy> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let prefix = server.prefix();
    let port = server.port().expect("it is ours");
    let proxy = Proxy::start("127.0.0.1", port)
        .await
        .expect("there is a free port");
    let open = |url: String| Redis::builder(url).key_prefix(prefix.name()).open();
    Ok(Lossy {
        store: open(format!("redis://{}", proxy.address())).await?,
        direct: open(server.url().to_owned()).await?,
        proxy,
        _server: server,
        _prefix: prefix,
    })
}

impl Lossy {
    /// A commit that is written, and whose answer is lost.
    async fn write(&self, commit: Commit) -> belts::Result<()> {
        self.proxy.lose_next_answer();
        let outcome = commit_one(&self.store, commit).await?;
        assert!(self.proxy.has_lost());
        assert_eq!(outcome, CommitOutcome::Applied);
        Ok(())
    }
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lost_answer_of_a_commit_counts_as_written() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy {
        proxy,
        store,
        direct,
        ..
    } = &lossy;
    let worker = worker(store).await?;
    let retry = Transition::retry(at(50), 2, *b"why");
    let transitions = [
        (None, RunStatus::Running),
        (Some(complete()), RunStatus::Completed),
        (Some(fail()), RunStatus::Failed),
        (Some(retry), RunStatus::Suspended),
        (Some(Transition::suspend(at(0))), RunStatus::Suspended),
        (Some(Transition::Stop), RunStatus::Stopped),
    ];
    for (transition, status) in transitions {
        let published = publish_to(store, event(&format!("{transition:?}")), Some(worker)).await?;
        let run = &published.runs[0];
        let lease = run.lease.expect("the worker has room");
        proxy.lose_next_answer();
        let entries = vec![entry(0), entry(1)];
        let outcome = commit(store, lease, entries.clone(), transition.clone()).await?;
        assert!(proxy.has_lost());
        assert_eq!(outcome, CommitOutcome::Applied, "{transition:?}");
        let record = direct.run(&run.run_id).await?.expect("the run is there");
        assert_eq!(record.status, status);
        assert_eq!(direct.journal(&run.run_id).await?, entries);
    }
    Ok(())
}

/// A commit that was written is sent again, with what it starts and cancels.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lost_answer_of_a_commit_starts_nothing_twice() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy { store, direct, .. } = &lossy;
    let worker = worker(store).await?;
    let (parent, lease) = begin(store, "e", worker).await?;
    let starts =
        |ids: &[&str]| -> Vec<NewEvent> { ids.iter().map(|id| child(&parent, id)).collect() };
    lossy
        .write(Commit::new(lease).with_starts(starts(&["a", "b", "c"])))
        .await?;
    let of_parent = async || direct.list(RunFilter::new().with_parent(&*parent)).await;
    assert_eq!(of_parent().await?.runs.len(), 3);
    lossy
        .write(Commit::new(lease).with_cancels(vec!["a".into()]))
        .await?;
    // It completes, and its answer is lost.
    let of_b = claim_named(direct, worker, "b").await?.lease;
    lossy
        .write(Commit::new(of_b).with_transition(complete()))
        .await?;
    // The ends of both are told again, and so are they with what is sent again.
    let entries = ["a", "b", "d"].into_iter().zip(0..);
    let commit = Commit::new(lease)
        .with_entries(entries.map(|(id, seq)| calling(seq, id)).collect())
        .with_starts(starts(&["a", "b"]));
    lossy.write(commit).await?;
    let told = direct.arrived(&[lease]).await?.remove(0).1;
    let seqs = told.iter().map(|one| one.seq);
    assert_eq!(seqs.collect::<Vec<_>>(), [0, 1], "each of them once");
    let commit = Commit::new(lease)
        .with_starts(starts(&["d"]))
        .with_transition(Transition::suspend(at(900)));
    lossy.write(commit).await?;
    assert_eq!(of_parent().await?.runs.len(), 4);
    assert_eq!(direct.list(RunFilter::default()).await?.runs.len(), 5);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lost_answer_of_a_commit_tells_nothing_twice() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy { store, direct, .. } = &lossy;
    let worker = worker(store).await?;
    let (parent, lease) = begin(store, "e", worker).await?;
    lossy
        .write(Commit::new(lease).with_starts(vec![child(&parent, "over")]))
        .await?;
    let of_child = claim_named(direct, worker, "over").await?.lease;
    commit(direct, of_child, vec![], Some(complete())).await?;
    let watch =
        |ids: &[&str]| Commit::new(lease).with_watches(ids.iter().map(|id| (*id).into()).collect());
    let entries = vec![calling(0, "over"), calling(1, "gone"), calling(2, "later")];
    lossy
        .write(watch(&["over", "gone"]).with_entries(entries))
        .await?;
    let seqs = async || {
        let told = direct.arrived(&[lease]).await?.remove(0).1;
        belts::Result::Ok(told.iter().map(|one| one.seq).collect::<Vec<_>>())
    };
    assert_eq!(seqs().await?, [0, 1], "each of them once");
    // The run is suspended when it is sent again.
    lossy
        .write(watch(&["over", "gone", "later"]).with_transition(Transition::suspend(None)))
        .await?;
    let woken = claim(direct, worker, at(1)).await?.runs.remove(0);
    let seqs = woken.arrivals.iter().map(|one| one.seq);
    assert_eq!(seqs.collect::<Vec<_>>(), [0, 1, 2]);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lost_answer_of_a_skip_counts_as_written() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy { proxy, store, .. } = &lossy;
    let worker = worker(store).await?;
    let published = publish_to(store, event("e"), Some(worker)).await?;
    let lease = published.runs[0].lease.expect("the worker has room");
    proxy.lose_next_answer();
    let outcome = commit(store, lease, vec![], Some(Transition::Skip)).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    assert!(store.run(&published.runs[0].run_id).await?.is_none());
    Ok(())
}

/// A commit that was not written must not count because the run looks as it would leave it: here the session's time
/// ended at the very moment for which the run was to be suspended.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn run_that_only_looks_so_was_not_written() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy {
        proxy,
        store,
        direct,
        ..
    } = &lossy;
    let (first, second) = (worker(store).await?, worker(direct).await?);
    let published = publish_to(store, event("e"), Some(first)).await?;
    let lease = published.runs[0].lease.expect("the worker has room");
    proxy.hold();
    let suspend = Some(Transition::suspend(at(30_000)));
    let late = {
        let store = store.clone();
        tokio::spawn(async move { commit(&store, lease, vec![entry(0)], suspend).await })
    };
    // By a clock at which the other session's time is over, and nothing of `g` or `f` is taken.
    let mut none = crate::requests::capacity(second);
    none.limit = 0;
    direct
        .claim(belts::store::Claim::new(none, at(30_000)))
        .await?;
    proxy.lose_next_answer();
    proxy.let_through();
    let outcome = late.await.expect("a commit does not panic")?;
    assert!(proxy.has_lost());
    assert_eq!(outcome, CommitOutcome::LeaseLost);
    assert!(direct.journal(&published.runs[0].run_id).await?.is_empty());
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lost_answer_of_a_publish_is_told_as_new_with_its_leases() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy { proxy, store, .. } = &lossy;
    let worker = worker(store).await?;
    proxy.lose_next_answer();
    let published = publish_to(store, event("e"), Some(worker)).await?;
    assert!(proxy.has_lost());
    assert!(!published.duplicate);
    let lease = published.runs[0].lease.expect("the lease is told again");
    assert_eq!(
        commit(store, lease, vec![entry(0)], None).await?,
        CommitOutcome::Applied
    );
    assert!(publish(store, event("e")).await?.duplicate, "of another");
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 1);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn lost_answer_of_a_claim_is_an_error_and_its_leases_are_given_back() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy { proxy, store, .. } = &lossy;
    let worker = worker(store).await?;
    publish(store, event("e")).await?;
    proxy.lose_next_answer();
    let error = claim(store, worker, at(1))
        .await
        .expect_err("nobody knows what it brought");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(claim(store, worker, at(1)).await?.runs.is_empty());
    let release = Release::new(worker, at(2));
    assert_eq!(store.release(release).await?, 1);
    assert_eq!(claim(store, worker, at(2)).await?.runs.len(), 1);
    Ok(())
}

/// A claim that the connection held back must not lease runs after the session gave back what it had not heard of.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn claim_that_arrives_after_the_release_leases_nothing() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy {
        proxy,
        store,
        direct,
        ..
    } = &lossy;
    let worker = worker(store).await?;
    publish(store, event("e")).await?;
    proxy.hold();
    let gone = std::time::Duration::from_millis(50);
    let late = tokio::time::timeout(gone, claim(store, worker, at(1))).await;
    let publishing = publish_to(store, event("late"), Some(worker));
    let publish_late = tokio::time::timeout(gone, publishing).await;
    assert!(late.is_err() && publish_late.is_err(), "both are held back");
    let release = Release::new(worker, at(2));
    assert_eq!(direct.release(release).await?, 0);
    proxy.let_through();
    // Goes the same way, and so arrives after them.
    assert!(publish(store, event("late")).await?.duplicate);
    // This one joins the new round.
    assert_eq!(claim(store, worker, at(3)).await?.runs.len(), 2);
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn admin_calls_survive_lost_replies() -> belts::Result<()> {
    let lossy = lossy().await?;
    let Lossy {
        proxy,
        store,
        direct,
        ..
    } = &lossy;
    proxy.lose_next_answer();
    let worker = worker(store).await?;
    let run = publish(store, event("e")).await?.runs.remove(0).run_id;
    proxy.lose_next_answer();
    assert!(store.cancel(&run, at(1)).await?, "this call cancelled it");
    assert!(proxy.has_lost());
    assert!(!store.cancel(&run, at(1)).await?, "another one finds it so");
    proxy.lose_next_answer();
    assert!(store.rerun(Rerun::new(&*run, at(2))).await?);
    assert!(proxy.has_lost());
    assert!(!store.rerun(Rerun::new(&*run, at(2))).await?);
    proxy.lose_next_answer();
    store.renew(worker, at(2), crate::requests::LEASE).await?;
    proxy.lose_next_answer();
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 1);
    proxy.lose_next_answer();
    store.deregister(worker, at(3)).await?;
    assert!(proxy.has_lost());
    assert!(direct.cancel(&run, at(4)).await?);
    proxy.lose_next_answer();
    store.purge(at(5), 10).await?;
    assert!(proxy.has_lost());
    assert!(direct.run(&run).await?.is_none());
    Ok(())
}

/// A request that a broken connection held back was sent again. When the first copy came after all, it took the runs that had been
/// claimed meanwhile from a worker that was driving them.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn copy_of_a_release_that_comes_late_takes_nothing() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    publish(&store, event("e")).await?;
    claim(&store, worker, at(1)).await?;
    let log_all = "slowlog-log-slower-than";
    let _done: String = server
        .command(cmd("CONFIG").arg("SET").arg(log_all).arg(0))
        .expect("it can be set");
    assert_eq!(store.release(Release::new(worker, at(1))).await?, 1);
    let log: Vec<Logged> = server
        .command(cmd("SLOWLOG").arg("GET").arg(10))
        .expect("it has a log");
    let mut calls = log.into_iter().map(|logged| logged.3);
    let release = calls.find(|call| call[0] == "EVALSHA");
    let release = release.expect("a release is one script");

    let lease = claim(&store, worker, at(2)).await?.runs[0].lease;
    let _late: redis::Value = server
        .command(cmd("EVALSHA").arg(&release[1..]))
        .expect("it is called");
    assert!(store.revoked(&[lease]).await?.is_empty());
    assert_eq!(store.release(Release::new(worker, at(3))).await?, 1);
    Ok(())
}
