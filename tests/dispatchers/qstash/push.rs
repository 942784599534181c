//! Workers without a loop: runs are driven within deliveries, and what is left of them is handed on by the service.

use std::{any::Any, collections::BTreeSet, sync::Arc, time::Duration};

use belts::{
    Event, Publish, Worker, WorkerBuilder, scope, sleep, step,
    store::{
        Memory, Postgres, Redis, RunRecord, RunStatus, SharedStore, Sqlite, StepKind, StepState,
    },
};
use belts_qstash_mock::{Faults, Mock, Refusal, When};
use belts_suite::servers;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{clock::FastClock, mail::*};

mod sealed;
mod twice;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct InOneGo {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct StepByStep {
    name: String,
}

#[belts::function(id = "in-one-go", on = InOneGo)]
async fn in_one_go(event: InOneGo) -> belts::Result<u32> {
    scope!("all", five_steps(&event.name)).await
}

#[belts::function(id = "step-by-step", on = StepByStep, continuation = "per-step")]
async fn step_by_step(event: StepByStep) -> belts::Result<u32> {
    scope!("all", five_steps(&event.name)).await
}

/// What five steps, a sleep and two failures come to.
const OUTPUT: u32 = 1 + 1 + 3 + 1 + 1;

#[belts::steps]
async fn five_steps(name: &str) -> belts::Result<u32> {
    let mut sum = step!("one", effect(&format!("{name} one"))).await?;
    sum += step!("two", effect(&format!("{name} two"))).await?;
    sleep!("night", "60s").await?;
    sum += step!("three", flaky(name), backoff = "20s..40s").await?;
    sum += step!("four", effect(&format!("{name} four"))).await?;
    sum += step!("five", effect(&format!("{name} five"))).await?;
    Ok(sum)
}

/// Fails two times.
fn flaky(name: &str) -> Result<u32, &'static str> {
    match effect(&format!("{name} three")) {
        count @ ..3 => Err(if count == 1 { "once" } else { "twice" }),
        count => Ok(count),
    }
}

/// A worker of which only the router is served.
async fn pushed(mock: &Mock, clock: FastClock, store: SharedStore) -> Worker {
    let place = Place::new().await;
    let worker = worker_at(&place.url, mock, clock, store).await;
    place.serve_only(worker.router());
    worker
}

async fn worker_at(url: &str, mock: &Mock, clock: FastClock, store: SharedStore) -> Worker {
    builder_at(url, mock, clock, store).build().await.unwrap()
}

fn builder_at(url: &str, mock: &Mock, clock: FastClock, store: SharedStore) -> WorkerBuilder {
    let qstash = to(mock, url).retries(100).retry_delay("5000");
    Worker::builder()
        .shared_store(store)
        .clock(clock)
        .jitter(|| 0.99)
        // A second and more of the machine's time, which may be busy with other things.
        .lease(Duration::from_secs(120))
        .function(in_one_go)
        .function(step_by_step)
        .function(held_up)
        .dispatcher(qstash.build().unwrap())
}

async fn sqlite(directory: &tempfile::TempDir) -> SharedStore {
    let path = directory.path().join("belts.db");
    Arc::new(Sqlite::open(path.to_str().unwrap()).await.unwrap())
}

fn one_go(name: &str) -> Publish {
    publish_in_one_go(InOneGo {
        name: name.to_owned(),
    })
}

fn by_step(name: &str) -> Publish {
    publish_step_by_step(StepByStep {
        name: name.to_owned(),
    })
}

/// Each step is recorded once with its result, and ran as often as it had to.
async fn as_if_nothing_had_happened(worker: &Worker, name: &str) -> RunRecord {
    let run = ended(worker, 1, RunStatus::Completed).await.remove(0);
    let run = worker.store().run(&run.run_id).await.unwrap().unwrap();
    let result: serde_json::Value = serde_json::from_slice(run.result.as_ref().unwrap()).unwrap();
    assert_eq!(result["ok"], OUTPUT, "{result}");
    let journal = worker.store().journal(&run.run_id).await.unwrap();
    let paths: BTreeSet<_> = journal.iter().map(|entry| &*entry.path).collect();
    assert_eq!(
        paths,
        BTreeSet::from([
            "all/five",
            "all/four",
            "all/night",
            "all/one",
            "all/three",
            "all/two"
        ])
    );
    assert_eq!(journal.len(), 6);
    // A sleep is written once, with its end.
    let mut steps = journal.iter().filter(|entry| entry.kind == StepKind::Step);
    assert!(steps.all(|entry| entry.state == StepState::Completed));
    for step in ["one", "two", "four", "five"] {
        assert_eq!(effects(&format!("{name} {step}")), 1, "{step}");
    }
    assert_eq!(effects(&format!("{name} three")), 3);
    run
}

/// The number of messages, after telling it.
fn counted(mock: &Mock, name: &str) -> usize {
    let counts = mock.counts();
    let statuses = |wanted: u16| {
        mock.deliveries()
            .iter()
            .filter(|delivery| delivery.status() == wanted)
            .count()
    };
    println!(
        "{name}: {} messages, {} deliveries ({} busy), {} publishes left out as duplicates",
        counts.messages,
        counts.deliveries,
        statuses(409),
        counts.duplicates
    );
    assert_eq!(counts.failed, 0, "{:?}", mock.dead_letters());
    counts.messages
}

/// However often a message comes, it hands on the same one. There may be fewer: one that comes late may find the run due and do
/// its next part, for which no message is needed then.
fn no_more_than(messages: usize, mock: &Mock, name: &str) {
    let counted = counted(mock, name);
    assert!(
        (2..=messages).contains(&counted),
        "{counted} messages for `{name}`"
    );
}

/// The first delivery goes up to the sleep; its end, two retries.
const MESSAGES_IN_ONE_GO: usize = 4;
/// The event, one after each step, the end of the sleep, two retries.
const MESSAGES_BY_STEP: usize = 9;

/// A store, and what it lives in.
async fn store_of(kind: &str) -> (SharedStore, Box<dyn Any + Send>) {
    match kind {
        "memory" => (Arc::new(Memory::new()), Box::new(())),
        "sqlite" => {
            let directory = tempfile::tempdir().unwrap();
            (sqlite(&directory).await, Box::new(directory))
        }
        "redis" => {
            let prefix = servers::Redis::shared().prefix();
            let store = Redis::builder(prefix.url()).key_prefix(prefix.name());
            (Arc::new(store.open().await.unwrap()), Box::new(prefix))
        }
        "postgres" => {
            let schema = servers::Postgres::shared().schema();
            let store = Postgres::builder(schema.url()).schema(schema.name());
            (Arc::new(store.open().await.unwrap()), Box::new(schema))
        }
        _ => panic!("there is no store `{kind}`"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_from_delivery_to_delivery() {
    for kind in ["memory", "sqlite"] {
        for (how, messages) in [("go", MESSAGES_IN_ONE_GO), ("step", MESSAGES_BY_STEP)] {
            let name = format!("calm {kind} {how}");
            let (store, _kept) = store_of(kind).await;
            let clock = FastClock::new();
            let mock = clock.service().start().unwrap();
            let worker = pushed(&mock, clock, store).await;
            let publish = if how == "go" {
                one_go(&name)
            } else {
                by_step(&name)
            };
            publish.via(&worker).await.unwrap();
            mock.idle(SOON * 2).await.unwrap();
            as_if_nothing_had_happened(&worker, &name).await;
            assert_eq!(counted(&mock, &name), messages);
            assert_eq!(
                mock.counts().deliveries,
                messages,
                "each was delivered once"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_runs_are_purged_within_deliveries() {
    // Only the loop purged, so that where there is none a store grew for ever.
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let place = Place::new().await;
    let worker = builder_at(&place.url, &mock, clock, Arc::new(Memory::new()))
        .retention(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    place.serve_only(worker.router());
    one_go("purged").via(&worker).await.unwrap();
    mock.idle(SOON * 2).await.unwrap();
    // There is a purge every ten minutes, and the next delivery comes after that.
    let later = Duration::from_secs(700);
    one_go("kept").delay(later).via(&worker).await.unwrap();
    mock.idle(SOON * 2).await.unwrap();
    let runs = worker.runs().list().await.unwrap().runs;
    assert_eq!(runs.len(), 1, "the first ended long ago");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_on_that_the_service_refuses_is_made_by_the_next_delivery() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let worker = pushed(&mock, clock, Arc::new(Memory::new())).await;
    mock.stop_delivering();
    let name = "refused hand-on";
    by_step(name).via(&worker).await.unwrap();
    // Of all that the worker publishes, a third is refused until it gives up, and a third is taken without an answer.
    mock.set_faults(Faults {
        refuse: Some(Refusal::new(When::Share(0.7), 503)),
        ..Faults::default()
    });
    mock.continue_delivering();
    mock.idle(SOON * 2).await.unwrap();
    as_if_nothing_had_happened(&worker, name).await;
    no_more_than(MESSAGES_BY_STEP, &mock, name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_wrong_for_a_while_loses_no_run() {
    // The delivery whose hand-on was refused for the token used to be answered as one that no retry can help.
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let worker = pushed(&mock, clock, Arc::new(Memory::new())).await;
    mock.stop_delivering();
    let name = "wrong token";
    one_go(name).via(&worker).await.unwrap();
    mock.set_faults(Faults {
        refuse: Some(Refusal::new(When::Next(2), 401)),
        ..Faults::default()
    });
    mock.continue_delivering();
    mock.idle(SOON * 2).await.unwrap();
    as_if_nothing_had_happened(&worker, name).await;
    no_more_than(MESSAGES_IN_ONE_GO, &mock, name);
    let put_off = mock
        .deliveries()
        .iter()
        .filter(|delivery| delivery.status() == 503)
        .count();
    assert_eq!(put_off, 2);
}

/// Holds the step of `held` until it is let go; a step that runs again is not held.
static REACHED: Notify = Notify::const_new();

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct HeldUp {
    name: String,
}

#[belts::function(id = "held-up", on = HeldUp, continuation = "per-step")]
async fn held_up(event: HeldUp) -> belts::Result<u32> {
    step!("before", effect(&format!("{} before", event.name))).await?;
    let held = step!("held", async {
        let count = effect(&event.name);
        if count == 1 {
            REACHED.notify_one();
            std::future::pending::<()>().await;
        }
        count
    });
    held.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_in_a_delivery_is_replaced_by_the_next_delivery() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new().await;
    let (url, address) = (place.url.clone(), place.address());
    // It dies with all of its tasks.
    let doomed = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = sqlite(&directory).await;
    let worker = worker_at(&url, &mock, clock, store).await;
    let router = worker.router();
    let listener = place.into_std();
    doomed.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
    let event = HeldUp {
        name: "dies".to_owned(),
    };
    publish_held_up(event).via(&worker).await.unwrap();
    REACHED.notified().await;
    doomed.shutdown_background();
    drop(worker);
    let second = worker_at(&url, &mock, clock, sqlite(&directory).await).await;
    Place::at(&address).await.serve_only(second.router());
    mock.idle(SOON * 2).await.unwrap();
    ended(&second, 1, RunStatus::Completed).await;
    assert_eq!((effects("dies before"), effects("dies")), (1, 2));
    // If the run was given back before the delivery came again, that one hands it on instead of driving it.
    let messages = counted(&mock, "dies");
    assert!((3..=4).contains(&messages), "{messages}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_one_store_share_the_deliveries() {
    for (how, messages) in [("go", MESSAGES_IN_ONE_GO), ("step", MESSAGES_BY_STEP)] {
        let name = format!("two workers {how}");
        let directory = tempfile::tempdir().unwrap();
        let clock = FastClock::new();
        let mock = clock.service().start().unwrap();
        mock.set_faults(Faults {
            deliver_at_once: When::Always,
            lose_answer: When::Share(0.3),
            ..Faults::default()
        });
        let place = Place::new().await;
        let store = async || sqlite(&directory).await;
        let first = worker_at(&place.url, &mock, clock, store().await).await;
        let second = worker_at(&place.url, &mock, clock, store().await).await;
        let routers = [first.router(), second.router()];
        place.serve_only(by_chance(routers));
        let publish = if how == "go" {
            one_go(&name)
        } else {
            by_step(&name)
        };
        publish.via(&first).await.unwrap();
        mock.idle(SOON * 2).await.unwrap();
        as_if_nothing_had_happened(&second, &name).await;
        no_more_than(messages, &mock, &name);
    }
}
