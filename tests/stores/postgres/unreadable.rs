//! Rows that this version cannot read, spoiled by hand: they stop nobody.

use belts::store::{After, RunFilter, RunStatus, Store, Transition};

use super::{InSchema, run};
use crate::requests::{at, begin, claim, commit, entry, event, paid, publish, waiting, worker};

/// One row that could not be read made every claim fail, and with it the work of all other runs.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_that_cannot_be_read_is_set_aside() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    let mut spoiled = Vec::new();
    for id in ["newer", "orphan", "sound"] {
        let (run_id, lease) = begin(&store, id, ours).await?;
        let back = belts::store::Transition::suspend(at(0));
        commit(&store, lease, vec![entry(0)], Some(back)).await?;
        spoiled.push(run_id);
    }
    let of = |id: &str| format!("(SELECT number FROM {{schema}}.events WHERE id = '{id}')");
    let newer = format!(
        "UPDATE {{schema}}.steps SET kind = 'newer' WHERE run >> 16 = {}",
        of("newer")
    );
    run(schema.sql(&newer)).await;
    run(schema.sql("DELETE FROM {schema}.events WHERE id = 'orphan'")).await;
    let claimed = claim(&store, ours, at(1)).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(claimed.runs[0].run_id, spoiled[2]);
    let mut aside: Vec<_> = claimed
        .set_aside
        .iter()
        .map(|run| (&run.run_id, &*run.reason))
        .collect();
    aside.sort();
    let mut expected = vec![
        (&spoiled[0], "a row holds an unknown kind of a step"),
        (&spoiled[1], "a row cannot be read by its event: it is gone"),
    ];
    expected.sort();
    assert_eq!(aside, expected);
    // What a newer version may have written waits for it; what nobody can read fails.
    let record = store.run(&spoiled[0]).await?.expect("it is there");
    assert_eq!(
        (record.status, record.due_at),
        (RunStatus::Suspended, Some(at(60_001)))
    );
    let told = record.result.expect("its record tells the error");
    assert!(String::from_utf8_lossy(&told).contains("unknown kind of a step"));
    assert!(claim(&store, ours, at(2)).await?.set_aside.is_empty());
    assert_eq!(claim(&store, ours, at(60_001)).await?.set_aside.len(), 1);
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_keeps_its_time_whatever_arrives() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    let (run_id, lease) = begin(&store, "e", ours).await?;
    let entries = vec![entry(0), waiting(1, After::Start)];
    let suspend = Some(Transition::suspend(None));
    commit(&store, lease, entries, suspend).await?;
    run(schema.sql("UPDATE {schema}.steps SET kind = 'newer' WHERE seq = 0")).await;
    publish(&store, paid("first")).await?;
    assert_eq!(claim(&store, ours, at(2)).await?.set_aside.len(), 1);
    publish(&store, paid("second")).await?;
    let record = store.run(&run_id).await?.expect("it is there");
    assert_eq!(record.due_at, Some(at(60_002)));
    assert!(claim(&store, ours, at(3)).await?.set_aside.is_empty());
    run(schema.sql("UPDATE {schema}.steps SET kind = 'step' WHERE seq = 0")).await;
    let claimed = claim(&store, ours, at(60_002)).await?.runs;
    assert_eq!(claimed[0].arrivals.len(), 2);
    Ok(())
}

/// One run with a status from a newer version made every page fail that it was on.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_leaves_out_what_it_cannot_read() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    worker(&store).await?;
    for id in ["one", "two", "three"] {
        publish(&store, event(id)).await?;
    }
    let spoil = "UPDATE {schema}.runs SET status = 'paused', notes = '{broken}'
        WHERE number >> 16 = (SELECT number FROM {schema}.events WHERE id = 'two')";
    run(schema.sql(spoil)).await;
    let page = store.list(RunFilter::default()).await?;
    let events: Vec<&str> = page.runs.iter().map(|run| &*run.event_id).collect();
    assert_eq!(events, ["three", "one"]);
    // And a note that cannot be read does not hide its run.
    run(schema.sql("UPDATE {schema}.runs SET notes = '{broken}'")).await;
    assert!(store.run(&page.runs[0].run_id).await?.is_some());
    Ok(())
}
