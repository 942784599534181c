//! Every kind of transition, with and without a time to live: when all is over and purged, nothing is left.

use std::time::Duration;

use belts::store::{
    After, AwaitedType, Awaits, Claim, Commit, CommitOutcome, ENDED, Entry, Lease, NewEvent, Note,
    Parent, Redis, Register, Release, Rerun, StepKind, StepState, Store, Subscription, Target,
    Transition, Wait, WorkerId,
};
use belts_suite::servers;
use redis::{Cmd, cmd};

use super::pause;
use crate::requests::{
    LEASE, at, calling, capacity, claim, claim_named, commit, commit_one, complete, entry, event,
    fail, publish, worker,
};

/// What lives as long as the store.
const KEPT: [&str; 3] = ["functions", "meta", "probe"];

fn keys(server: &servers::Redis) -> Vec<String> {
    let mut scan = cmd("SCAN");
    scan.arg(0).arg("COUNT").arg(100_000);
    let (_, keys): (u64, Vec<String>) = server.command(&scan).expect("the server runs");
    let of_store = keys.iter().map(|key| key.trim_start_matches("{belts}:"));
    let mut left: Vec<String> = of_store
        .filter(|key| !KEPT.contains(key))
        .map(str::to_owned)
        .collect();
    left.sort_unstable();
    left
}

fn both(id: &str) -> NewEvent {
    event(id).with_target(Target::subscribers())
}

fn named(id: &str, run: &str) -> NewEvent {
    event(id).with_target(Target::function("f", Some(run.into())))
}

async fn end_all(store: &Redis, worker: WorkerId, transition: &Transition) -> belts::Result<()> {
    for run in claim(store, worker, at(1)).await?.runs {
        let outcome = commit(store, run.lease, vec![entry(9)], Some(transition.clone())).await?;
        assert_eq!(outcome, CommitOutcome::Applied);
    }
    Ok(())
}

/// Runs of one event end in every two ways, one after the other.
async fn walk(store: &Redis, other: &Redis) -> belts::Result<()> {
    let worker = worker(store).await?;
    let ends = || [complete(), fail(), Transition::Skip];
    for (number, (first, second)) in ends()
        .into_iter()
        .flat_map(|first| ends().map(|second| (first.clone(), second)))
        .enumerate()
    {
        publish(store, both(&format!("both-{number}"))).await?;
        let runs = claim(store, worker, at(0)).await?.runs;
        let ways = [(store, first), (other, second)];
        for (run, (who, transition)) in runs.into_iter().zip(ways) {
            commit(who, run.lease, vec![entry(0)], Some(transition)).await?;
        }
    }
    publish(store, named("named", "my run")).await?;
    for transition in [
        Transition::suspend(at(0)),
        Transition::retry(at(0), 1, *b"{}"),
        fail(),
    ] {
        end_all(store, worker, &transition).await?;
    }
    let note = Note::new(at(1), "ada", "rerun");
    store.note("my run", note).await?;
    assert!(store.rerun(Rerun::new("my run", at(1))).await?);
    end_all(other, worker, &complete()).await?;
    // Stopped, and cancelled so; cancelled while it waits; given back by a session that ends.
    for id in ["stopped", "waiting", "given back"] {
        publish(other, named(id, id)).await?;
        if id == "stopped" {
            end_all(store, worker, &Transition::Stop).await?;
        }
        if id == "given back" {
            claim(store, worker, at(1)).await?;
            let release = Release::new(worker, at(1));
            store.release(release).await?;
        }
        assert!(store.cancel(id, at(1)).await?);
    }
    // One that nobody here can read, until its function is forgotten.
    publish(store, event("unread")).await?;
    let mut able = capacity(worker);
    able.functions = able
        .functions
        .iter()
        .map(|function| function.clone().with_event_types(["other"]))
        .collect();
    let request = Claim::new(able, at(1));
    assert!(store.claim(request).await?.runs.is_empty());
    // Nobody listens for these.
    let mut nobody = both("nobody");
    nobody.event_type = "nobody".into();
    publish(store, nobody).await?;
    store.deregister(worker, at(1)).await?;
    // Nobody awaits the ends of the first ones.
    for is_awaited in [false, true] {
        walk_families(store, other, is_awaited).await?;
    }
    walk_waiting(store, other).await?;
    for function in ["f", "g"] {
        store.forget(function, at(1), 100).await?;
    }
    Ok(())
}

/// An entry that waits for a payment, or for an event of the type that starts runs.
fn wait(seq: u32, key: &str) -> Entry {
    let types = ["paid", "t"].map(|event_type| AwaitedType::new(event_type, After::Start));
    let path = format!("wait-{seq}");
    Entry::new(seq, path, StepKind::Wait, StepState::Waiting, at(1))
        .with_wait(Wait::event(types, key))
}

fn paid(id: &str, key: &str) -> NewEvent {
    NewEvent::new(id, "paid", *b"{}", at(0)).with_correlation_key(key)
}

/// Begins a run that waits twice, and is driven.
async fn begin_to_wait(store: &Redis, worker: WorkerId, id: &str) -> belts::Result<Lease> {
    publish(store, named(&format!("event of {id}"), id)).await?;
    let lease = claim_named(store, worker, id).await?.lease;
    commit(store, lease, vec![wait(0, "k"), wait(1, id)], None).await?;
    Ok(lease)
}

/// Runs that wait end in every way, and events that they could look back to have no runs of their own.
async fn walk_waiting(store: &Redis, other: &Redis) -> belts::Result<()> {
    publish(store, paid("before anybody waits", "k")).await?;
    let functions = ["f", "g"];
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(functions.map(|id| Subscription::new(id, ["t"])).into())
        .with_awaits(functions.map(|id| Awaits::new(id, ["paid", "t"])).into());
    let worker = store.register(request).await?;
    // One of whose runs the second ends, while the other still looks back.
    publish(store, both("both")).await?;
    let runs = claim(store, worker, at(1)).await?.runs;
    for (run, transition) in runs.iter().zip([Transition::Skip, complete()]) {
        commit(other, run.lease, vec![wait(0, "k")], Some(transition)).await?;
    }
    for (id, transition) in [
        ("completes", complete()),
        ("fails", fail()),
        ("is skipped", Transition::Skip),
        ("stops", Transition::Stop),
        ("is cancelled", Transition::suspend(None)),
        ("is run again", Transition::suspend(at(900))),
        ("pauses", Transition::retry(at(900), 1, *b"{}")),
    ] {
        let lease = begin_to_wait(store, worker, id).await?;
        let outcome = commit(other, lease, Vec::new(), Some(transition)).await?;
        assert_eq!(outcome, CommitOutcome::Applied, "{id}");
    }
    for id in ["is cancelled", "is run again", "pauses", "stops"] {
        assert!(store.cancel(id, at(2)).await?, "{id}");
    }
    assert!(store.rerun(Rerun::new("is run again", at(2))).await?);
    end_all(store, worker, &complete()).await?;
    // With the last entry settled; taken back; cancelled while it is driven; forgotten with its function in the end.
    let lease = begin_to_wait(store, worker, "settles").await?;
    let settled = [0, 1].map(|seq| {
        let mut entry = wait(seq, "k");
        entry.state = StepState::Completed;
        entry
    });
    commit(store, lease, settled.into(), Some(complete())).await?;
    begin_to_wait(store, worker, "is given back").await?;
    store.release(Release::new(worker, at(2))).await?;
    let lease = begin_to_wait(store, worker, "is driven").await?;
    assert!(store.cancel("is driven", at(2)).await?);
    let late = commit(store, lease, vec![wait(2, "k")], None).await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    let lease = begin_to_wait(store, worker, "is forgotten").await?;
    commit(store, lease, Vec::new(), Some(Transition::suspend(None))).await?;
    // Events with and without waits for them, one of them delayed.
    let mut delayed = paid("delayed", "is forgotten");
    delayed.due_at = at(300);
    for event in [paid("now", "k"), paid("for nobody", "l"), delayed] {
        publish(other, event).await?;
    }
    publish(store, event("started")).await?;
    end_all(store, worker, &Transition::suspend(None)).await?;
    claim(other, worker, at(400)).await?;
    store.deregister(worker, at(400)).await
}

/// A run that ends with the one that has started it, or goes on.
fn child(parent: &str, id: &str, attached: bool) -> NewEvent {
    let mut of = Parent::new(parent, 1);
    of.attached = attached;
    named(&format!("event of {id}"), id).with_parent(of)
}

/// Writes of a run that concern others.
async fn settle(store: &Redis, commit: Commit) -> belts::Result<()> {
    assert_eq!(commit_one(store, commit).await?, CommitOutcome::Applied);
    Ok(())
}

/// Runs that have started others end in every way, and so do those.
async fn walk_families(store: &Redis, other: &Redis, is_awaited: bool) -> belts::Result<()> {
    let subscriptions = ["f", "g"].map(|id| Subscription::new(id, ["t"]));
    let awaits = ["f", "g"].map(|id| Awaits::new(id, [ENDED]));
    let awaits = awaits.into_iter().filter(|_| is_awaited);
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(subscriptions.into())
        .with_awaits(awaits.collect());
    let worker = store.register(request).await?;
    for (id, transition) in [
        ("completes", Some(complete())),
        ("fails", Some(fail())),
        ("is skipped", Some(Transition::Skip)),
        ("is cancelled", None),
    ] {
        let id = format!("{id} {is_awaited}");
        let [first, second, free, below] = ["1", "2", "free", "below"].map(|n| format!("{id} {n}"));
        publish(store, named(&format!("event of {id}"), &id)).await?;
        let lease = claim_named(store, worker, &id).await?.lease;
        let starts = vec![
            child(&id, &first, true),
            child(&id, &second, true),
            child(&id, &free, false),
        ];
        let watches = vec![format!("{id} never").into()];
        let begins = Commit::new(lease).with_starts(starts);
        settle(other, begins.with_watches(watches)).await?;
        let of_second = claim_named(other, worker, &second).await?.lease;
        let starts = vec![child(&second, &below, true)];
        settle(store, Commit::new(of_second).with_starts(starts)).await?;
        // Its end is told, and told again.
        let of_first = claim_named(store, worker, &first).await?.lease;
        commit(other, of_first, vec![entry(0)], Some(complete())).await?;
        settle(
            store,
            Commit::new(lease).with_starts(vec![child(&id, &first, true)]),
        )
        .await?;
        if is_awaited {
            commit(store, lease, vec![calling(0, &second)], None).await?;
        }
        match transition {
            Some(transition) => {
                commit(store, lease, Vec::new(), Some(transition)).await?;
            }
            None => assert!(other.cancel(&id, at(1)).await?),
        }
        // Where the second goes on, it ends what is below it; a run that was skipped tells so.
        commit(other, of_second, Vec::new(), Some(fail())).await?;
        assert!(
            store
                .rerun(Rerun::new(&*second, at(1)).with_from(0))
                .await?
        );
        let of_second = claim_named(store, worker, &second).await?.lease;
        commit(store, of_second, Vec::new(), Some(Transition::Skip)).await?;
        let of_free = claim_named(store, worker, &free).await?.lease;
        let cancels = vec![free.into()];
        settle(store, Commit::new(of_free).with_cancels(cancels)).await?;
    }
    // Both are forgotten with their function in the end.
    let id = format!("is forgotten too {is_awaited}");
    publish(store, named(&format!("event of {id}"), &id)).await?;
    let lease = claim_named(store, worker, &id).await?.lease;
    let starts = vec![child(&id, &format!("{id} 1"), true)];
    settle(store, Commit::new(lease).with_starts(starts)).await?;
    store.deregister(worker, at(1)).await
}

async fn purge(store: &Redis) -> belts::Result<()> {
    while store.purge(at(1_000), 100).await?.more {}
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn nothing_is_left_after_every_kind_of_transition() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    walk(&store, &store).await?;
    purge(&store).await?;
    assert_eq!(keys(&server), [""; 0]);
    Ok(())
}

/// An event lost a run to a filter while its other run had a time to live, and stayed for ever. Processes may have the one setting
/// or the other.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn nothing_is_left_with_a_time_to_live() -> belts::Result<()> {
    const TTL: Duration = Duration::from_millis(50);
    for (first, second) in [(true, true), (true, false), (false, true)] {
        let server = servers::Redis::options()
            .start()
            .expect("the server starts");
        let open = async |has_ttl| {
            let builder = Redis::builder(server.url());
            let builder = if has_ttl { builder.ttl(TTL) } else { builder };
            builder.open().await
        };
        let (store, other) = (open(first).await?, open(second).await?);
        walk(&store, &other).await?;
        pause(2 * TTL).await;
        purge(&store).await?;
        assert_eq!(keys(&server), [""; 0], "{first} {second}");
    }
    Ok(())
}

/// A build that knows nothing of waits ends runs that wait, drops what sessions await, and removes events.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn nothing_is_left_of_what_an_earlier_build_has_ended() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let key = |name: &str| format!("{{belts}}:{name}");
    let run = |command: &mut Cmd| {
        let _done: redis::Value = server.command(command).expect("the server runs");
    };
    let store = Redis::open(server.url()).await?;
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", ["t"])])
        .with_awaits(vec![Awaits::new("f", ["paid", "t"])]);
    let worker = store.register(request).await?;
    for id in ["ends", "ends too", "waits"] {
        let lease = begin_to_wait(&store, worker, id).await?;
        commit(&store, lease, Vec::new(), Some(Transition::suspend(None))).await?;
    }
    for number in ["1", "2"] {
        let ended = [("status", "6"), ("lease", ""), ("due", ""), ("ended", "5")];
        run(cmd("HSET").arg(key(&format!("run:{number}"))).arg(&ended));
        run(cmd("ZADD").arg(key("finished")).arg("5").arg(number));
    }
    publish(&store, paid("gone", "k")).await?;
    run(cmd("DEL").arg(key("event:gone")));
    publish(&store, paid("there", "k")).await?;
    let runs = claim(&store, worker, at(1)).await?.runs;
    assert_eq!(runs.len(), 1, "the others are over");
    let arrivals = runs[0].arrivals.iter();
    let events: Vec<&str> = arrivals.map(|one| &*one.event_id).collect();
    assert_eq!(events, ["there"]);
    commit(&store, runs[0].lease, Vec::new(), Some(complete())).await?;
    store.deregister(worker, at(1)).await?;
    run(cmd("DEL")
        .arg(key("wants"))
        .arg(key("function:f"))
        .arg(key("type:t"))
        .arg(key("subscribed")));
    purge(&store).await?;
    assert_eq!(keys(&server), [""; 0]);
    Ok(())
}
