//! Options that skip events or spread the starts of runs, as a user sees them.

use std::time::Duration;

use belts::{
    ErrorKind, Event, call, sleep, step,
    store::RunStatus,
    testing::{Harness, SqliteFile},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Asked {
    account: String,
    n: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Rated {
    account: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Spread {
    account: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Single {
    account: String,
    n: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum Moved {
    In { account: String },
    Out { account: String },
}

#[belts::function(id = "once", on = Asked, idempotent(key = |e| &e.account, within = "1h"))]
async fn once(event: Asked) -> belts::Result<u32> {
    step!("n", event.n).await
}

#[belts::function(id = "rated", on = Rated, rate_limit(limit = 2, per = "10s", key = |Rated { account }| (account, 1)))]
async fn rated(event: Rated) -> belts::Result<String> {
    step!("account", event.account.clone()).await
}

#[belts::function(id = "spread", on = Spread, throttle(limit = 1, per = "2s", key = |e| &e.account))]
async fn spread(event: Spread) -> belts::Result<String> {
    step!("account", event.account.clone()).await
}

#[belts::function(id = "skips", on = Single, singleton(key = |e| &e.account))]
async fn skips(event: Single) -> belts::Result<u32> {
    sleep!("work", "10s").await?;
    Ok(event.n)
}

#[belts::function(id = "replaces", on = Single, singleton(key = |e| &e.account, then = "replace"))]
async fn replaces(event: Single) -> belts::Result<u32> {
    sleep!("work", "10s").await?;
    Ok(event.n)
}

#[belts::function(id = "queues", on = Single, singleton(key = |e| &e.account, then = "queue"))]
async fn queues(event: Single) -> belts::Result<u32> {
    sleep!("work", "10s").await?;
    Ok(event.n)
}

#[belts::function(
    id = "moved",
    on = Moved,
    idempotent(key = |e| match e { Moved::In { account } | Moved::Out { account } => account }),
)]
async fn moved(event: Moved) -> belts::Result<()> {
    drop(event);
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);

fn ada() -> String {
    "ada".to_owned()
}

#[tokio::test]
async fn one_run_for_a_key_and_the_publisher_hears_of_it() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    let asked = |n| harness.publish(Asked { account: ada(), n });
    let first = asked(1).await?;
    assert!(first.skipped.is_empty());
    let second = asked(2).await?;
    assert!(second.runs.is_empty(), "{second:?}");
    let skipped = &second.skipped[0];
    assert_eq!(
        (&*skipped.function_id, &*skipped.by),
        ("once", "idempotent")
    );
    assert_eq!(skipped.instead.as_deref(), Some(&*first.runs[0].run_id));
    harness.settle().await?;
    let runs = harness.runs_of(once).await?;
    assert_eq!(runs[0].output()?, 1);
    assert_eq!(runs[1].run_id(), skipped.run_id);
    assert_eq!(runs[1].status(), Some(RunStatus::Cancelled));
    let why = format!("skipped by idempotent: run {}", runs[0].run_id());
    assert_eq!(runs[1].why().as_deref(), Some(&*why));
    let said = runs[1].error().expect("it says so").report();
    assert!(said.contains("skipped by `idempotent`"), "{said}");
    harness.travel(SECOND * 3_600).await?;
    assert!(asked(3).await?.skipped.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_is_over_a_rate_is_skipped() -> belts::Result<()> {
    let harness = Harness::new().await?;
    let mut skipped = Vec::new();
    for _ in 0..4 {
        let published = harness.publish(Rated { account: ada() }).await?;
        skipped.push(published.skipped.len());
    }
    assert_eq!(skipped, [0, 0, 1, 1]);
    let other = harness
        .publish(Rated {
            account: "bob".to_owned(),
        })
        .await?;
    assert!(other.skipped.is_empty(), "of another key");
    harness.travel(SECOND * 5).await?;
    assert!(
        harness
            .publish(Rated { account: ada() })
            .await?
            .skipped
            .is_empty()
    );
    Ok(())
}

#[tokio::test]
async fn starts_are_spread() -> belts::Result<()> {
    let harness = Harness::new().await?;
    let begun = harness.now();
    for account in ["ada", "ada", "ada", "bob"] {
        let account = account.to_owned();
        harness.publish(Spread { account }).await?;
    }
    let waiting = harness.runs_of(spread).await?.remove(2).why();
    let until = format!("throttled until {}", begun.after(SECOND * 4));
    assert_eq!(waiting, Some(until));
    harness.settle().await?;
    let runs = harness.runs_of(spread).await?;
    let started = runs
        .iter()
        .map(|run| run.record().unwrap().started_at.unwrap());
    let started: Vec<_> = started.map(|at| at.since(begun).as_secs()).collect();
    assert_eq!(started, [0, 2, 4, 0]);
    assert_eq!(runs[3].output()?, "bob");
    Ok(())
}

#[tokio::test]
async fn one_live_run_at_a_time() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for n in 1..=3 {
        let published = harness.publish(Single { account: ada(), n }).await?;
        let skipped: Vec<&str> = published
            .skipped
            .iter()
            .map(|run| &*run.function_id)
            .collect();
        assert_eq!(skipped, if n == 1 { vec![] } else { vec!["skips"] });
        harness.travel(SECOND).await?;
    }
    harness.settle().await?;
    let done = |status| move |run: &&belts::testing::TestRun<u32>| run.status() == Some(status);
    let skips = harness.runs_of(skips).await?;
    let completed: Vec<_> = skips.iter().filter(done(RunStatus::Completed)).collect();
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].output()?, 1);
    let replaces = harness.runs_of(replaces).await?;
    let completed: Vec<_> = replaces.iter().filter(done(RunStatus::Completed)).collect();
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].output()?, 3);
    let queues = harness.runs_of(queues).await?;
    let mut ended = Vec::new();
    for run in &queues {
        run.assert_completed();
        ended.push(run.record().unwrap().finished_at.unwrap());
    }
    assert!(ended[1].since(ended[0]) >= SECOND * 10, "{ended:?}");
    assert!(ended[2].since(ended[1]) >= SECOND * 10, "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn keys_come_from_any_event_of_a_union() -> belts::Result<()> {
    let harness = Harness::new().await?;
    assert!(
        harness
            .publish(Moved::In { account: ada() })
            .await?
            .skipped
            .is_empty()
    );
    assert_eq!(
        harness
            .publish(Moved::Out { account: ada() })
            .await?
            .skipped
            .len(),
        1
    );
    harness.settle().await?;
    harness.runs_of(moved).await?[0].assert_completed();
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_too_long_is_the_publishers_error() -> belts::Result<()> {
    let harness = Harness::new().await?;
    let account = "x".repeat(513);
    let error = harness.publish(Asked { account, n: 1 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let text = error.to_string();
    assert!(
        text.contains("`idempotent` of the function `once` has 513 bytes"),
        "{text}"
    );
    Ok(())
}

/// Whoever publishes again since no answer came hears what the first answer said.
#[tokio::test]
async fn a_duplicate_of_what_was_skipped_is_said_to_be_skipped() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    let worker = harness.worker();
    let asked = |n| {
        let event = Asked { account: ada(), n };
        publish_asked(event)
            .idempotency_key(format!("n-{n}"))
            .via(&worker)
    };
    let first = asked(1).await?;
    let second = asked(2).await?;
    let again = asked(2).await?;
    assert!(again.duplicate && again.runs.is_empty(), "{again:?}");
    assert_eq!(again.skipped, second.skipped);
    let again = asked(1).await?;
    assert!(again.duplicate && again.skipped.is_empty(), "{again:?}");
    assert_eq!(again.runs, first.runs);
    Ok(())
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Lot {
    n: u32,
}

#[belts::function(id = "lots", on = Lot, batch(size = 10, within = "5s"))]
async fn lots(events: Vec<Lot>) -> belts::Result<usize> {
    Ok(events.len())
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct LotsAsked {}

#[belts::function(id = "asks-lots", on = LotsAsked)]
async fn asks_lots(event: LotsAsked) -> belts::Result<Vec<usize>> {
    let LotsAsked {} = event;
    let one = call!("one", lots(vec![Lot { n: 1 }])).await?;
    let two = call!("two", lots(vec![Lot { n: 2 }, Lot { n: 3 }])).await?;
    Ok(vec![one, two])
}

/// What is called with a batch is that batch, and collects nothing else, however long it is.
#[tokio::test]
async fn a_batch_that_is_called_is_whole_also_of_one() -> belts::Result<()> {
    let harness = Harness::new().await?;
    harness.publish(Lot { n: 9 }).await?;
    let run = harness.run(asks_lots, LotsAsked {}).await?;
    assert_eq!(run.output()?, [1, 2]);
    Ok(())
}
