//! Connections are driven by the runtime that opened them: one that is blocked, or has ended, stops nobody else.

use std::sync::mpsc;

use belts::store::{CommitOutcome, Store};

use super::{InSchema, blocking};
use crate::requests::{LEASE, at, begin, commit, entry, worker};

/// A step that blocked the only thread of its runtime for longer than its lease could not be renewed: the renewal on a thread
/// of its own waited for a connection that the blocked runtime drives.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[test]
fn renewal_goes_through_while_the_runtime_of_the_store_is_blocked() {
    let schema = InSchema::new();
    let (blocked, wait) = mpsc::channel::<()>();
    let (renewed, released) = mpsc::channel::<()>();
    let result: belts::Result<()> = blocking(async {
        let store = schema.builder().max_connections(1).open().await?;
        let ours = worker(&store).await?;
        let (run_id, lease) = begin(&store, "e", ours).await?;
        let other = store.clone();
        let renewing = std::thread::spawn(move || {
            wait.recv().expect("the step blocks");
            let done: belts::Result<()> = blocking(async {
                for turn in 0..3 {
                    other.renew(ours, at(turn), LEASE).await?;
                    assert_eq!(other.revoked(&[lease]).await?, []);
                }
                other.cancel(&run_id, at(9)).await.map(drop)?;
                assert_eq!(other.revoked(&[lease]).await?, [lease]);
                belts::Result::Ok(())
            });
            renewed.send(()).expect("the step still blocks");
            done
        });
        // The step: nothing else runs on this runtime until it is over.
        blocked.send(()).expect("the other thread waits");
        released.recv().expect("the other thread gets through");
        renewing.join().expect("it does not panic")?;
        let late = commit(&store, lease, vec![entry(0)], None).await?;
        assert_eq!(late, CommitOutcome::LeaseLost, "it was cancelled meanwhile");
        belts::Result::Ok(())
    });
    result.expect("the store answers");
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[test]
fn store_goes_on_when_the_runtime_that_used_it_has_ended() {
    let schema = InSchema::new();
    let store = blocking(schema.builder().max_connections(2).open()).expect("it opens");
    for turn in 0..3 {
        let used: belts::Result<()> = blocking(async {
            let ours = worker(&store).await?;
            let (_, lease) = begin(&store, &format!("e-{turn}"), ours).await?;
            commit(&store, lease, vec![entry(0)], None).await?;
            store.renew(ours, at(1), LEASE).await
        });
        used.expect("each runtime has connections of its own");
    }
}
