//! Runs that events wake are handed on once each, however many others are due.

use std::{sync::Arc, time::Duration};

use belts::{Event, call, step, store::RunStatus, wait};
use belts_suite::{Hooked, a_moment};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

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

#[belts::function(id = "z-woken-looks", on = Paid)]
async fn looks(paid: Paid) -> belts::Result<String> {
    step!("look", paid.room.clone()).await
}

#[belts::function(id = "z-woken-both", on = Rented)]
async fn both(rented: Rented) -> belts::Result<()> {
    let room = rented.room;
    let paid = |of: &str| Paid {
        room: format!("{room} {of}"),
    };
    let one = call!("one", looks(paid("one")));
    let two = call!("two", looks(paid("two")));
    tokio::try_join!(one, two).map(drop)
}

/// A message came for a run whose drive had suspended it, but did not know that yet. It waited for that drive, then handed the run on
/// with a message that was the very same as itself, which a service carries once: nothing was left that would have resumed the run.
/// So too where the second child ended in the millisecond of the first.
#[tokio::test]
async fn a_message_that_comes_before_its_run_is_let_go_is_not_the_last() {
    for later in [Duration::ZERO, Duration::from_millis(1)] {
        let (store, clock, post) = house();
        let (held, reached) = (watch::Sender::new(false), Arc::new(Notify::new()));
        let slow = Hooked::new(Arc::clone(&store), {
            let (held, reached) = (held.clone(), Arc::clone(&reached));
            move |method| {
                let (mut held, reached) = (held.subscribe(), Arc::clone(&reached));
                Box::pin(async move {
                    if method == "committed" && *held.borrow() {
                        reached.notify_one();
                        held.wait_for(|held| !held).await.unwrap();
                    }
                    Ok(())
                })
            }
        });
        let on = async |store| {
            let builder = post.builder(store).function(both).function(looks);
            builder.build().await.unwrap()
        };
        let (worker, other) = (on(&slow).await, on(&store).await);
        let room = "the last room".to_owned();
        publish_rented(Rented { room }).via(&worker).await.unwrap();
        assert_eq!(post.carry(&worker).await, 200);
        let [one, two] = <[_; 2]>::try_from(post.waiting()).unwrap();
        assert_eq!(post.bring(one, &other).await, 200);
        let resumes = post.waiting().pop().unwrap();
        held.send_replace(true);
        let first = post.bring(resumes.clone(), &worker);
        let second = async {
            reached.notified().await;
            clock.advance(later);
            assert_eq!(post.bring(two, &other).await, 200);
            let again = post.waiting().pop().unwrap();
            let lets_go = async {
                a_moment().await;
                held.send_replace(false);
            };
            tokio::join!(post.bring(again, &worker), lets_go).0
        };
        assert_eq!(tokio::join!(first, second), (200, 200));
        post.carry_until(&worker, clock.now()).await;
        assert_eq!(statuses(&worker, both).await, [RunStatus::Completed]);
    }
}

/// Two children ended in one millisecond, of clocks that do not agree, and the run had been resumed by the first one in between. The
/// message of the second was taken for that of the first.
#[tokio::test]
async fn children_that_end_at_one_time_hand_on_their_parent_each() {
    let (store, clock, post) = house();
    let builder = post.builder(&store).function(both).function(looks);
    let worker = builder.build().await.unwrap();
    let room = "the first room".to_owned();
    publish_rented(Rented { room }).via(&worker).await.unwrap();
    assert_eq!(post.carry(&worker).await, 200);
    let [one, two] = <[_; 2]>::try_from(post.waiting()).unwrap();
    assert_eq!(post.bring(one, &worker).await, 200);
    let resumes = post.waiting().pop().unwrap();
    assert_eq!(post.bring(resumes, &worker).await, 200);
    assert_eq!(statuses(&worker, both).await, [RunStatus::Suspended]);
    assert_eq!(post.bring(two, &worker).await, 200);
    post.carry_until(&worker, clock.now()).await;
    assert_eq!(statuses(&worker, both).await, [RunStatus::Completed]);
}
