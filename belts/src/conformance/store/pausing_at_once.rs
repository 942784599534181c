//! Pauses, claims, publishes and resumes at the same moment.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use super::bench::{Bench, Client, at, capacity, event, ok};
use crate::{
    error::Result,
    store::{Lease, Publish, Transition, WorkerId},
};

/// How many events are published.
const EVENTS: usize = 80;

/// What those who work at once know of each other.
#[derive(Debug, Default)]
struct Known {
    /// Odd from when a pause has returned until it is ended.
    pauses: AtomicU32,
    completed: AtomicUsize,
}

impl Known {
    /// The number of the pause that holds now.
    fn pause(&self) -> Option<u32> {
        Some(self.pauses.load(Ordering::SeqCst)).filter(|pauses| pauses % 2 == 1)
    }

    fn is_done(&self) -> bool {
        self.completed.load(Ordering::SeqCst) >= EVENTS
    }

    /// Checks what came of a request that began when `before` held, and ends the runs.
    async fn end(&self, client: &Client, leases: &[Lease], before: Option<u32>) -> Result<()> {
        if before.is_some() && self.pause() == before {
            assert!(leases.is_empty(), "it was paused all the while");
        }
        for lease in leases {
            let complete = Some(Transition::complete(ok("1")));
            client
                .must_write(*lease, Vec::new(), complete, at(1))
                .await?;
            self.completed.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

async fn publish(client: Client, worker: WorkerId, known: Arc<Known>) -> Result<()> {
    for number in 0..EVENTS {
        let before = known.pause();
        let request = Publish::new(vec![event(&format!("e-{number}"), "f")], at(0));
        let request = request.with_claim(capacity(worker, 10, &["f"]));
        let published = client.publish(request).await?;
        let runs = published.iter().flat_map(|event| &event.runs);
        let leases: Vec<_> = runs.filter_map(|run| run.lease).collect();
        known.end(&client, &leases, before).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn claim(client: Client, worker: WorkerId, known: Arc<Known>) -> Result<()> {
    while !known.is_done() {
        let before = known.pause();
        let claimed = client.take(worker, &["f"], at(0)).await?;
        let leases: Vec<_> = claimed.runs.iter().map(|run| run.lease).collect();
        known.end(&client, &leases, before).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn pause(client: Client, known: Arc<Known>) -> Result<()> {
    while !known.is_done() {
        assert!(client.pause("f", at(0)).await?);
        known.pauses.fetch_add(1, Ordering::SeqCst);
        // The others get their turn.
        client.functions(at(0), 1).await?;
        known.pauses.fetch_add(1, Ordering::SeqCst);
        assert!(client.resume("f", at(0)).await?);
        client.functions(at(0), 1).await?;
        // A store that is always done at once would keep the thread, and with it a task that the others do not see.
        tokio::task::yield_now().await;
    }
    Ok(())
}

pub(super) async fn pauses_meet_claims_and_publishes(bench: Bench) -> Result<()> {
    let known = Arc::new(Known::default());
    let (publisher, claimer) = (bench.another().await?, bench.another().await?);
    let publishing = publisher.worker(&["f"]).await?;
    let claiming = claimer.worker(&["f"]).await?;
    let tasks = [
        tokio::spawn(publish(publisher, publishing, Arc::clone(&known))),
        tokio::spawn(claim(claimer, claiming, Arc::clone(&known))),
        tokio::spawn(pause(bench.another().await?, Arc::clone(&known))),
    ];
    for task in tasks {
        task.await.expect("the task does not panic")?;
    }
    assert_eq!(known.completed.load(Ordering::SeqCst), EVENTS);
    Ok(())
}
