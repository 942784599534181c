//! Versions of a program that overlap on one store: none fails what another can do.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use belts::{
    ErrorKind, Worker,
    store::{Memory, RunStatus},
    testing::ManualClock,
};

use crate::{
    gated::{eventually, looped, within},
    late::Meddled,
};

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

/// What a program delivers to itself and cannot read was left to other versions, while its caller waited for ten minutes.
#[tokio::test]
async fn an_event_that_its_own_program_cannot_read_is_not_executed() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let new = version(&store, &clock, |builder| builder.function(new::ship)).await;
    for function in [None, Some("reads-a-renamed-field")] {
        let (id, name) = (1, "old".to_owned());
        let execute = new.execute(old::Order { id, name });
        let execute = match function {
            Some(function) => execute.function(function),
            None => execute,
        };
        let error = within("the error", execute).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidEvent, "{error:?}");
        assert!(error.report().contains("title"), "{error:?}");
    }
    assert!(new.runs().list().await.unwrap().runs.is_empty());
}

/// Takes one event type more than the version before.
mod wider {
    use belts::{Event, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "taken-by-both")]
    pub(super) struct Both {}

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    pub(super) enum Any {
        Both(Both),
        #[event(type = "taken-by-the-new")]
        New,
    }

    #[belts::function(id = "takes-one-type-more", on = Any)]
    pub(super) async fn takes(_: Any) -> belts::Result<u32> {
        step!("take", 2).await
    }

    pub(super) mod before {
        use super::*;

        #[belts::function(id = "takes-one-type-more", on = Both)]
        pub(in super::super) async fn takes(_: Both) -> belts::Result<u32> {
            step!("take", 1).await
        }
    }
}

/// Somebody waited for a run at a worker that does not take its event type. The worker claimed it, got nothing, and claimed it
/// again at once, thousands of times a second.
#[tokio::test]
async fn who_waits_for_a_run_that_this_version_does_not_take_asks_now_and_then() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let new = version(&store, &clock, |builder| builder.function(wider::takes)).await;
    let meddled = Meddled::new(store.clone());
    let builder = Worker::builder()
        .store(meddled.clone())
        .clock(clock.clone());
    let builder = builder.function(wider::before::takes);
    let old = builder.build().await.unwrap();
    wider::publish_new().via(&new).await.unwrap();
    let run_id = Arc::clone(&new.runs().list().await.unwrap().runs[0].run_id);

    let execute = old.execute(wider::Both {}).run_id(&*run_id);
    let waiting = tokio::spawn(execute.into_future());
    let claims = || meddled.counts().claims();
    eventually("it is asked for", async || claims() > 0).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let asked = claims();
    assert!(asked <= 4, "{asked}");
    let running = looped(&new);
    until(&clock, "the other version's answer", async || {
        waiting.is_finished()
    })
    .await;
    let executed = waiting.await.unwrap().unwrap();
    assert_eq!(executed.output::<u32>("takes-one-type-more").unwrap(), 2);
    new.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
