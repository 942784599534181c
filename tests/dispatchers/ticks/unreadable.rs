//! Schedules that a worker without a loop cannot follow.

use std::sync::Arc;

use belts::{
    Tick, step,
    store::{RunStatus, ScheduleChange, ScheduleRow},
};

use super::{MINUTE, hour, house, start, statuses};

#[belts::function(id = "z-unreadable", every = "1h")]
async fn readable(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[tokio::test]
async fn one_that_is_due_all_the_time_sends_no_messages() {
    let (store, _, post) = house();
    let value: Arc<[u8]> = br#"{"v":2}"#.as_slice().into();
    let row = ScheduleRow::new("newer", "z-unreadable", value);
    let row = row.with_due_at(Some(start().after(MINUTE)));
    let change = ScheduleChange::insert(row);
    let written = store.change_schedules(vec![change], start()).await;
    assert_eq!(written.unwrap(), [true]);
    let worker = post
        .builder(&store)
        .function(readable)
        .build()
        .await
        .unwrap();
    // One for each tick and for its run; and where it is put off, one for each five minutes.
    let carried = post.carry_until(&worker, hour(3)).await;
    assert!(carried <= 6 + 40, "{carried}");
    assert_eq!(statuses(&worker, readable).await, [RunStatus::Completed; 3]);
    assert!(post.ticks().len() <= 2, "{:?}", post.waiting());
}
