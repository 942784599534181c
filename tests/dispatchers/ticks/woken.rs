//! Runs that events wake are handed on once each, however many others are due.

use belts::{Event, step, store::RunStatus, wait};
use serde::{Deserialize, Serialize};

use super::{house, statuses};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-woken-rented", key = room)]
struct Rented {
    room: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-woken-paid", key = room)]
struct Paid {
    room: String,
}

#[belts::function(id = "z-woken-rents", on = Rented)]
async fn rents(rented: Rented) -> belts::Result<()> {
    let paid = wait!("paid", Paid, key = &rented.room).await?;
    step!("book", drop(paid.room.clone())).await
}

#[tokio::test]
async fn a_publish_hands_on_those_that_wait_for_it_alone() {
    const ROOMS: usize = 12;
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(rents).build().await.unwrap();
    let room = |number: usize| format!("room {number}");
    for number in 0..ROOMS {
        let room = room(number);
        publish_rented(Rented { room }).via(&worker).await.unwrap();
    }
    post.carry_until(&worker, clock.now()).await;
    let waiting = statuses(&worker, rents).await;
    assert_eq!(waiting, [RunStatus::Suspended; ROOMS]);
    // The messages of the events wait; each that is carried finds the runs of those before it due.
    for number in 0..ROOMS {
        let room = room(number);
        publish_paid(Paid { room }).via(&worker).await.unwrap();
    }
    for _ in 0..ROOMS {
        assert_eq!(post.carry(&worker).await, 200);
    }
    assert_eq!(post.waiting().len(), ROOMS);
    post.carry_until(&worker, clock.now()).await;
    let done = statuses(&worker, rents).await;
    assert_eq!(done, [RunStatus::Completed; ROOMS]);
}
