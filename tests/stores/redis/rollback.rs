//! A server that comes back without its last writes, as after a crash or a failover.

use belts::store::{CommitOutcome, Redis, Release, Store};
use belts_suite::servers;
use redis::cmd;

use crate::requests::{LEASE, at, claim, commit, complete, entry, event, publish, worker};

fn server() -> servers::Redis {
    let options = servers::Redis::options();
    options.start().expect("the server starts")
}

fn snapshot(server: &servers::Redis) {
    let _done: String = server.command(&cmd("SAVE")).expect("the server runs");
}

async fn go_back(server: &servers::Redis, store: &Redis) -> belts::Result<()> {
    server.kill().expect("it runs");
    server.start_again().expect("it starts");
    // Connects again, as a claim does not by itself.
    store.subscriptions().await.map(drop)
}

/// A token was one more than the last. A server that lost the claim gave the next one the same, and two drives wrote one run.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn of_two_drives_after_a_rollback_one_can_write() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    let (first, second) = (worker(&store).await?, worker(&store).await?);
    publish(&store, event("e")).await?;
    snapshot(&server);
    let lost = claim(&store, first, at(1)).await?.runs[0].lease;
    go_back(&server, &store).await?;
    // The same session or another: neither lease is that of the drive that the server forgot.
    let mut leases = vec![lost];
    for who in [first, second] {
        store.renew(who, at(2), LEASE).await?;
        let lease = claim(&store, who, at(2)).await?.runs[0].lease;
        assert_eq!(lease.run, lost.run);
        assert!(leases.iter().all(|other| other.token != lease.token));
        leases.push(lease);
        let keep = Vec::new();
        if who == first {
            assert_eq!(
                commit(&store, lost, vec![entry(0)], Some(complete())).await?,
                CommitOutcome::LeaseLost
            );
            assert_eq!(store.revoked(&leases).await?, [lost]);
            let release = Release::new(who, at(2)).with_keep(keep);
            assert_eq!(store.release(release).await?, 1);
        }
    }
    let present = leases.pop().expect("there are three");
    for late in leases {
        assert_eq!(
            commit(&store, late, vec![entry(0)], None).await?,
            CommitOutcome::LeaseLost
        );
    }
    assert_eq!(
        commit(&store, present, vec![entry(0)], Some(complete())).await?,
        CommitOutcome::Applied
    );
    Ok(())
}

/// Else the session that was forgotten and a new one would be one, and each would give back what the other drives.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn session_id_does_not_come_again_after_a_rollback() -> belts::Result<()> {
    let server = server();
    let store = Redis::open(server.url()).await?;
    worker(&store).await?;
    snapshot(&server);
    let forgotten = worker(&store).await?;
    go_back(&server, &store).await?;
    let new = worker(&store).await?;
    assert_ne!(forgotten, new);
    store
        .renew(forgotten, at(1), LEASE)
        .await
        .expect_err("the server does not know it");
    Ok(())
}
