//! Time zones that have other rules than when the next tick was written down: here that tick is moved in the store.

use std::sync::Arc;

use belts::{
    Schedule, Tick, Timestamp, step,
    store::{Memory, ScheduleChange, ScheduleRow, Store as _},
    testing::{Harness, ManualClock},
};

use crate::support::{DAY, HOUR, at, clock, outputs};

#[belts::function(id = "ruled", cron = "0 9 * * *", tz = "Europe/Berlin")]
async fn ruled(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "ruled-put")]
async fn put(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

/// Has the next tick of a schedule at another time, as other rules had it.
async fn move_next(store: &Memory, name: &str, next: Timestamp) {
    let row = store.schedule(name).await.unwrap().unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&row.value).unwrap();
    value["next"] = next.as_millis().into();
    let value: Arc<[u8]> = serde_json::to_vec(&value).unwrap().into();
    let moved = ScheduleRow::new(Arc::clone(&row.name), Arc::clone(&row.function_id), value);
    let change = ScheduleChange::update(&row, moved.with_due_at(Some(next)));
    let written = store.change_schedules(vec![change], next).await.unwrap();
    assert_eq!(written, [true]);
}

async fn harness(store: &Memory, clock: &ManualClock) -> Harness {
    let builder = Harness::builder().store(store.clone()).clock(clock.clone());
    let builder = builder.function(ruled).function(put);
    builder.build().await.unwrap()
}

#[tokio::test]
async fn a_tick_that_came_too_early_is_put_off_to_its_time() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T06:30:00Z"));
    let harness = harness(&store, &clock).await;
    harness.settle().await.unwrap();
    move_next(&store, "ruled", at("2025-01-03T07:00:00Z")).await;
    harness.travel_to(at("2025-01-03T07:59:00Z")).await.unwrap();
    assert!(outputs(&harness, ruled).await.is_empty());
    let record = harness.worker().schedules().get("ruled").await.unwrap();
    assert_eq!(record.next, Some(at("2025-01-03T08:00:00Z")));
    harness.travel(DAY).await.unwrap();
    let wanted = ["2025-01-03T08:00:00Z"];
    assert_eq!(outputs(&harness, ruled).await, wanted);
}

#[tokio::test]
async fn the_newest_worker_moves_what_would_come_too_late() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T06:30:00Z"));
    let old = harness(&store, &clock).await;
    let nine = Schedule::cron("0 9 * * *").tz("Europe/Berlin");
    let schedules = old.worker().schedules();
    schedules.put("tenant", put, nine, ()).await.unwrap();
    drop(old);
    for name in ["ruled", "tenant"] {
        move_next(&store, name, at("2025-01-03T09:00:00Z")).await;
    }
    let new = harness(&store, &clock).await;
    new.travel(HOUR * 2).await.unwrap();
    let wanted = ["2025-01-03T08:00:00Z"];
    assert_eq!(outputs(&new, ruled).await, wanted);
    assert_eq!(outputs(&new, put).await, wanted);
}
