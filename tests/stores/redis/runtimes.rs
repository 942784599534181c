//! A store that several runtimes share.

use std::{sync::mpsc, thread, time::Duration};

use belts::store::{Redis, Store};
use belts_suite::servers;

use crate::requests::{LEASE, at, begin, event, publish, worker};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

/// A step that blocked its thread held up the connection that the renewal shared with it: the lease ended, and the step ran again.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[test]
fn lease_is_renewed_while_another_runtime_is_blocked() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let main = runtime();
    let (store, worker, lease) = main.block_on(async {
        let store = Redis::open(server.url()).await?;
        let worker = worker(&store).await?;
        let (_, lease) = begin(&store, "e", worker).await?;
        // The connections are there, and belong to this runtime.
        store.renew(worker, at(1), LEASE).await?;
        store.revoked(&[lease]).await?;
        belts::Result::Ok((store, worker, lease))
    })?;
    // From here on nothing of the first runtime moves.
    let (done, wait) = mpsc::channel();
    let renewing = thread::spawn(move || {
        let renewed = runtime().block_on(async {
            store.renew(worker, at(20_000), LEASE).await?;
            store.revoked(&[lease]).await
        });
        done.send(()).expect("the test waits");
        (store, renewed)
    });
    wait.recv_timeout(Duration::from_secs(10))
        .expect("it is renewed at once");
    let (store, renewed) = renewing.join().expect("renewing does not panic");
    assert_eq!(renewed?, []);
    // Nor does the end of that runtime harm the first.
    main.block_on(async {
        store.renew(worker, at(30_000), LEASE).await?;
        publish(&store, event("later")).await
    })?;
    Ok(())
}

/// Several tests of one program may share a store.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[test]
fn runtimes_may_come_and_go() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = runtime().block_on(Redis::open(server.url()))?;
    for number in 0..100 {
        runtime().block_on(async {
            worker(&store).await?;
            publish(&store, event(&number.to_string())).await
        })?;
    }
    Ok(())
}
