//! What a tick has started and could not be handed on is handed on by the next message.

use belts::{Tick, step, store::RunStatus};

use super::{HOUR, hour, house, runs_of, statuses};

macro_rules! hourly {
    ($name:ident, $id:literal $(, $option:ident = $value:literal)*) => {
        #[belts::function(id = $id, every = "1h" $(, $option = $value)*)]
        async fn $name(tick: Tick) -> belts::Result<String> {
            step!("tell", tick.scheduled_at().to_string()).await
        }
    };
}
hourly!(skip, "z-lost-skip");
hourly!(first, "z-lost-first");
hourly!(second, "z-lost-second");
hourly!(third, "z-lost-third");
hourly!(beside, "z-lost-beside", missed = "all", overlap = "allow");

#[tokio::test]
async fn the_run_of_a_tick_whose_hand_on_failed_is_handed_on_when_the_message_comes_again() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(skip).build().await.unwrap();
    post.refuse(1);
    assert_eq!(post.carry(&worker).await, 503);
    assert_eq!(statuses(&worker, skip).await, [RunStatus::Pending]);
    post.carry_until(&worker, hour(4)).await;
    assert_eq!(statuses(&worker, skip).await, [RunStatus::Completed; 4]);
    let record = worker.schedules().get("z-lost-skip").await.unwrap();
    assert_eq!((record.counts.started, record.counts.skipped), (4, 0));
}

#[tokio::test]
async fn it_is_handed_on_as_well_by_a_worker_that_has_started_since() {
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(skip).build().await.unwrap();
    // It dies after the write, with its message.
    clock.set(hour(1));
    post.lose_all();
    post.refuse(1);
    drop(worker);
    let dies = post.builder(&store).function(skip).build().await.unwrap();
    assert_eq!(statuses(&dies, skip).await, [RunStatus::Pending]);
    drop(dies);
    let next = post.builder(&store).function(skip).build().await.unwrap();
    post.carry_until(&next, hour(4)).await;
    // The tick of 2:00 met the run of 1:00.
    assert_eq!(statuses(&next, skip).await, [RunStatus::Completed; 3]);
    let record = next.schedules().get("z-lost-skip").await.unwrap();
    assert_eq!((record.counts.started, record.counts.skipped), (3, 1));
}

#[tokio::test]
async fn one_that_fails_keeps_none_of_the_others_from_being_handed_on() {
    let (store, _, post) = house();
    let builder = post.builder(&store).function(first).function(second);
    let worker = builder.function(third).build().await.unwrap();
    post.refuse(1);
    assert_eq!(post.carry(&worker).await, 503);
    let runs = post
        .waiting()
        .iter()
        .filter(|letter| !letter.is_for_ticks())
        .count();
    assert_eq!(runs, 2);
    post.carry_until(&worker, hour(1)).await;
    for all in [
        statuses(&worker, first).await,
        statuses(&worker, second).await,
        statuses(&worker, third).await,
    ] {
        assert_eq!(all, [RunStatus::Completed]);
    }
}

#[tokio::test]
async fn each_of_several_runs_of_one_schedule_is_handed_on() {
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(beside).build().await.unwrap();
    clock.advance(HOUR * 4);
    post.refuse(4);
    assert_eq!(post.carry(&worker).await, 503);
    assert_eq!(runs_of(&worker, beside).await.len(), 4);
    post.carry_until(&worker, clock.now()).await;
    assert_eq!(statuses(&worker, beside).await, [RunStatus::Completed; 4]);
}
