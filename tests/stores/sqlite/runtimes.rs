//! A session is kept alive from another runtime, whatever becomes of the one that opened the store.

use std::{sync::mpsc, time::Duration};

use belts::store::{Lease, Release, Sqlite, Store, WorkerId};

use super::directory;
use crate::requests::{LEASE, at, begin, event, publish, worker};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

/// A step that blocks the only thread of its runtime, while a write of the same runtime is under way: a renewal that waited for a
/// task of that runtime would come too late.
#[test]
fn session_is_renewed_while_the_runtime_that_opened_the_store_is_blocked() {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let (opened, store) = mpsc::channel();
    let (unblock, blocked) = mpsc::channel::<()>();
    let other = path.clone();
    let main = std::thread::spawn(move || {
        runtime().block_on(async move {
            let store = Sqlite::open(&path).await?;
            let worker = worker(&store).await?;
            let (_, lease) = begin(&store, "e", worker).await?;
            // Another process writes, so this write goes to the thread, and its answer comes to a task that is not polled.
            let raw = rusqlite::Connection::open(&other).expect("the database is there");
            raw.execute_batch("BEGIN IMMEDIATE")
                .expect("nobody else writes");
            let writing = tokio::spawn({
                let store = store.clone();
                async move { publish(&store, event("waits")).await }
            });
            tokio::task::yield_now().await;
            raw.execute_batch("COMMIT").expect("nothing was changed");
            opened
                .send((store.clone(), worker, lease))
                .expect("somebody waits");
            blocked.recv().expect("somebody unblocks");
            writing.await.expect("publishing does not panic")
        })
    });
    let (store, worker, lease) = store.recv().expect("the store opens");
    let renewed = runtime().block_on(async {
        let session = session_goes_on(&store, worker, lease);
        tokio::time::timeout(Duration::from_secs(20), session).await
    });
    unblock.send(()).expect("the runtime still waits");
    let published = main.join().expect("nothing panics");
    renewed
        .expect("no write waits for a task that does not run")
        .expect("the session lives");
    assert_eq!(published.expect("the write was done").runs.len(), 1);
}

async fn session_goes_on(store: &Sqlite, worker: WorkerId, lease: Lease) -> belts::Result<()> {
    store.renew(worker, at(1), LEASE).await?;
    assert_eq!(store.revoked(&[lease]).await?, []);
    for (keep, given_back) in [(vec![lease], 0), (Vec::new(), 1)] {
        let release = Release::new(worker, at(1)).with_keep(keep);
        assert_eq!(store.release(release).await?, given_back);
    }
    assert_eq!(store.revoked(&[lease]).await?, [lease]);
    Ok(())
}
