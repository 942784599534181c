//! Workers hear of runs that others have made due.

use std::time::Duration;

use super::bench::{Bench, at, event};
use crate::{error::Result, store::Transition};

/// Far more than a wake-up takes, and less than a test may take.
const SOON: Duration = Duration::from_secs(10);

pub(super) async fn publish_wakes_another_client(bench: Bench) -> Result<()> {
    let other = bench.another().await?;
    bench.store.worker(&["f"]).await?;
    // Several times, since the first look may only note the current state.
    for number in 0..3 {
        let waiting = {
            let other = other.clone();
            tokio::spawn(async move { other.woken().await })
        };
        tokio::time::timeout(SOON, async {
            let mut attempt = 0;
            while !waiting.is_finished() {
                attempt += 1;
                let id = format!("e-{number}-{attempt}");
                bench
                    .store
                    .publish_all(vec![event(&id, "f")], at(0))
                    .await?;
                tokio::task::yield_now().await;
            }
            Result::Ok(())
        })
        .await
        .expect("the other client is woken")?;
    }
    Ok(())
}

pub(super) async fn release_wakes_another_client(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e", "f").await?;
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.woken().await })
    };
    tokio::time::timeout(SOON, async {
        while !waiting.is_finished() {
            for run in store.take(worker, &["f"], at(0)).await?.runs {
                let release = Some(Transition::suspend(at(0)));
                store
                    .must_write(run.lease, Vec::new(), release, at(0))
                    .await?;
            }
            tokio::task::yield_now().await;
        }
        Result::Ok(())
    })
    .await
    .expect("the one who waits is woken")
}

pub(super) async fn wake_up_is_kept_for_the_next_wait(bench: Bench) -> Result<()> {
    bench.store.worker(&["f"]).await?;
    bench.store.start("e", "f").await?;
    tokio::time::timeout(SOON, bench.store.woken())
        .await
        .expect("the publish came before the wait");
    Ok(())
}
