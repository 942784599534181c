//! Rows that cannot be read: of a newer version, or spoiled.

use belts::store::{After, Rerun, RunFilter, RunStatus, Sqlite, Store, Transition};
use rusqlite::Connection;

use super::directory;
use crate::requests::{at, begin, claim, commit, entry, event, paid, publish, waiting, worker};

/// A store with two runs that are due: `bad`, which has a step, and `good`.
async fn two_runs(path: &std::path::Path) -> belts::Result<(Sqlite, std::sync::Arc<str>)> {
    let store = Sqlite::open(path).await?;
    let first = worker(&store).await?;
    let (bad, lease) = begin(&store, "bad", first).await?;
    let suspend = Some(Transition::suspend(at(1)));
    commit(&store, lease, vec![entry(0)], suspend).await?;
    publish(&store, event("good")).await?;
    Ok((store, bad))
}

fn spoil(path: &std::path::Path, sql: &str) {
    let raw = Connection::open(path).expect("the database is there");
    raw.execute_batch(sql).expect("the row can be spoiled");
}

fn told(result: Option<&[u8]>) -> String {
    String::from_utf8_lossy(result.unwrap_or_default()).into_owned()
}

/// One row that this version did not know ended every claim of the store, for all functions.
#[tokio::test]
async fn what_a_newer_version_wrote_is_put_off_for_it() -> belts::Result<()> {
    for (spoilt, mended) in [
        ("UPDATE steps SET kind = 99", "UPDATE steps SET kind = 0"),
        ("UPDATE steps SET state = 7", "UPDATE steps SET state = 0"),
        (
            "UPDATE runs SET status = -1 WHERE number = 1",
            "UPDATE runs SET status = 2 WHERE number = 1",
        ),
    ] {
        let directory = directory();
        let path = directory.path().join("belts.db");
        let (store, bad) = two_runs(&path).await?;
        let second = worker(&store).await?;
        spoil(&path, spoilt);
        let claimed = claim(&store, second, at(2)).await?;
        assert_eq!(claimed.runs.len(), 1, "{spoilt}");
        assert_eq!(&*claimed.runs[0].event_id, "good");
        assert_eq!(claimed.set_aside.len(), 1);
        assert_eq!(claimed.set_aside[0].run_id, bad);
        assert_eq!(&*claimed.set_aside[0].function_id, "f");
        let record = store.run(&bad).await?.expect("the run is there");
        assert_eq!(record.status, RunStatus::Suspended);
        assert!(told(record.result.as_deref()).contains("a row holds an unknown"));
        assert_eq!(record.due_at, Some(at(60_002)));
        assert!(claim(&store, second, at(3)).await?.set_aside.is_empty());
        // The newer version can read it.
        spoil(&path, mended);
        let claimed = claim(&store, second, at(60_002)).await?.runs;
        assert!(claimed.iter().any(|run| run.run_id == bad));
    }
    Ok(())
}

/// Whatever arrived for its waits made it due at once, so that the next claim set it aside again.
#[tokio::test]
async fn what_is_put_off_keeps_its_time_whatever_arrives() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    let worker = worker(&store).await?;
    let (run, lease) = begin(&store, "e", worker).await?;
    let entries = vec![entry(0), waiting(1, After::Start)];
    let suspend = Some(Transition::suspend(None));
    commit(&store, lease, entries, suspend).await?;
    spoil(&path, "UPDATE steps SET kind = 99 WHERE seq = 0");
    publish(&store, paid("first")).await?;
    assert_eq!(claim(&store, worker, at(2)).await?.set_aside.len(), 1);
    publish(&store, paid("second")).await?;
    let record = store.run(&run).await?.expect("the run is there");
    assert_eq!(record.due_at, Some(at(60_002)));
    assert!(claim(&store, worker, at(3)).await?.set_aside.is_empty());
    // It goes on where it can be read, and is woken again.
    spoil(&path, "UPDATE steps SET kind = 0 WHERE seq = 0");
    let run = claim(&store, worker, at(60_002)).await?.runs.remove(0);
    assert_eq!(run.arrivals.len(), 2);
    let passed = waiting(1, After::Place(run.arrivals[1].place));
    let suspend = Some(Transition::suspend(None));
    commit(&store, run.lease, vec![passed], suspend).await?;
    publish(&store, paid("third")).await?;
    assert_eq!(claim(&store, worker, at(60_003)).await?.runs.len(), 1);
    Ok(())
}

#[tokio::test]
async fn row_that_nobody_can_have_written_fails_its_run_alone() -> belts::Result<()> {
    for (spoilt, mended) in [
        ("UPDATE steps SET seq = -1", "UPDATE steps SET seq = 0"),
        (
            "UPDATE steps SET path = CAST(x'ff' AS TEXT)",
            "UPDATE steps SET path = 'a'",
        ),
        (
            "UPDATE steps SET type_name = 999",
            "UPDATE steps SET type_name = 1",
        ),
        (
            "UPDATE runs SET failed_attempts = -4 WHERE number = 1",
            "UPDATE runs SET failed_attempts = 0 WHERE number = 1",
        ),
        (
            "UPDATE runs SET event = 999 WHERE number = 1",
            "UPDATE runs SET event = 1 WHERE number = 1",
        ),
        (
            "UPDATE events SET traceparent = CAST(x'ff' AS TEXT) WHERE id = 'bad'",
            "UPDATE events SET traceparent = NULL WHERE id = 'bad'",
        ),
    ] {
        let directory = directory();
        let path = directory.path().join("belts.db");
        let (store, bad) = two_runs(&path).await?;
        let second = worker(&store).await?;
        spoil(&path, spoilt);
        let claimed = claim(&store, second, at(2)).await?;
        assert_eq!(claimed.runs.len(), 1, "{spoilt}");
        assert_eq!(claimed.set_aside.len(), 1, "{spoilt}");
        spoil(&path, mended);
        let record = store.run(&bad).await?.expect("the run is there");
        assert_eq!(record.status, RunStatus::Failed);
        assert!(told(record.result.as_deref()).contains("cannot be read"));
        assert!(store.rerun(Rerun::new(&*bad, at(3))).await?);
        assert_eq!(claim(&store, second, at(3)).await?.runs.len(), 1);
    }
    Ok(())
}

/// Words that are gone, in whichever table: whoever lists, starts or publishes goes on.
#[tokio::test]
async fn spoiled_rows_stop_no_list_no_start_and_no_publish() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let (store, _) = two_runs(&path).await?;
    spoil(
        &path,
        "UPDATE runs SET function = 998 WHERE number = 1;
         UPDATE events SET event_type = 999, id = CAST(x'ff' AS TEXT) WHERE number = 1;
         UPDATE runs SET notes = 'no notes' WHERE number = 1;
         UPDATE workers SET name = CAST(x'ff' AS TEXT);
         INSERT INTO subscriptions (event_type, function) SELECT event_type, 998 FROM events WHERE id = 'good';
         INSERT INTO subscriptions (event_type, function) VALUES (999, 998);
         INSERT INTO wants (session, function, event_type) VALUES (77, 998, 999);",
    );
    drop(store);
    let store = Sqlite::open(&path).await?;
    let page = store.list(RunFilter::default()).await?.runs;
    assert_eq!(page.len(), 2);
    assert_eq!(&*page[1].function_id, "(unknown)");
    assert_eq!(store.subscriptions().await?.len(), 2);
    let second = worker(&store).await?;
    assert_eq!(publish(&store, event("more")).await?.runs.len(), 1);
    assert_eq!(claim(&store, second, at(2)).await?.runs.len(), 2);
    assert!(!store.functions(at(2), 10).await?.is_empty());
    store.deregister(second, at(3)).await
}
