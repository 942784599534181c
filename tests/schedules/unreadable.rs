//! Schedules that this program cannot follow: they disturb no other, and are left to those who can.

use std::sync::Arc;

use belts::{
    Schedule, Tick, step,
    store::{Memory, ScheduleChange, ScheduleRow, Store as _},
    testing::Harness,
};
use serde_json::{Value, json};

use crate::support::{HOUR, MINUTE, at, clock, outputs};

#[belts::function(id = "readable", every = "1h")]
async fn readable(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

/// As a newer belts would write it.
const NEWER: &str = r#"{"v":2,"when":"now and then"}"#;

/// More than are looked at at once.
const MANY: usize = 230;

async fn put(store: &Memory, name: &str, value: &str, due_at: &str) {
    let value: Arc<[u8]> = value.as_bytes().into();
    let row = ScheduleRow::new(name, "readable", value).with_due_at(Some(at(due_at)));
    let change = ScheduleChange::insert(row);
    let written = store.change_schedules(vec![change], at(due_at)).await;
    assert_eq!(written.unwrap(), [true]);
}

#[tokio::test]
async fn more_than_are_looked_at_at_once_hide_no_other() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    let builder = Harness::builder().store(store.clone()).clock(clock.clone());
    let harness = builder.function(readable).build().await.unwrap();
    for number in 0..MANY {
        let name = format!("newer-{number}");
        put(&store, &name, NEWER, "2025-01-03T00:59:30Z").await;
    }
    harness.travel(HOUR * 3).await.unwrap();
    let wanted = [
        "2025-01-03T01:00:00Z",
        "2025-01-03T02:00:00Z",
        "2025-01-03T03:00:00Z",
    ];
    assert_eq!(outputs(&harness, readable).await, wanted);
    // They say what they said, and are shown to those who can read them.
    let row = store.schedule("newer-0").await.unwrap().unwrap();
    assert_eq!(&*row.value, NEWER.as_bytes());
    let listed = harness.worker().schedules().list().await.unwrap();
    assert_eq!(listed.len(), 1);
    let next = harness.worker().schedules().next(1).await.unwrap();
    assert_eq!(next[0].scheduled_at, at("2025-01-03T04:00:00Z"));
}

#[tokio::test]
async fn one_is_left_to_others_for_a_minute_and_then_put_off() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    let builder = Harness::builder().store(store.clone()).clock(clock.clone());
    let harness = builder.function(readable).build().await.unwrap();
    put(&store, "newer", NEWER, "2025-01-03T00:31:00Z").await;
    let due_at = async || store.schedule("newer").await.unwrap().unwrap().due_at;
    harness.advance(MINUTE);
    harness.settle().await.unwrap();
    assert_eq!(due_at().await, Some(at("2025-01-03T00:31:00Z")));
    harness.advance(MINUTE * 2);
    harness.settle().await.unwrap();
    assert_eq!(due_at().await, Some(at("2025-01-03T00:38:00Z")));
}

#[tokio::test]
async fn a_newer_one_of_a_function_keeps_no_worker_from_starting() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    put(&store, "readable", NEWER, "2025-01-03T00:00:00Z").await;
    let builder = Harness::builder().store(store.clone()).clock(clock.clone());
    let harness = builder.function(readable).build().await.unwrap();
    harness.settle().await.unwrap();
    let row = store.schedule("readable").await.unwrap().unwrap();
    assert_eq!(&*row.value, NEWER.as_bytes());
}

/// Has the schedule of the function tick in a zone that this program does not know.
async fn in_a_zone_of_its_own(store: &Memory) {
    let row = store.schedule("readable").await.unwrap().unwrap();
    let mut value: Value = serde_json::from_slice(&row.value).unwrap();
    let schedule = value["schedule"].as_object_mut().unwrap();
    schedule.remove("everyMs");
    schedule.insert("cron".into(), json!("0 * * * *"));
    schedule.insert("tz".into(), json!("Mars/Olympus"));
    let value: Arc<[u8]> = serde_json::to_vec(&value).unwrap().into();
    let moved = ScheduleRow::new("readable", "readable", value).with_due_at(row.due_at);
    let change = ScheduleChange::update(&row, moved);
    store
        .change_schedules(vec![change], at("2025-01-03T00:30:00Z"))
        .await
        .unwrap();
}

#[tokio::test]
async fn one_that_is_due_by_a_plan_that_cannot_be_followed_is_changed_and_loses_no_tick() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    let first = Harness::builder().store(store.clone()).clock(clock.clone());
    drop(first.function(readable).build().await.unwrap());
    in_a_zone_of_its_own(&store).await;
    clock.advance(MINUTE * 31);
    let second = Harness::builder().store(store.clone()).clock(clock.clone());
    let second = second.function(readable).build().await.unwrap();
    second.travel(HOUR).await.unwrap();
    let wanted = ["2025-01-03T01:00:00Z", "2025-01-03T02:00:00Z"];
    assert_eq!(outputs(&second, readable).await, wanted);
}

#[tokio::test]
async fn one_that_is_put_anew_loses_no_tick_either() {
    #[belts::function(id = "readable-tenant")]
    async fn tenant(tick: Tick) -> belts::Result<String> {
        step!("tell", tick.scheduled_at().to_string()).await
    }
    let builder = Harness::builder().clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(tenant).build().await.unwrap();
    let schedules = harness.worker().schedules();
    let hourly = Schedule::every(HOUR).jitter(HOUR / 2);
    schedules.put("t", tenant, hourly, ()).await.unwrap();
    // Within its jitter.
    harness.clock().set(at("2025-01-03T01:00:00Z"));
    let daily = Schedule::every(HOUR * 24);
    schedules.put("t", tenant, daily, ()).await.unwrap();
    harness.travel(HOUR).await.unwrap();
    assert_eq!(outputs(&harness, tenant).await, ["2025-01-03T01:00:00Z"]);
}
