//! What a step publishes again when it is retried, and how many steps a run may have.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use belts::{ErrorKind, Event, Worker, step, store::Memory, testing::Harness};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, named, runs_of, within};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Item {
    id: u32,
}

/// What each attempt fetches.
static FETCHES: Mutex<Vec<Vec<u32>>> = Mutex::new(Vec::new());

fn fetch() -> Vec<u32> {
    FETCHES.lock().unwrap().remove(0)
}

#[belts::function(id = "importer", on = Named)]
async fn importer(_: Named) -> belts::Result<()> {
    step!("import", async {
        let items = fetch();
        let last = FETCHES.lock().unwrap().is_empty();
        for id in items {
            publish_item(Item { id }).await?;
        }
        if last {
            Ok(())
        } else {
            Err(belts::Error::from_any("cut off"))
        }
    })
    .await
}

/// The key went by position, so what a retry fetched otherwise was taken for what was published before, and dropped.
#[tokio::test]
async fn a_retried_step_publishes_what_is_new_and_nothing_twice() {
    *FETCHES.lock().unwrap() = vec![vec![1, 2, 2], vec![3, 1, 2, 2, 4]];
    let harness = Harness::builder().function(importer).build().await.unwrap();
    let run = within("the run", harness.run(importer, named("import")))
        .await
        .unwrap();
    run.assert_completed();
    let ids: Vec<_> = harness
        .published::<Item>()
        .unwrap()
        .iter()
        .map(|item| item.id)
        .collect();
    assert_eq!(ids, [1, 2, 2, 3, 4]);
}

static NEXT: AtomicU32 = AtomicU32::new(0);

#[belts::function(id = "one-key", on = Named)]
async fn one_key(_: Named) -> belts::Result<()> {
    step!("tell", async {
        effect("told");
        let id = NEXT.fetch_add(1, Ordering::SeqCst);
        publish_item(Item { id })
            .idempotency_key("the only one")
            .await
    })
    .await?;
    step!("tell-otherwise", async {
        effect("told otherwise");
        publish_item(Item { id: 99 })
            .idempotency_key("the only one")
            .await
    })
    .await?;
    Ok(())
}

/// The second event was taken for a duplicate of the first.
#[tokio::test]
async fn one_key_with_two_contents_is_an_error_that_is_not_retried() {
    let store = Memory::new();
    let builder = Worker::builder().store(store.clone()).function(one_key);
    let worker = builder.build().await.unwrap();
    let executed = within("the run", worker.execute(named("one-key")))
        .await
        .unwrap();
    let error = executed.output::<()>("one-key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StepFailed);
    let text = error.report();
    assert!(
        text.contains("`tell-otherwise`")
            && text.contains("different type or payload already exists"),
        "{text}"
    );
    assert_eq!((effects("told"), effects("told otherwise")), (1, 1));
    let error = publish_item(Item { id: 7 })
        .idempotency_key("the only one")
        .via(&worker)
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
}

static STEPS: AtomicU32 = AtomicU32::new(0);

#[belts::function(id = "endless", on = Named, max_steps = 5)]
async fn endless(_: Named) -> belts::Result<()> {
    let steps = STEPS.load(Ordering::SeqCst);
    for n in 0..steps {
        step!("turn-{n}", effect("turn")).await?;
    }
    Ok(())
}

#[belts::function(id = "unbound", on = Named)]
async fn unbound(event: Named) -> belts::Result<()> {
    for n in 0..3 {
        step!("turn-{n}", event.name.len()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_run_with_too_many_steps_fails_and_names_the_last_keys() {
    STEPS.store(1_000, Ordering::SeqCst);
    let harness = Harness::builder().function(endless).build().await.unwrap();
    let run = within("the run", harness.run(endless, named("endless")))
        .await
        .unwrap();
    run.assert_failed();
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::TooManySteps);
    let text = error.to_string();
    for part in [
        "`turn-5`",
        "the 5 that",
        "`turn-4`, `turn-3`, `turn-2`",
        "`max_steps`",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!((effects("turn"), run.journal().len()), (5, 5));
}

/// A run may be past a limit that came later.
#[tokio::test]
async fn what_is_recorded_is_replayed_whatever_the_limit() {
    let store = Memory::new();
    let builder = || Worker::builder().store(store.clone()).function(unbound);
    let worker = builder().build().await.unwrap();
    let stopped = worker
        .execute(named("replayed"))
        .function("unbound")
        .run_id("r");
    within("the first steps", stopped.until("turn-2"))
        .await
        .unwrap();
    let worker = builder().max_steps(1).build().await.unwrap();
    let went_on = worker
        .execute(named("replayed"))
        .function("unbound")
        .run_id("r");
    let executed = within("the rest", went_on).await.unwrap();
    executed.output::<()>("unbound").unwrap();
    let executed = within("another", worker.execute(named("limited")))
        .await
        .unwrap();
    let error = executed.output::<()>("unbound").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManySteps);
    assert_eq!(runs_of(&store, "unbound").await.len(), 2);
}
