//! Many events published at once: one write, and an outcome for each.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use belts::{
    ErrorKind, Event, Publish, Worker, publish_all, step,
    store::{Memory, RunFilter, SharedStore, Sqlite, Store as _},
    testing::{Harness, ManualClock, Reopen, SqliteFile, sweep},
};
use belts_suite::Hooked;
use serde::{Deserialize, Serialize};

use crate::places::{InSchema, UnderPrefix};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-many-sent")]
struct Sent {
    number: u32,
    #[serde(default)]
    text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-many-asked")]
struct Asked {
    numbers: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-many-lost")]
struct Lost {}

#[belts::function(id = "z-many-take", on = Sent)]
async fn take(sent: Sent) -> belts::Result<u32> {
    step!("take", sent.number).await
}

#[belts::function(id = "z-many-even", on = Sent, when = |sent| sent.number % 2 == 0)]
async fn even(sent: Sent) -> belts::Result<u32> {
    step!("take", sent.number).await
}

static TRIES: AtomicU32 = AtomicU32::new(0);

#[belts::function(id = "z-many-each", on = Asked)]
async fn publish_each(asked: Asked) -> belts::Result<Vec<bool>> {
    let published = step!("publish", {
        publish_all(asked.numbers.iter().map(|number| sent(*number))).all()
    })
    .await?;
    // Each started its run; those of one number are two.
    Ok(published.iter().map(|it| it.runs.len() == 1).collect())
}

/// Publishes all in one step, which fails once after it has.
#[belts::function(id = "z-many-ask", on = Asked)]
async fn ask(asked: Asked) -> belts::Result<usize> {
    step!("publish", async {
        let events = asked.numbers.iter().map(|number| sent(*number));
        let published = publish_all(events).all().await?;
        if TRIES.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(belts::Error::from_any("it failed after it had published"));
        }
        Ok(published.len())
    })
    .await
}

fn sent(number: u32) -> Publish {
    let text = String::new();
    publish_sent(Sent { number, text })
}

async fn worker(store: SharedStore) -> Worker {
    let builder = Worker::builder()
        .shared_store(store)
        .clock(ManualClock::default());
    builder.function(take).build().await.unwrap()
}

#[tokio::test]
async fn many_events_are_one_write_and_each_has_its_outcome() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let counted = Arc::clone(&calls);
    let store = Hooked::new(Arc::new(Memory::new()), move |method| {
        counted.lock().unwrap().push(method);
        Box::pin(async { Ok(()) })
    });
    let worker = worker(Arc::clone(&store)).await;
    let there = sent(1).idempotency_key("there").via(&worker).await.unwrap();
    calls.lock().unwrap().clear();

    let long = "x".repeat(5 * 1024 * 1024);
    let outcomes = publish_all([
        sent(0),
        sent(1).idempotency_key("there"),
        sent(2).idempotency_key("there"),
        publish_sent(Sent {
            number: 3,
            text: long,
        }),
        publish_lost(Lost {}).must_start(),
        sent(5).idempotency_key(" "),
        sent(6).idempotency_key("twice"),
        sent(6).idempotency_key("twice"),
        publish_lost(Lost {}),
    ])
    .via(&worker)
    .await;
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(published) => Ok((published.duplicate, published.runs.len())),
            Err(error) => Err(error.kind()),
        })
        .collect();
    assert_eq!(
        told,
        [
            Ok((false, 1)),
            Ok((true, 1)),
            Err(ErrorKind::Conflict),
            Err(ErrorKind::TooLarge),
            Err(ErrorKind::UnknownEvent),
            Err(ErrorKind::Config),
            Ok((false, 1)),
            Ok((true, 1)),
            Ok((false, 0)),
        ]
    );
    assert_eq!(outcomes[1].as_ref().unwrap().runs, there.runs);
    {
        let calls = calls.lock().unwrap();
        let writes = calls.iter().filter(|method| **method == "publish");
        assert_eq!(writes.count(), 1, "{calls:?}");
    }
    let runs = store.list(RunFilter::new()).await.unwrap().runs;
    assert_eq!(runs.len(), 3);
}

#[tokio::test]
async fn nothing_to_publish_is_no_error_and_thousands_are_several_writes() {
    let worker = worker(Arc::new(Memory::new())).await;
    assert!(publish_all([]).via(&worker).await.is_empty());
    let many = (0..2_500).map(sent);
    let published = publish_all(many).via(&worker).all().await.unwrap();
    let ids: BTreeSet<_> = published.iter().map(|it| &it.event_id).collect();
    assert_eq!((published.len(), ids.len()), (2_500, 2_500));
}

#[tokio::test]
async fn without_a_worker_every_event_says_so() {
    for outcome in publish_all([sent(1), sent(2)]).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NoWorker);
    }
}

/// A store that refuses the write as a whole refuses each event, and each can be published again.
#[tokio::test]
async fn a_write_that_fails_is_told_of_every_event() {
    let fails = Arc::new(AtomicU32::new(1));
    let store = Hooked::new(Arc::new(Memory::new()), move |method| {
        let fails = method == "publish"
            && fails
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        Box::pin(async move {
            if fails {
                return Err(belts::Error::store("no room", "the disk is full"));
            }
            Ok(())
        })
    });
    let worker = worker(store).await;
    let publish = || [1, 2].map(|number| sent(number).idempotency_key(number.to_string()));
    for outcome in publish_all(publish()).via(&worker).await {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(error.report(), "no room: the disk is full");
    }
    let again = publish_all(publish()).via(&worker).all().await.unwrap();
    assert!(again.iter().all(|published| !published.duplicate));
}

/// A thousand times the store was waited for, one batch after the other.
#[tokio::test]
async fn what_comes_behind_a_write_that_failed_is_not_tried() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let store = Hooked::new(Arc::new(Memory::new()), move |method| {
        let fails = method == "publish" && counted.fetch_add(1, Ordering::Relaxed) == 1;
        Box::pin(async move {
            if fails {
                return Err(belts::Error::store("no room", "the disk is full"));
            }
            Ok(())
        })
    });
    let worker = worker(store).await;
    let outcomes = publish_all((0..3_500).map(sent)).via(&worker).await;
    let published = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(published, 1_000);
    assert!(outcomes[..1_000].iter().all(Result::is_ok));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

/// Each batch would have held a thousand of them.
#[tokio::test]
async fn long_events_are_written_a_few_at_a_time() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let store = Hooked::new(Arc::new(Memory::new()), move |method| {
        if method == "publish" {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(async { Ok(()) })
    });
    let worker = worker(store).await;
    let long = |number| {
        let text = "x".repeat(900 * 1024);
        publish_sent(Sent { number, text })
    };
    let published = publish_all((0..20).map(long)).via(&worker).all().await;
    assert_eq!(published.unwrap().len(), 20);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// What a running worker finds of a batch: the events that are due, the one that is due later, and none that a filter refuses.
#[tokio::test]
async fn a_running_worker_takes_what_a_batch_has_begun() {
    let store: SharedStore = Arc::new(Memory::new());
    let builder = Worker::builder().shared_store(Arc::clone(&store));
    let worker = builder.function(even).build().await.unwrap();
    let looped = worker.clone();
    let running = tokio::spawn(async move { looped.run().await });
    let soon = std::time::Duration::from_millis(300);
    let events = [
        sent(1),
        sent(2),
        sent(3).delay(soon),
        sent(4).delay(soon),
        sent(6),
    ];
    let published = publish_all(events).via(&worker).all().await.unwrap();
    let started: Vec<_> = published.iter().map(|it| it.runs.len()).collect();
    assert_eq!(started, [0, 1, 0, 1, 1]);
    for run in published.iter().filter_map(|it| it.run_of(even)) {
        assert_eq!(run.via(&worker).result().await.unwrap() % 2, 0);
    }
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// One event goes by the worker that it names, the others by that of all.
#[tokio::test]
async fn an_event_that_names_a_worker_goes_by_that_one() {
    let stores = [Memory::new(), Memory::new()];
    let first = worker(Arc::new(stores[0].clone())).await;
    let second = worker(Arc::new(stores[1].clone())).await;
    let events = [sent(1), sent(2).via(&second), sent(3)];
    let published = publish_all(events).via(&first).all().await.unwrap();
    let mut runs = Vec::new();
    for store in &stores {
        runs.push(store.list(RunFilter::new()).await.unwrap().runs.len());
    }
    assert_eq!(runs, [2, 1]);
    let second_run = &published[1].runs[0].run_id;
    assert!(stores[1].run(second_run).await.unwrap().is_some());
}

#[tokio::test]
async fn a_retried_step_publishes_each_of_many_once() {
    let harness = Harness::builder().function(ask).function(take);
    let harness = harness.build().await.unwrap();
    let numbers = vec![1, 2, 2, 3];
    let run = harness.run(ask, Asked { numbers }).await.unwrap();
    assert_eq!(run.output().unwrap(), 4);
    let taken = harness.published::<Sent>().unwrap();
    let numbers: Vec<_> = taken.iter().map(|sent| sent.number).collect();
    assert_eq!(numbers, [1, 2, 2, 3]);
}

/// A crash before and after each write of a step that publishes many.
async fn crossed_by_crashes<P: Reopen>(place: fn() -> P) {
    let numbers = vec![1, 2, 2, 3];
    let swept = sweep(place).function(publish_each).event(Asked { numbers });
    let swept = swept.harness(|harness| harness.function(publish_each).function(take));
    let report = swept.await.unwrap();
    assert!(report.writes > 1, "{report:?}");
}

#[tokio::test]
async fn many_survive_every_crash() {
    crossed_by_crashes(Memory::new).await;
    crossed_by_crashes(SqliteFile::temporary).await;
}

/// The same on each store that can be kept.
async fn each_is_there(store: SharedStore) {
    let worker = worker(Arc::clone(&store)).await;
    let many = (0..300).map(|number| sent(number).idempotency_key(format!("n{}", number % 200)));
    let published = publish_all(many).via(&worker).await;
    for (number, outcome) in published.iter().enumerate() {
        // From the 201st on each has the key of one before, and another content.
        match outcome {
            Ok(published) => assert!(number < 200 && !published.duplicate, "{number}"),
            Err(error) => {
                assert!(number >= 200, "{number}: {error}");
                assert_eq!(error.kind(), ErrorKind::Conflict);
            }
        }
    }
    let runs = store
        .list(RunFilter::new().with_limit(1_000))
        .await
        .unwrap();
    assert_eq!(runs.runs.len(), 200);
}

#[tokio::test]
async fn many_are_there_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("belts.db")).await;
    each_is_there(Arc::new(store.unwrap())).await;
}

#[tokio::test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn many_are_there_on_postgres() {
    let schema = InSchema::new();
    each_is_there(schema.open().await.unwrap()).await;
}

#[tokio::test]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn many_are_there_on_redis() {
    let prefix = UnderPrefix::new();
    each_is_there(prefix.open().await.unwrap()).await;
}
