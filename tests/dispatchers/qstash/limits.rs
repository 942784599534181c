//! Workers without a loop, of functions whose runs have limits of time: deliveries end what is over, and the parent is handed on.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker, call, sleep, step,
    store::{Memory, RunStatus, SharedStore},
};
use belts_qstash_mock::Delivery;
use serde::{Deserialize, Serialize};

use super::{clock::FastClock, mail::*};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-tour-booked")]
struct TourBooked {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-guide-asked")]
struct GuideAsked {
    name: String,
}

#[belts::function(id = "z-limited-tour", on = TourBooked)]
async fn tour(tour: TourBooked) -> belts::Result<String> {
    match call!("guide", guide(GuideAsked { name: tour.name })).await {
        Ok(()) => Ok("a guide".to_owned()),
        Err(error) => Ok(error.report()),
    }
}

/// Its wake-up comes when its time is over.
#[belts::function(id = "z-limited-guide", on = GuideAsked, finish_within = "100s")]
async fn guide(tour: GuideAsked) -> belts::Result<()> {
    step!("ask", effect(&format!("{} ask", tour.name))).await?;
    sleep!("think", "300s").await?;
    step!("go", effect(&format!("{} go", tour.name))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_ends_a_run_whose_time_is_over_and_its_parent_goes_on() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let place = Place::new().await;
    let store: SharedStore = Arc::new(Memory::new());
    let qstash = to(&mock, &place.url).retries(100).retry_delay("5000");
    let worker = Worker::builder()
        .shared_store(store)
        .clock(clock)
        .lease(Duration::from_secs(120))
        .function(tour)
        .function(guide)
        .dispatcher(qstash.build().unwrap())
        .build()
        .await
        .unwrap();
    place.serve_only(worker.router());
    let name = "l-push".to_owned();
    let event = publish_tour_booked(TourBooked { name });
    event.via(&worker).await.unwrap();
    let over = async {
        loop {
            let all = runs(&worker).await;
            if all.len() == 2 && all.iter().all(|run| run.status.is_finished()) {
                return all;
            }
            belts_suite::a_moment().await;
        }
    };
    let all = tokio::time::timeout(SOON, over).await.unwrap();
    let of = |id: &str| all.iter().find(|run| &*run.function_id == id).unwrap();
    assert_eq!(of("z-limited-guide").status, RunStatus::Cancelled);
    let parent = worker.store().run(&of("z-limited-tour").run_id).await;
    let result = parent.unwrap().unwrap().result.unwrap();
    let output = String::from_utf8_lossy(&result).into_owned();
    assert!(
        output.contains("it had not finished within 1m40s"),
        "{output}"
    );
    mock.idle(SOON * 2).await.unwrap();
    let statuses: Vec<_> = mock.deliveries().iter().map(Delivery::status).collect();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!((effects("l-push ask"), effects("l-push go")), (1, 0));
}
