//! Versions of a program with other schedules, one after the other and side by side.

use belts::{
    Event, Schedules, Tick, Worker, step,
    store::Memory,
    testing::{Harness, ManualClock, Reopen},
};
use serde::{Deserialize, Serialize};

use crate::support::{DAY, HOUR, MINUTE, at, clock, outputs};

mod first {
    use super::*;

    #[belts::function(id = "report", cron = "0 9 * * *")]
    pub(super) async fn report(tick: Tick) -> belts::Result<String> {
        step!(
            "tell",
            format!("{} missed {}", tick.scheduled_at(), tick.missed())
        )
        .await
    }
}

mod second {
    use super::*;

    #[belts::function(id = "report", cron = "0 10 * * *")]
    pub(super) async fn report(tick: Tick) -> belts::Result<String> {
        step!(
            "tell",
            format!("{} missed {}", tick.scheduled_at(), tick.missed())
        )
        .await
    }
}

#[derive(Serialize, Deserialize, Event)]
struct Asked {}

mod third {
    use super::*;

    #[belts::function(id = "report", on = Asked)]
    pub(super) async fn report(asked: Asked) -> belts::Result<()> {
        let Asked {} = asked;
        step!("tell", ()).await
    }
}

async fn worker<M>(
    place: &Memory,
    clock: &ManualClock,
    function: impl belts::Function<M>,
) -> Worker {
    let builder = Worker::builder().shared_store(place.open().await.unwrap());
    builder
        .clock(clock.clone())
        .function(function)
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_changed_one_holds_from_the_newest_registration_on_and_old_versions_follow_it() {
    let (place, clock) = (Memory::new(), clock("2025-01-03T08:00:00Z"));
    let old = Harness::builder().store(place.clone()).clock(clock.clone());
    let old = old.function(first::report).build().await.unwrap();
    old.travel(HOUR).await.unwrap();
    worker(&place, &clock, second::report).await;
    // The old version goes on, and takes no step back at its sweeps.
    old.travel(DAY * 2).await.unwrap();
    assert_eq!(
        outputs(&old, first::report).await,
        [
            "2025-01-03T09:00:00Z missed 0",
            "2025-01-03T10:00:00Z missed 0",
            "2025-01-04T10:00:00Z missed 0"
        ]
    );
    // Its restart is a registration like any other.
    old.restart().await.unwrap();
    let listed = old.worker().schedules().get("report").await.unwrap();
    assert_eq!(
        (listed.schedule.to_string(), listed.next),
        (
            "0 9 * * * (UTC)".to_owned(),
            Some(at("2025-01-06T09:00:00Z"))
        )
    );
}

#[tokio::test]
async fn what_was_due_before_a_change_is_made_up_for_by_the_old_plan() {
    let (place, clock) = (Memory::new(), clock("2025-01-03T08:00:00Z"));
    drop(worker(&place, &clock, first::report).await);
    clock.advance(DAY * 2 + HOUR * 3 / 2);
    let new = Harness::builder().store(place.clone()).clock(clock.clone());
    let new = new.function(second::report).build().await.unwrap();
    new.travel(HOUR).await.unwrap();
    assert_eq!(
        outputs(&new, second::report).await,
        [
            "2025-01-05T09:00:00Z missed 2",
            "2025-01-05T10:00:00Z missed 0"
        ]
    );
}

#[tokio::test]
async fn one_that_the_newest_version_does_not_have_is_gone() {
    let (place, clock) = (Memory::new(), clock("2025-01-03T08:00:00Z"));
    let old = Harness::builder().store(place.clone()).clock(clock.clone());
    let old = old.function(first::report).build().await.unwrap();
    worker(&place, &clock, third::report).await;
    assert!(old.worker().schedules().list().await.unwrap().is_empty());
    old.travel(DAY).await.unwrap();
    assert!(old.runs_of(first::report).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_that_no_worker_has_stops_ticking() {
    let (place, clock) = (Memory::new(), clock("2025-01-03T08:00:00Z"));
    let old = worker(&place, &clock, first::report).await;
    old.shutdown();
    drop(old);
    #[belts::function(id = "another", every = "1h")]
    async fn another(tick: Tick) -> belts::Result<String> {
        step!("tell", tick.scheduled_at().to_string()).await
    }
    let new = Harness::builder().store(place.clone()).clock(clock.clone());
    let new = new.function(another).build().await.unwrap();
    new.travel(DAY).await.unwrap();
    assert_eq!(new.runs_of(another).await.unwrap().len(), 24);
    assert!(new.runs_of(first::report).await.unwrap().is_empty());
    let schedules = Schedules::of(place.open().await.unwrap());
    let listed = schedules.list().await.unwrap();
    let report = listed.iter().find(|one| &*one.name == "report").unwrap();
    assert_eq!(report.counts.started, 0);
    // Once forgotten with its function it is gone.
    new.worker().functions().forget("report").await.unwrap();
    assert_eq!(new.worker().schedules().list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_one_goes_on_over_restarts() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T08:00:00Z"));
    let harness = builder.function(first::report).build().await.unwrap();
    for _ in 0..5 {
        harness.travel(HOUR * 7).await.unwrap();
        harness.restart().await.unwrap();
    }
    assert_eq!(
        outputs(&harness, first::report).await,
        [
            "2025-01-03T09:00:00Z missed 0",
            "2025-01-04T09:00:00Z missed 0"
        ]
    );
    harness.travel(MINUTE).await.unwrap();
}
