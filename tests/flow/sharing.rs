//! Options by which events share a run, as a user sees them.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Failed, Keyring, step,
    store::{NewEvent, Publish, RunStatus},
    testing::{Harness, SqliteFile},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Changed {
    document: String,
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Noted {
    account: String,
    n: u32,
}

#[belts::function(id = "index", on = Changed, debounce(period = "5s", max = "12s", key = |e| &e.document))]
async fn index(event: Changed) -> belts::Result<u32> {
    step!("write", event.version).await
}

#[belts::function(id = "bulk", on = Noted, when = |e| e.n != 99, batch(size = 3, within = "5s", key = |e| &e.account))]
async fn bulk(events: Vec<Noted>) -> belts::Result<Vec<u32>> {
    step!(
        "write",
        events.iter().map(|event| event.n).collect::<Vec<_>>()
    )
    .await
}

#[belts::function(id = "breaks", on = Noted, retries = 0, batch(size = 2, within = "5s", key = |e| &e.account))]
async fn breaks(events: Vec<Noted>) -> belts::Result<()> {
    step!("count", events.len()).await?;
    Err(belts::terminal("no"))
}

#[belts::function(id = "of-broken", on_failure = breaks)]
async fn of_broken(failure: Failed<Vec<Noted>>) -> belts::Result<Vec<u32>> {
    let events = failure.event;
    step!("n", events.iter().map(|event| event.n).collect::<Vec<_>>()).await
}

const SECOND: Duration = Duration::from_secs(1);

fn changed(document: &str, version: u32) -> Changed {
    let document = document.to_owned();
    Changed { document, version }
}

fn noted(account: &str, n: u32) -> Noted {
    let account = account.to_owned();
    Noted { account, n }
}

#[tokio::test]
async fn one_run_with_the_last_event() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for version in 1..=4 {
        harness.publish(changed("a", version)).await?;
        harness.publish(changed("b", version * 10)).await?;
        harness.travel(SECOND * 2).await?;
    }
    assert!(
        harness
            .runs_of(index)
            .await?
            .iter()
            .all(|run| run.steps().is_empty())
    );
    harness.travel(SECOND * 3).await?;
    let runs = harness.runs_of(index).await?;
    let versions: Vec<u32> = runs.iter().map(|run| run.output().unwrap()).collect();
    assert_eq!(versions, [4, 40]);
    Ok(())
}

#[tokio::test]
async fn an_event_that_never_rests_runs_at_its_maximum() -> belts::Result<()> {
    let harness = Harness::new().await?;
    for version in 0..15 {
        harness.publish(changed("a", version)).await?;
        harness.travel(SECOND).await?;
    }
    let runs = harness.runs_of(index).await?;
    assert_eq!(runs[0].output()?, 11, "twelve seconds after the first");
    assert_eq!(runs.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_batch_has_its_events_in_order() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for n in 1..=4 {
        harness.publish(noted("ada", n)).await?;
        harness.publish(noted("bob", n * 10)).await?;
        harness.publish(noted("ada", 99)).await?;
    }
    harness.settle().await?;
    let runs = harness.runs_of(bulk).await?;
    let mut outputs: Vec<Vec<u32>> = runs.iter().map(|run| run.output().unwrap()).collect();
    outputs.sort();
    let expected = [vec![1, 2, 3], vec![4], vec![10, 20, 30], vec![40]];
    assert_eq!(outputs, expected);
    Ok(())
}

#[tokio::test]
async fn events_of_a_batch_are_sealed() -> belts::Result<()> {
    let keys = Keyring::new("2026-11", [7; 32]);
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .encryption(keys)
        .build()
        .await?;
    for n in 1..=3 {
        harness.publish(noted("ada", n)).await?;
    }
    harness.settle().await?;
    assert_eq!(harness.runs_of(bulk).await?[0].output()?, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn a_failure_handler_gets_all_events_of_a_batch() -> belts::Result<()> {
    let harness = Harness::new().await?;
    for n in [99, 7] {
        harness.publish(noted("ada", n)).await?;
    }
    harness.settle().await?;
    harness.runs_of(breaks).await?[0].assert_failed();
    assert_eq!(harness.runs_of(of_broken).await?[0].output()?, [99, 7]);
    Ok(())
}

#[tokio::test]
async fn a_rerun_has_all_events_of_its_batch() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for n in [98, 7] {
        harness.publish(noted("ada", n)).await?;
    }
    harness.settle().await?;
    let failed = harness.runs_of(breaks).await?.remove(0);
    let again = harness.rerun(breaks, failed.run_id()).await?;
    again.assert_failed().assert_steps(&["count"]);
    assert_eq!(harness.runs_of(of_broken).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_call_of_a_function_with_a_batch_takes_a_vec() -> belts::Result<()> {
    let harness = Harness::new().await?;
    let events = vec![noted("ada", 5), noted("bob", 6)];
    let run = harness.run(bulk, events).await?;
    assert_eq!(run.output()?, [5, 6]);
    Ok(())
}

/// What another program publishes, which has not the code of the function.
fn foreign(id: &str, json: &str, event_type: &str, now: belts::Timestamp) -> NewEvent {
    NewEvent::new(id, event_type, json.as_bytes(), now)
}

#[tokio::test]
async fn events_of_another_program_share_runs_as_well() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    harness.settle().await?;
    let now = harness.now();
    let mut events = Vec::new();
    for n in 1..=4 {
        let noted = format!(r#"{{"account":"ada","n":{n}}}"#);
        events.push(foreign(&format!("noted-{n}"), &noted, "noted", now));
        let changed = format!(r#"{{"document":"a","version":{n}}}"#);
        events.push(foreign(&format!("changed-{n}"), &changed, "changed", now));
    }
    harness
        .store()
        .shared()
        .publish(Publish::new(events, now))
        .await?;
    harness.settle().await?;
    let runs = harness.runs_of(bulk).await?;
    let mut outputs: Vec<Vec<u32>> = runs.iter().map(|run| run.output().unwrap()).collect();
    outputs.sort();
    assert_eq!(outputs, [vec![1, 2, 3], vec![4]]);
    let runs = harness.runs_of(index).await?;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].output()?, 4);
    assert_eq!(runs[0].status(), Some(RunStatus::Completed));
    let _: Arc<str> = Arc::clone(&runs[0].record().unwrap().run_id);
    Ok(())
}
