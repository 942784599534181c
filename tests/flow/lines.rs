//! Limits of runs at once over all workers, and priorities, as a user sees them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use belts::{
    Event, Worker, sleep, step,
    store::{Memory, RunFilter, RunStatus, SharedStore, Sqlite},
    testing::{Harness, SqliteFile, sweep},
};
use belts_suite::a_moment;
use serde::{Deserialize, Serialize};

use crate::places::InSchema;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Work {
    place: String,
    account: u32,
    urgent: bool,
}

/// Who is at work, and the most at once.
#[derive(Debug, Default)]
struct Counted {
    now: u32,
    most: u32,
}

static AT_WORK: Mutex<Option<HashMap<String, Counted>>> = Mutex::new(None);

/// One more, or one less, of a place and what is counted there.
fn count(what: &str, more: bool) {
    let mut all = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = all
        .get_or_insert_default()
        .entry(what.to_owned())
        .or_default();
    counted.now = if more {
        counted.now + 1
    } else {
        counted.now - 1
    };
    counted.most = counted.most.max(counted.now);
}

fn most(what: &str) -> u32 {
    let all = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = all.as_ref().and_then(|all| all.get(what));
    counted.map_or(0, |counted| counted.most)
}

async fn at_work(event: &Work) {
    let all = event.place.clone();
    let own = format!("{all} {}", event.account);
    for what in [&all, &own] {
        count(what, true);
    }
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    for what in [&all, &own] {
        count(what, false);
    }
}

#[belts::function(
    id = "per-account",
    on = Work,
    concurrency(limit = 2, key = |e| e.account),
    concurrency(limit = 5, shared = "api", key = |e| &e.place),
)]
async fn per_account(event: Work) -> belts::Result<()> {
    step!("work", at_work(&event)).await
}

#[belts::function(id = "other", on = Work, concurrency(limit = 5, shared = "api", key = |e| &e.place))]
async fn other(event: Work) -> belts::Result<()> {
    step!("work", at_work(&event)).await
}

fn work(place: &str, account: u32) -> Work {
    Work {
        place: place.to_owned(),
        account,
        urgent: false,
    }
}

/// Two workers on one store do all of it, and never more at once than the limits say.
async fn two_workers_keep_the_limits(place: &str, stores: [SharedStore; 2]) -> belts::Result<()> {
    let mut workers = Vec::new();
    for store in &stores {
        let builder = Worker::builder()
            .shared_store(Arc::clone(store))
            .concurrency(8);
        workers.push(
            builder
                .function(per_account)
                .function(other)
                .build()
                .await?,
        );
    }
    for n in 0..40 {
        let event = work(place, u32::try_from(n % 4).unwrap());
        publish_work(event).via(&workers[n % 2]).await?;
    }
    let running = workers.iter().map(|worker| {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    });
    let running: Vec<_> = running.collect();
    let finished = async {
        loop {
            let filter = RunFilter::new()
                .with_statuses(vec![RunStatus::Completed])
                .with_limit(500);
            if stores[0].list(filter).await?.runs.len() == 80 {
                return Ok::<_, belts::Error>(());
            }
            a_moment().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), finished)
        .await
        .expect("all are done in time")?;
    for worker in &workers {
        worker.shutdown();
    }
    for running in running {
        running.await.expect("the loop does not panic")?;
    }
    assert!(most(place) <= 5, "{} at once of the pool", most(place));
    assert!(most(place) >= 2, "several at once");
    for account in 0..4 {
        // Beside two of the one function, those of the other have no limit by account.
        assert!(most(&format!("{place} {account}")) <= 5);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_keep_limits_together_in_memory() -> belts::Result<()> {
    let store: SharedStore = Arc::new(Memory::new());
    two_workers_keep_the_limits("memory", [Arc::clone(&store), store]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_keep_limits_together_on_sqlite() -> belts::Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let one: SharedStore = Arc::new(Sqlite::open(&path).await?);
    let two: SharedStore = Arc::new(Sqlite::open(&path).await?);
    two_workers_keep_the_limits("sqlite", [one, two]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(has_postgres), ignore = "no PostgreSQL server found")]
async fn workers_keep_limits_together_on_postgres() -> belts::Result<()> {
    use belts::testing::Reopen as _;
    let schema = InSchema::new();
    let (one, two) = (schema.open().await?, schema.open().await?);
    two_workers_keep_the_limits("postgres", [one, two]).await
}

#[belts::function(id = "naps", on = Work, concurrency(limit = 1))]
async fn naps(event: Work) -> belts::Result<u32> {
    step!("before", at_work(&event)).await?;
    sleep!("nap", "1h").await?;
    step!("after", event.account).await
}

#[tokio::test]
async fn runs_that_sleep_hold_no_place() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .function(naps)
        .build()
        .await?;
    for account in 0..3 {
        harness.publish(work("naps", account)).await?;
    }
    harness.travel(Duration::from_secs(1)).await?;
    for run in harness.runs_of(naps).await? {
        assert_eq!(run.status(), Some(RunStatus::Suspended), "all three sleep");
    }
    assert_eq!(most("naps"), 1, "one after the other");
    harness.travel(Duration::from_secs(3_600)).await?;
    let mut outputs = Vec::new();
    for run in harness.runs_of(naps).await? {
        outputs.push(run.output()?);
    }
    outputs.sort_unstable();
    assert_eq!(outputs, [0, 1, 2]);
    Ok(())
}

static ORDER: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[belts::function(id = "urgent", on = Work, concurrency = 1, priority = |e| if e.urgent { 60 } else { 0 })]
async fn urgent(event: Work) -> belts::Result<()> {
    step!(
        "note",
        ORDER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event.account)
    )
    .await
}

#[tokio::test]
async fn what_is_urgent_comes_first() -> belts::Result<()> {
    let store = Memory::new();
    let worker = Worker::builder().store(store.clone()).concurrency(1);
    let worker = worker.function(urgent).build().await?;
    for account in 0..4 {
        let urgent = account == 2;
        let event = Work {
            urgent,
            ..work("urgent", account)
        };
        publish_work(event).via(&worker).await?;
    }
    let looping = worker.clone();
    let running = tokio::spawn(async move { looping.run().await });
    let noted = async {
        while ORDER.lock().unwrap_or_else(PoisonError::into_inner).len() < 4 {
            a_moment().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noted)
        .await
        .expect("in time");
    worker.shutdown();
    running.await.expect("the loop does not panic")?;
    let order = ORDER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(order[0], 2, "{order:?}");
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(300);

#[belts::function(
    id = "in-line",
    on = Work,
    concurrency(limit = 1, key = |e| e.account),
    priority = |e| i32::try_from(e.account).unwrap_or(0),
)]
async fn in_line(event: Work) -> belts::Result<u32> {
    let account = step!("account", event.account).await?;
    step!("twice", 2 * account).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_leaves_its_place() {
    let swept = sweep(SqliteFile::temporary)
        .function(in_line)
        .event(work("swept", 7));
    let swept = tokio::time::timeout(LIMIT, swept.into_future());
    swept.await.expect("in time").unwrap();
}

#[cfg_attr(not(has_postgres), ignore = "no PostgreSQL server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_leaves_its_place_in_postgres() {
    let swept = sweep(InSchema::new)
        .function(in_line)
        .event(work("swept-pg", 7));
    let swept = tokio::time::timeout(LIMIT, swept.into_future());
    swept.await.expect("in time").unwrap();
}
