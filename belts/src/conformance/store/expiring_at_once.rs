//! Runs whose time is over at the moment when something else becomes of them.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    bench::{Bench, Client, at, event, ok},
    limits::{FINISH, START, limits},
};
use crate::{
    error::Result,
    store::{CommitOutcome, RunFilter, RunStatus, Transition, WorkerId},
};

/// How many events are published.
const EVENTS: usize = 60;

/// What came of the runs, as those who work at once have seen it.
#[derive(Debug, Default)]
struct Seen {
    publishing: AtomicUsize,
    expired: Mutex<Vec<Arc<str>>>,
    completed: Mutex<HashSet<Arc<str>>>,
}

impl Seen {
    fn is_over(&self) -> bool {
        self.publishing.load(Ordering::SeqCst) == 0
    }

    fn keep(&self, expired: Vec<Arc<str>>) {
        self.expired.lock().expect("nobody panics").extend(expired);
    }
}

async fn publish(client: Client, seen: Arc<Seen>) -> Result<()> {
    for number in 0..EVENTS {
        client
            .publish_all(vec![event(&format!("e-{number}"), "f")], at(0))
            .await?;
    }
    seen.publishing.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

/// Claims just before the time to start is over, and completes.
async fn complete(client: Client, worker: WorkerId, seen: Arc<Seen>) -> Result<()> {
    loop {
        let last = seen.is_over();
        let claimed = client.take(worker, &["f"], at(START - 1)).await?;
        if claimed.runs.is_empty() && last {
            return Ok(());
        }
        for run in claimed.runs {
            let complete = Some(Transition::complete(ok("1")));
            let outcome = client.write(run.lease, Vec::new(), complete, at(START));
            if outcome.await? == CommitOutcome::Applied {
                let mut completed = seen.completed.lock().expect("nobody panics");
                assert!(completed.insert(run.run_id), "it completes once");
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn expire(client: Client, seen: Arc<Seen>, now: i64) -> Result<()> {
    loop {
        let last = seen.is_over();
        let ended = client.expire(at(now), 3).await?;
        let none = ended.runs.is_empty();
        seen.keep(ended.runs);
        if none && last && !ended.more {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

pub(super) async fn expire_meets_others_at_once(bench: Bench) -> Result<()> {
    let seen = Arc::new(Seen::default());
    seen.publishing.store(1, Ordering::SeqCst);
    let claimer = bench.another().await?;
    let worker = claimer
        .limited(&["f"], &[limits("f", START, FINISH)])
        .await?;
    let tasks = [
        tokio::spawn(publish(bench.another().await?, Arc::clone(&seen))),
        tokio::spawn(complete(claimer, worker, Arc::clone(&seen))),
        // One ends what was not claimed yet, the others what has not completed yet.
        tokio::spawn(expire(bench.another().await?, Arc::clone(&seen), START)),
        tokio::spawn(expire(bench.another().await?, Arc::clone(&seen), FINISH)),
        tokio::spawn(expire(bench.another().await?, Arc::clone(&seen), FINISH)),
    ];
    for task in tasks {
        task.await.expect("the task does not panic")?;
    }
    let expired = seen.expired.lock().expect("nobody panics").clone();
    let completed = seen.completed.lock().expect("nobody panics").clone();
    let once: HashSet<_> = expired.iter().cloned().collect();
    assert_eq!(once.len(), expired.len(), "a run is ended once");
    assert!(once.is_disjoint(&completed), "a run ends one way");
    assert_eq!(once.len() + completed.len(), EVENTS);
    let filter = RunFilter::new().with_limit(EVENTS);
    for run in bench.store.list(filter).await?.runs {
        let expected = if completed.contains(&run.run_id) {
            RunStatus::Completed
        } else {
            RunStatus::Cancelled
        };
        assert_eq!(run.status, expected, "{}", run.run_id);
    }
    Ok(())
}
