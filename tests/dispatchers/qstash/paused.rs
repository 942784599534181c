//! Workers without a loop, of functions that are paused: deliveries count as taken, and whoever resumes hands on what is due.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker, sleep, step,
    store::{Memory, RunStatus, SharedStore},
};
use belts_qstash_mock::{Delivery, Mock};
use serde::{Deserialize, Serialize};

use super::{clock::FastClock, mail::*};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct ParcelSent {
    name: String,
}

#[belts::function(id = "parcel", on = ParcelSent)]
async fn parcel(event: ParcelSent) -> belts::Result<u32> {
    let name = event.name;
    step!("before", effect(&format!("{name} before"))).await?;
    sleep!("way", "300s").await?;
    step!("after", effect(&format!("{name} after"))).await
}

async fn pushed(mock: &Mock, clock: FastClock) -> Worker {
    let place = Place::new().await;
    let store: SharedStore = Arc::new(Memory::new());
    let qstash = to(mock, &place.url).retries(100).retry_delay("5000");
    let worker = Worker::builder()
        .shared_store(store)
        .clock(clock)
        .lease(Duration::from_secs(120))
        .function(parcel)
        .dispatcher(qstash.build().unwrap())
        .build()
        .await
        .unwrap();
    place.serve_only(worker.router());
    worker
}

fn sent(name: &str) -> ParcelSent {
    ParcelSent {
        name: name.to_owned(),
    }
}

/// Everything that was delivered was taken, and nothing is under way.
async fn all_is_taken(mock: &Mock) {
    mock.idle(SOON * 2).await.unwrap();
    let statuses: Vec<_> = mock.deliveries().iter().map(Delivery::status).collect();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_for_a_paused_function_is_taken_and_handed_on_when_it_is_resumed() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let worker = pushed(&mock, clock).await;
    let functions = worker.functions();
    assert!(functions.pause("parcel").await.unwrap());
    publish_parcel_sent(sent("first"))
        .via(&worker)
        .await
        .unwrap();
    all_is_taken(&mock).await;
    assert_eq!(runs(&worker).await[0].status, RunStatus::Pending);
    assert_eq!(effects("first before"), 0);

    // It is resumed, sleeps, and is paused again in its sleep.
    assert!(functions.resume("parcel").await.unwrap());
    ended(&worker, 1, RunStatus::Suspended).await;
    assert!(functions.pause("parcel").await.unwrap());
    all_is_taken(&mock).await;
    let run = runs(&worker).await.remove(0);
    assert_eq!(run.status, RunStatus::Suspended);
    assert!(run.due_at.unwrap() <= belts::Clock::now(&clock));

    // Whoever resumes twice hands on twice, for the case that the first time it went wrong.
    assert!(functions.resume("parcel").await.unwrap());
    assert!(!functions.resume("parcel").await.unwrap());
    completed(&worker, 1).await;
    all_is_taken(&mock).await;
    assert_eq!((effects("first before"), effects("first after")), (1, 1));
}
