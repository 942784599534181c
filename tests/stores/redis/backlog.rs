//! A backlog that a worker cannot read, in front of what it can.

use std::sync::Arc;

use belts::store::{Claim, Claimed, FunctionCapacity, NewEvent, Publish, Redis, Store, WorkerId};
use belts_suite::servers;
use redis::cmd;

use crate::requests::{at, capacity, event, worker};

fn of_type(id: &str, event_type: &str) -> NewEvent {
    NewEvent {
        event_type: event_type.into(),
        target: belts::store::Target::Function {
            function_id: "f".into(),
            run_id: None,
        },
        ..event(id)
    }
}

async fn claim(store: &Redis, worker: WorkerId, types: &[&str]) -> belts::Result<Claimed> {
    let types: Arc<[Arc<str>]> = types.iter().map(|name| Arc::from(*name)).collect();
    let mut able = capacity(worker);
    able.limit = 10;
    able.functions = able
        .functions
        .iter()
        .map(|function| FunctionCapacity {
            event_types: Some(Arc::clone(&types)),
            ..function.clone()
        })
        .collect();
    let request = Claim {
        capacity: able,
        only: None,
        max_bytes: usize::MAX,
        now: at(1),
    };
    store.claim(request).await
}

/// Each claim would otherwise look at all of them again.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn unreadable_backlog_is_looked_at_once() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    let mut events: Vec<_> = (0..2_500)
        .map(|number| of_type(&format!("e-{number}"), "returned"))
        .collect();
    events.push(NewEvent {
        due_at: at(1),
        ..of_type("last", "placed")
    });
    let publish = Publish {
        events,
        claim: None,
        now: at(0),
    };
    store.publish(publish).await?;
    let mut turns = 0;
    let run = loop {
        let mut claimed = claim(&store, worker, &["placed"]).await?;
        turns += 1;
        assert!(turns < 10, "it gets there");
        match claimed.runs.pop() {
            Some(run) => break run,
            None => assert_eq!(claimed.next_due, Some(at(0)), "the worker looks again"),
        }
    };
    assert_eq!(&*run.event_id, "last");
    let waiting = cmd("ZCARD").arg("{belts}:due:f").to_owned();
    let waiting: usize = server.command(&waiting).expect("the server runs");
    assert_eq!(waiting, 0, "nobody meets them again");
    let none = claim(&store, worker, &["placed"]).await?;
    assert_eq!((none.runs.len(), none.next_due), (0, None));
    assert_eq!(&*none.unknown_types[0].event_type, "returned");
    assert_eq!(store.backlog(&["f".into()], at(1), 5_000).await?, [2_500]);
    // Who can read them gets them, in their order, beside new ones.
    let able = claim(&store, worker, &["placed", "returned"]).await?;
    assert_eq!(able.runs.len(), 10);
    assert_eq!(&*able.runs[0].event_id, "e-0");
    assert_eq!(store.backlog(&["f".into()], at(1), 5_000).await?, [2_490]);
    Ok(())
}
