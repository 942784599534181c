//! Waits where several processes are at work, some of them of the version before, and some that die half-way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use belts::store::{
    After, AwaitedType, Awaits, Claim, ClaimedRun, Commit, CommitBatch, CommitOutcome, Entry,
    NewEvent, Postgres, Publish, Register, StepKind, StepState, Store, Subscription, Transition,
    Wait, WorkerId,
};

use super::{InSchema, run};
use crate::requests::{LEASE, at, capacity, claim_named};

/// How often everything is done at once.
const ROUNDS: usize = 40;

/// A worker for `f`, whose runs may wait for `paid`, and for `g`, which others of the types that they wait for start.
async fn waiter(store: &Postgres) -> belts::Result<WorkerId> {
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(vec![
            Subscription::new("f", ["f"]),
            Subscription::new(
                "g",
                (0..ROUNDS)
                    .step_by(2)
                    .map(|number| format!("fresh-{number}")),
            ),
        ])
        .with_awaits(vec![Awaits::new("f", ["paid"])]);
    store.register(request).await
}

fn waiting(types: &[&str], key: Option<&str>) -> Entry {
    let types = types
        .iter()
        .map(|name| AwaitedType::new(*name, After::Start));
    Entry::new(0, "wait", StepKind::Wait, StepState::Waiting, at(1))
        .with_wait(Wait::event(types, key))
}

async fn publish(store: &Postgres, event: NewEvent) -> belts::Result<()> {
    store.publish(Publish::new(vec![event], at(1))).await?;
    Ok(())
}

/// Starts a run, and claims it.
pub(super) async fn begin(
    store: &Postgres,
    worker: WorkerId,
    id: &str,
) -> belts::Result<ClaimedRun> {
    let event = NewEvent::new(id, "f", *b"{}", at(0));
    let published = store.publish(Publish::new(vec![event], at(0))).await?;
    claim_named(store, worker, &published[0].runs[0].run_id).await
}

async fn suspend(store: &Postgres, run: &ClaimedRun, entry: Entry) -> belts::Result<()> {
    let commit = Commit::new(run.lease)
        .with_entries(vec![entry])
        .with_transition(Transition::suspend(None));
    let outcomes = store.commit(CommitBatch::new(vec![commit], at(1))).await?;
    assert_eq!(outcomes, [CommitOutcome::Applied]);
    Ok(())
}

/// An earlier version knows of no places, and a process may die before it has given them.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn event_that_was_left_without_a_place_arrives_with_the_next_claim() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = waiter(&store).await?;
    let waits = begin(&store, worker, "e").await?;
    suspend(&store, &waits, waiting(&["paid"], None)).await?;
    run(schema.sql(
        "INSERT INTO {schema}.events (published_at, ticket, idle, id, event_type, payload)
         VALUES (1, 1, true, 'p', 'paid', '{}'), (1, 1, true, 's', 'sold', '{}')",
    ))
    .await;
    let claimed = store.claim(Claim::new(capacity(worker), at(1))).await?.runs;
    assert_eq!(claimed.len(), 1);
    let ids: Vec<&str> = claimed[0]
        .arrivals
        .iter()
        .map(|one| &*one.event_id)
        .collect();
    assert_eq!(ids, ["p"]);
    // It is needed until the run is over; the other one by nobody.
    assert_eq!(store.purge(at(0), 10).await?.events, 1);
    assert!(store.cancel(&claimed[0].run_id, at(2)).await?);
    assert_eq!(store.purge(at(0), 10).await?.events, 1);
    Ok(())
}

/// Waits for types old and new, publishes, purges and registrations at once, by as many processes: nothing is lost, and none waits
/// for another in a circle for good.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_loses_no_event() -> belts::Result<()> {
    let schema = InSchema::new();
    let open = async || schema.builder().max_connections(3).open().await;
    let over = Arc::new(AtomicBool::new(false));
    let mut pairs = Vec::new();
    for pair in 0..3 {
        let (store, other) = (open().await?, open().await?);
        pairs.push(tokio::spawn(async move {
            let worker = waiter(&store).await?;
            for round in 0..ROUNDS {
                let key = format!("{pair}-{round}");
                let fresh = format!("fresh-{}", round / 2);
                let waits = begin(&store, worker, &format!("e-{key}")).await?;
                let event_type = if round % 2 == 0 { "paid" } else { &*fresh };
                let event = NewEvent::new(format!("p-{key}"), event_type, *b"{}", at(1));
                let event = event.with_correlation_key(&*key);
                let other = other.clone();
                let publishing = tokio::spawn(async move { publish(&other, event).await });
                suspend(&store, &waits, waiting(&["paid", &fresh], Some(&key))).await?;
                publishing.await.expect("it does not panic")?;
                let record = store.run(&waits.run_id).await?.expect("it is there");
                assert!(record.due_at.is_some(), "round {key}");
                let waits = claim_named(&store, worker, &waits.run_id).await?;
                assert_eq!(waits.arrivals.len(), 1, "round {key}");
                assert!(store.cancel(&waits.run_id, at(1)).await?);
            }
            belts::Result::Ok(())
        }));
    }
    let meddler = {
        let (store, over) = (open().await?, Arc::clone(&over));
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let worker = waiter(&store).await?;
                store.purge(at(2), 20).await?;
                store.deregister(worker, at(1)).await?;
            }
            belts::Result::Ok(())
        })
    };
    for pair in pairs {
        pair.await.expect("it does not panic")?;
    }
    over.store(true, Ordering::Relaxed);
    meddler.await.expect("it does not panic")
}
