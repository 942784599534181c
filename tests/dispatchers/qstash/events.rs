//! Workers without a loop whose runs wait for events: whoever takes the event hands the runs on.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker, step,
    store::{Memory, RunStatus, SharedStore, Sqlite},
    wait,
};
use belts_qstash_mock::{Faults, Mock, When};
use serde::{Deserialize, Serialize};

use super::{clock::FastClock, mail::*};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-push-rented", key = room)]
struct Rented {
    room: String,
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-push-paid", key = room)]
struct Paid {
    room: String,
    cents: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-push-left", key = room)]
struct Left {
    room: String,
}

#[belts::function(id = "z-push-rents", on = Rented, cancel_on = Left)]
async fn rents(rented: Rented) -> belts::Result<u32> {
    let mut sum = 0;
    for month in 0..2 {
        let paid = wait!("paid-{month}", Paid, key = &rented.room).await?;
        sum += step!("book-{month}", async {
            effect(&format!("{} {month}", rented.name));
            Ok::<_, belts::Error>(paid.cents)
        })
        .await?;
    }
    Ok(sum)
}

async fn pushed(mock: &Mock, clock: FastClock, store: SharedStore) -> Worker {
    let place = Place::new().await;
    let qstash = to(mock, &place.url).retries(100).retry_delay("5000");
    let worker = Worker::builder()
        .shared_store(store)
        .clock(clock)
        // The clock is fast, and a machine may be slow.
        .lease(Duration::from_secs(1_200))
        .function(rents)
        .dispatcher(qstash.build().unwrap());
    let worker = worker.build().await.unwrap();
    place.serve_only(worker.router());
    worker
}

async fn statuses(worker: &Worker, status: RunStatus) -> usize {
    let page = worker.runs().list().function("z-push-rents").status(status);
    page.limit(1_000).await.unwrap().runs.len()
}

async fn events_resume_what_waits(name: &str, faults: Faults, store: SharedStore) {
    const RUNS: usize = 20;
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    mock.set_faults(faults);
    let worker = pushed(&mock, clock, store).await;
    let room = |number: usize| format!("{name} {}", number % 2);
    for number in 0..RUNS {
        let name = format!("{name} {number}");
        let rented = Rented {
            room: room(number),
            name,
        };
        publish_rented(rented).via(&worker).await.unwrap();
    }
    mock.idle(SOON * 2).await.unwrap();
    assert_eq!(statuses(&worker, RunStatus::Suspended).await, RUNS);
    for (month, cents) in [(0, 1), (1, 2)] {
        let paid = Paid {
            room: room(0),
            cents,
        };
        publish_paid(paid).via(&worker).await.unwrap();
        mock.idle(SOON * 2).await.unwrap();
        let done = (0..RUNS).filter(|number| effects(&format!("{name} {number} {month}")) == 1);
        assert_eq!(done.count(), RUNS / 2, "{name} {month}");
    }
    assert_eq!(statuses(&worker, RunStatus::Completed).await, RUNS / 2);
    // What rests hears of what cancels it, too.
    publish_left(Left { room: room(1) })
        .via(&worker)
        .await
        .unwrap();
    mock.idle(SOON * 2).await.unwrap();
    assert_eq!(statuses(&worker, RunStatus::Cancelled).await, RUNS / 2);
    assert_eq!(mock.counts().failed, 0, "{:?}", mock.dead_letters());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_resumes_the_runs_that_wait_for_it() {
    events_resume_what_waits("calm", Faults::default(), Arc::new(Memory::new())).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let store = Arc::new(Sqlite::open(path.to_str().unwrap()).await.unwrap());
    events_resume_what_waits("calm sqlite", Faults::default(), store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_made_twice_and_answers_that_are_lost_lose_no_wake_up() {
    for round in 0..3 {
        let faults = Faults {
            deliver_twice: When::Always,
            lose_answer: When::Share(0.5),
            ..Faults::default()
        };
        let name = format!("twice {round}");
        events_resume_what_waits(&name, faults, Arc::new(Memory::new())).await;
    }
}
