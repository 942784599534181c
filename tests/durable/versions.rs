//! Versions of a program that overlap on one store: none fails what another can do.

use std::{sync::Arc, time::Duration};

use belts::{
    Worker,
    store::{Memory, RunStatus},
    testing::ManualClock,
};

use crate::support::{eventually, looped};

/// Before the deploy.
mod old {
    use belts::{Event, sleep, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "renamed-field")]
    pub(super) struct Order {
        pub(super) id: u32,
        pub(super) name: String,
    }

    #[belts::function(id = "reads-a-renamed-field", on = Order)]
    pub(super) async fn ship(order: Order) -> belts::Result<u32> {
        step!("before", order.id).await?;
        sleep!("a while", "1h").await?;
        step!("after", order.name.len()).await?;
        Ok(order.id)
    }
}

/// After it: `name` is `title`, and there is a filter.
mod new {
    use belts::{Event, sleep, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "renamed-field")]
    pub(super) struct Order {
        pub(super) id: u32,
        pub(super) title: String,
    }

    #[belts::function(id = "reads-a-renamed-field", on = Order, when = |order| !order.title.is_empty())]
    pub(super) async fn ship(order: Order) -> belts::Result<u32> {
        step!("before", order.id).await?;
        sleep!("a while", "1h").await?;
        step!("after", order.title.len()).await?;
        Ok(order.id)
    }
}

/// Advances the clock until the condition holds.
async fn until(clock: &ManualClock, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    eventually(what, async || {
        clock.advance(Duration::from_millis(500));
        holds().await
    })
    .await;
}

async fn version(
    store: &Memory,
    clock: &ManualClock,
    function: impl Fn(belts::WorkerBuilder) -> belts::WorkerBuilder,
) -> Worker {
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    function(builder).build().await.unwrap()
}

/// A claim goes by function and event type. Whichever version claimed a run whose event had a field by another name failed it
/// for good: one in two of those that were due while a deploy was under way.
#[tokio::test]
async fn a_run_whose_event_another_version_reads_is_left_to_it() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let old = version(&store, &clock, |builder| builder.function(old::ship)).await;
    let new = version(&store, &clock, |builder| builder.function(new::ship)).await;
    for id in 0..10 {
        let (name, title) = ("old".to_owned(), "new".to_owned());
        let delay = Duration::from_secs(60);
        let published = old::publish_order(old::Order { id, name }).delay(delay);
        published.via(&old).await.unwrap();
        let published = new::publish_order(new::Order { id, title }).delay(delay);
        published.via(&new).await.unwrap();
    }
    let running = [looped(&old), looped(&new)];
    until(&clock, "every run ends", async || {
        let runs = new.runs().list().await.unwrap().runs;
        runs.len() == 20 && runs.iter().all(|run| run.status.is_finished())
    })
    .await;
    for run in new.runs().list().await.unwrap().runs {
        assert_eq!(run.status, RunStatus::Completed, "{run:?}");
        assert_eq!(run.failed_attempts, 0, "{run:?}");
    }
    old.shutdown();
    new.shutdown();
    for running in running {
        running.await.unwrap().unwrap();
    }
}

/// Nobody is left who could read it: it waits some minutes, for a deploy that is taken back, and then says why it cannot run.
#[tokio::test]
async fn a_run_whose_event_nobody_reads_fails_after_a_while_and_says_why() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let old = version(&store, &clock, |builder| builder.function(old::ship)).await;
    let name = "old".to_owned();
    let published = old::publish_order(old::Order { id: 1, name });
    published.via(&old).await.unwrap();
    let run_id = Arc::clone(&old.runs().list().await.unwrap().runs[0].run_id);
    let running = looped(&old);
    until(&clock, "the run sleeps", async || {
        old.runs().get(&run_id).await.unwrap().status == RunStatus::Suspended
    })
    .await;
    old.shutdown();
    running.await.unwrap().unwrap();

    let new = version(&store, &clock, |builder| builder.function(new::ship)).await;
    clock.advance(Duration::from_secs(3600));
    let running = looped(&new);
    let deployed = clock.now();
    until(&clock, "the run fails", async || {
        new.runs().get(&run_id).await.unwrap().status.is_finished()
    })
    .await;
    let waited = clock.now().since(deployed);
    assert!(waited > Duration::from_secs(5 * 60), "only {waited:?}");
    let run = new.runs().get(&run_id).await.unwrap();
    let failure = run.failure().unwrap();
    assert_eq!(failure.kind, "invalid-event");
    assert!(failure.message.contains("title"), "{}", failure.message);
    new.shutdown();
    running.await.unwrap().unwrap();
}
