//! Memory that ends, and times at the ends of time.

use belts::{
    ErrorKind, Timestamp,
    store::{NewEvent, Publish, Redis, RunFilter, Store},
};
use belts_suite::servers;
use redis::cmd;

use crate::requests::{at, claim, event, publish, worker};

fn big(id: &str) -> NewEvent {
    let mut big = event(id);
    big.payload = vec![b'x'; 100_000].into();
    big
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn full_memory_is_an_error_that_passes() -> belts::Result<()> {
    let server = servers::Redis::options()
        .setting("maxmemory", "8mb")
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    worker(&store).await?;
    let mut written = 0;
    let error = loop {
        let events = vec![big(&format!("e-{written}")), big(&format!("f-{written}"))];
        let request = Publish::new(events, at(0));
        match store.publish(request).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.is_retryable());
    assert!(error.to_string().contains("out of memory"), "{error}");
    let all = RunFilter::new().with_limit(1_000);
    let count = async || belts::Result::Ok(store.list(all.clone()).await?.runs.len());
    assert_eq!(count().await?, 2 * written, "nothing is half written");
    let more = cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("0")
        .to_owned();
    let _done: String = server.command(&more).expect("the server runs");
    assert!(!publish(&store, big("after")).await?.duplicate);
    assert_eq!(count().await?, 2 * written + 1, "it works again");
    Ok(())
}

/// Where there is no room for results, steps should not run whose results would be lost.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn full_memory_leases_nothing_and_can_be_purged() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    let run = publish(&store, event("old")).await?.runs.remove(0).run_id;
    store.cancel(&run, at(0)).await?;
    publish(&store, event("due")).await?;
    let full = cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("1")
        .to_owned();
    let _done: String = server.command(&full).expect("the server runs");
    let error = claim(&store, worker, at(1))
        .await
        .expect_err("there is no room");
    assert!(error.to_string().contains("out of memory"), "{error}");
    assert_eq!(store.purge(at(1), 10).await?.runs, 1, "purging makes room");
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn ends_of_time_are_kept() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    for due in [i64::MAX, i64::MAX - 1, i64::MIN, -1, 0] {
        let mut event = event(&due.to_string());
        event.due_at = Timestamp::from_millis(due);
        let run = publish(&store, event).await?.runs.remove(0).run_id;
        let record = store.run(&run).await?.expect("the run is there");
        assert_eq!(record.due_at, Some(Timestamp::from_millis(due)));
    }
    let claimed = claim(&store, worker, at(0)).await?;
    let events: Vec<&str> = claimed.runs.iter().map(|run| &*run.event_id).collect();
    assert_eq!(events, [&*i64::MIN.to_string(), "-1", "0"]);
    assert_eq!(claimed.next_due, Some(Timestamp::from_millis(i64::MAX)));
    Ok(())
}
