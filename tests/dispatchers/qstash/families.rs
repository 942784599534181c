//! Workers without a loop whose runs call and start others: each is handed on, and so is the parent once one has ended.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Failed, RunHandle, Runs, Worker, call, sleep, start, step,
    store::{Memory, RunFilter, RunStatus, SharedStore, Sqlite},
};
use belts_qstash_mock::{Faults, Mock, When};
use serde::{Deserialize, Serialize};

use super::{clock::FastClock, mail::*};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-trip-booked")]
struct TripBooked {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-part-booked")]
struct PartBooked {
    name: String,
}

fn part(trip: &str, part: &str) -> PartBooked {
    let name = format!("{trip} {part}");
    PartBooked { name }
}

#[belts::function(id = "z-push-trip", on = TripBooked)]
async fn trip(trip: TripBooked) -> belts::Result<usize> {
    let name = &trip.name;
    let car: RunHandle<usize> = start!("car", book(part(name, "car"))).await?;
    let (flight, hotel) = tokio::join!(
        call!("flight", book(part(name, "flight"))),
        call!("hotel", book(part(name, "fails")))
    );
    step!("between", effect(&format!("{name} between"))).await?;
    Ok(flight? + usize::from(hotel.is_err()) + car.result().await?)
}

#[belts::function(id = "z-push-part", on = PartBooked, retries = 0)]
async fn book(part: PartBooked) -> belts::Result<usize> {
    let name = &part.name;
    step!("reserve", effect(&format!("{name} reserve"))).await?;
    sleep!("night", "60s").await?;
    step!("book", async {
        if name.ends_with("fails") {
            return Err(belts::terminal("no room is left"));
        }
        Ok(effect(&format!("{name} book")))
    })
    .await?;
    Ok(10)
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-room-held")]
struct RoomHeld {
    name: String,
}

#[belts::function(id = "z-push-holds", on = RoomHeld, retries = 0)]
async fn holds(held: RoomHeld) -> belts::Result<()> {
    call!("idle", idle(part(&held.name, "idle"))).await
}

#[belts::function(id = "z-push-refused", on_failure = holds)]
async fn refused(failed: Failed<RoomHeld>) -> belts::Result<String> {
    step!("note", failed.event.name.clone()).await
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-room-freed")]
struct RoomFreed {
    name: String,
}

#[belts::function(id = "z-push-starts", on = RoomFreed)]
async fn starts(freed: RoomFreed) -> belts::Result<()> {
    start!("book", book(part(&freed.name, "room"))).await?;
    Ok(())
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-room-lost")]
struct RoomLost {
    name: String,
}

#[belts::function(id = "z-push-loses", on = RoomLost, retries = 0)]
async fn loses(lost: RoomLost) -> belts::Result<()> {
    step!("lose", Err::<(), _>(belts::terminal(lost.name.clone()))).await
}

#[belts::function(id = "z-push-lost", on_failure = loses)]
async fn lost(failed: Failed<RoomLost>) -> belts::Result<usize> {
    step!("length", failed.error.len()).await
}

#[belts::function(id = "z-push-idle", on = PartBooked)]
async fn idle(_part: PartBooked) -> belts::Result<()> {
    sleep!("month", "30d").await
}

async fn pushed(mock: &Mock, clock: FastClock, store: SharedStore) -> Worker {
    let place = Place::new().await;
    let qstash = to(mock, &place.url).retries(100).retry_delay("5000");
    let worker = Worker::builder()
        .shared_store(store)
        .clock(clock)
        // The clock is fast, and a machine may be slow.
        .lease(Duration::from_secs(1_200))
        .function(trip)
        .function(book)
        .function(holds)
        .function(refused)
        .function(idle)
        .function(starts)
        .function(loses)
        .function(lost)
        .dispatcher(qstash.build().unwrap());
    let worker = worker.build().await.unwrap();
    place.serve_only(worker.router());
    worker
}

async fn goes_from_delivery_to_delivery(name: &str, faults: Faults, store: SharedStore) {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    mock.set_faults(faults);
    let worker = pushed(&mock, clock, store).await;
    let booked = TripBooked {
        name: name.to_owned(),
    };
    publish_trip_booked(booked).via(&worker).await.unwrap();
    mock.idle(SOON * 2).await.unwrap();
    assert_eq!(mock.counts().failed, 0, "{:?}", mock.dead_letters());
    let parents = worker.runs().list().function("z-push-trip").await.unwrap();
    let [run] = &*parents.runs else {
        panic!("one trip: {parents:?}");
    };
    let run = worker.runs().get(&run.run_id).await.unwrap();
    assert_eq!(run.status, RunStatus::Completed, "{name}: {run:?}");
    assert_eq!(run.output().unwrap().get(), "21");
    let children = worker.runs().list().parent(&run.run_id).await.unwrap().runs;
    assert_eq!(children.len(), 3);
    for done in [
        "car reserve",
        "car book",
        "flight book",
        "fails reserve",
        "between",
    ] {
        assert_eq!(effects(&format!("{name} {done}")), 1, "{name} {done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_goes_on_from_delivery_to_delivery() {
    let store = Arc::new(Memory::new());
    goes_from_delivery_to_delivery("calm", Faults::default(), store).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let store = Arc::new(Sqlite::open(path.to_str().unwrap()).await.unwrap());
    goes_from_delivery_to_delivery("calm sqlite", Faults::default(), store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_made_twice_and_answers_that_are_lost_lose_no_child() {
    for round in 0..4 {
        let faults = Faults {
            deliver_twice: When::Always,
            lose_answer: When::Share(0.5),
            ..Faults::default()
        };
        let name = format!("twice {round}");
        goes_from_delivery_to_delivery(&name, faults, Arc::new(Memory::new())).await;
    }
}

/// Whoever waits for a run drives it here, and nobody else knows what it has started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_has_started_is_handed_on_though_somebody_waited_for_it() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let worker = pushed(&mock, clock, Arc::new(Memory::new())).await;
    let ends = async |function: &str| {
        let status = async || {
            let page = worker.runs().list().function(function).await;
            page.unwrap().runs.pop().map(|run| run.status)
        };
        let ended = async {
            while status().await != Some(RunStatus::Completed) {
                belts_suite::a_moment().await;
            }
        };
        tokio::time::timeout(SOON, ended).await.unwrap();
    };
    let name = || "waited for".to_owned();
    let started = starts(RoomFreed { name: name() }).via(&worker).await;
    started.unwrap();
    ends("z-push-part").await;
    let refused = worker.execute(RoomLost { name: name() }).await.unwrap();
    refused.output::<()>("z-push-loses").unwrap_err();
    ends("z-push-lost").await;
}

/// What cancels a child has nobody else who would tell the parent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_child_hands_on_its_parent() {
    hands_on_its_parent(async |runs: Runs, child: &str| runs.cancel(child).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_are_cancelled_with_a_filter_hand_on_their_parents() {
    let all = async |runs: Runs, _: &str| {
        let idle = RunFilter::new().with_function("z-push-idle");
        runs.cancel_all(idle).await.unwrap().cancelled == 1
    };
    hands_on_its_parent(all).await;
}

async fn hands_on_its_parent(cancel: impl AsyncFn(Runs, &str) -> bool) {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let worker = pushed(&mock, clock, Arc::new(Memory::new())).await;
    let held = RoomHeld {
        name: "cancelled".to_owned(),
    };
    publish_room_held(held).via(&worker).await.unwrap();
    let only = async |function: &str| {
        let page = worker.runs().list().function(function).await;
        page.unwrap().runs.pop()
    };
    let sleeps = async {
        loop {
            match only("z-push-idle").await {
                Some(run) if run.status == RunStatus::Suspended => return run,
                _ => belts_suite::a_moment().await,
            }
        }
    };
    let child = tokio::time::timeout(SOON, sleeps).await.unwrap();
    assert!(cancel(worker.runs(), &child.run_id).await);
    let failed = async {
        while only("z-push-holds").await.unwrap().status != RunStatus::Failed {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(SOON, failed).await.unwrap();
    // So is the handler of the parent's failure.
    let handled = async {
        let status = async || only("z-push-refused").await.map(|run| run.status);
        while status().await != Some(RunStatus::Completed) {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(SOON, handled).await.unwrap();
    let child = only("z-push-idle").await.unwrap();
    assert_eq!(child.status, RunStatus::Cancelled);
}
