//! A backlog that a worker cannot read, or whose time is over, in front of what it can take.

use std::time::Duration;

use belts::store::{
    Claim, Claimed, Limits, NewEvent, Publish, Redis, Register, Store, Subscription, WorkerId,
};
use belts_suite::servers;
use redis::{Cmd, cmd};

use crate::requests::{LEASE, at, capacity, worker};

fn of_type(id: &str, event_type: &str) -> NewEvent {
    NewEvent::new(id, event_type, *b"{}", at(0))
        .with_target(belts::store::Target::function("f", None))
}

async fn claim(store: &Redis, worker: WorkerId, types: &[&str]) -> belts::Result<Claimed> {
    let mut able = capacity(worker);
    able.limit = 10;
    able.functions = able
        .functions
        .iter()
        .map(|function| function.clone().with_event_types(types.iter().copied()))
        .collect();
    let request = Claim::new(able, at(1));
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
    let mut last = of_type("last", "placed");
    last.due_at = at(1);
    events.push(last);
    let publish = Publish::new(events, at(0));
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

/// A process of the release before looks at no queue but the common one. What only that process could read was put apart by ours,
/// and waited there for ever.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_only_an_earlier_release_can_read_stays_where_it_looks() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    let events = (0..250).map(|number| of_type(&format!("e-{number}"), "returned"));
    let publish = Publish::new(events.collect(), at(0));
    store.publish(publish).await?;
    let tell =
        |command: Cmd| -> redis::Value { server.command(&command).expect("the server runs") };
    let in_common = || -> usize {
        let command = cmd("ZCARD").arg("{belts}:due:f").to_owned();
        server.command(&command).expect("the server runs")
    };
    claim(&store, worker, &["placed"]).await?;
    assert_eq!(in_common(), 0, "all are apart");
    // As it registers there.
    let ends = at(30_000).as_millis();
    let workers = "{belts}:workers";
    tell(cmd("ZADD").arg(workers).arg(ends).arg("8").to_owned());
    let seen = claim(&store, worker, &["placed"]).await?;
    assert_eq!((seen.runs.len(), seen.next_due), (0, None));
    assert_eq!(&*seen.unknown_types[0].event_type, "returned");
    assert_eq!(in_common(), 100);
    // As it claims there.
    tell(cmd("ZPOPMIN").arg("{belts}:due:f").arg(60).to_owned());
    claim(&store, worker, &["placed"]).await?;
    assert_eq!(in_common(), 100, "as many again");
    // What is new finds its place, and its reader.
    let events = (250..400).map(|number| of_type(&format!("e-{number}"), "returned"));
    let mut last = of_type("last", "placed");
    last.due_at = at(1);
    let publish = Publish::new(events.chain([last]).collect(), at(0));
    store.publish(publish).await?;
    let claimed = claim(&store, worker, &["placed"]).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(&*claimed.runs[0].event_id, "last");
    assert_eq!(in_common(), 100);
    assert_eq!(store.backlog(&["f".into()], at(1), 5_000).await?, [340]);
    // It has gone.
    tell(cmd("ZREM").arg(workers).arg("8").to_owned());
    claim(&store, worker, &["placed"]).await?;
    assert_eq!(in_common(), 0);
    let mut read = 0;
    while read < 340 {
        let able = claim(&store, worker, &["returned"]).await?;
        assert_eq!(able.runs.len(), 10);
        read += 10;
    }
    assert_eq!(store.backlog(&["f".into()], at(1), 5_000).await?, [0]);
    Ok(())
}

/// A claim walked over all of it, again and again.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn backlog_whose_time_is_over_hides_nothing_for_long() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let limits = Limits::new("f").with_start_within(Duration::from_secs(1));
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", ["t"])])
        .with_limits(vec![limits]);
    let worker = store.register(register).await?;
    let events = (0..3_000).map(|number| of_type(&format!("e-{number}"), "t"));
    let publish = Publish::new(events.collect(), at(0));
    store.publish(publish).await?;
    let publish = Publish::new(vec![of_type("fresh", "t")], at(5_000));
    store.publish(publish).await?;
    let mut able = capacity(worker);
    able.limit = 10;
    let claim = Claim::new(able, at(5_000));
    let claimed = store.claim(claim.clone()).await?;
    assert!(claimed.runs.is_empty(), "one call does not look so far");
    assert_eq!(claimed.next_due, Some(at(0)), "the worker looks again");
    let mut ended = 0;
    loop {
        let expired = store.expire(at(5_000), 700).await?;
        ended += expired.runs.len();
        if !expired.more {
            assert_eq!(expired.next, Some(at(6_000)));
            break;
        }
    }
    assert_eq!(ended, 3_000);
    let claimed = store.claim(claim).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(&*claimed.runs[0].event_id, "fresh");
    Ok(())
}

/// What an earlier release ended is still among the runs whose time will be over: one call passes over no more than some of it.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn what_is_over_is_found_behind_what_is_gone() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let limits = Limits::new("f").with_start_within(Duration::from_secs(1));
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", ["t"])])
        .with_limits(vec![limits]);
    store.register(register).await?;
    let mut gone = cmd("ZADD").arg("{belts}:times").to_owned();
    for number in 0..2_500 {
        gone.arg(at(0).as_millis()).arg(100_000 + number);
    }
    let _done: i64 = server.command(&gone).expect("the server runs");
    let publish = Publish::new(vec![of_type("e", "t")], at(0));
    let run = store.publish(publish).await?.remove(0).runs.remove(0);
    let mut turns = 0;
    loop {
        let expired = store.expire(at(5_000), 100).await?;
        turns += 1;
        assert!(turns < 10, "it gets there");
        if !expired.runs.is_empty() {
            assert_eq!(expired.runs, [run.run_id]);
            return Ok(());
        }
        assert!(expired.more, "the worker looks again");
    }
}
