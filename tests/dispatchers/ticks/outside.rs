//! Schedules that are changed outside of a delivery: a message comes for the next tick all the same.

use belts::{Schedule, Tick, Worker, step, store::RunStatus, testing::ManualClock};

use super::{HOUR, MINUTE, hour, house, memory, post::Post, start, statuses};

#[belts::function(id = "z-outside-hourly", every = "1h")]
async fn hourly(tick: Tick) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} missed {}", tick.scheduled_at(), tick.missed())
    )
    .await
}

#[belts::function(id = "z-outside-tenant")]
async fn tenant(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[tokio::test]
async fn one_that_is_put_has_its_message() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(tenant).build().await.unwrap();
    assert!(post.ticks().is_empty());
    let schedules = worker.schedules();
    for number in 0..20 {
        let every = Schedule::every(HOUR).missed(belts::Missed::Skip);
        let name = format!("tenant-{number}");
        schedules.put(name, tenant, every, ()).await.unwrap();
    }
    assert_eq!(post.ticks(), [hour(1)], "one for all of them");
    let often = Schedule::every(MINUTE * 10);
    schedules.put("often", tenant, often, ()).await.unwrap();
    let soon = start().after(MINUTE * 10);
    assert_eq!(post.ticks(), [soon, hour(1)]);
    post.carry_until(&worker, hour(2)).await;
    let all = statuses(&worker, tenant).await;
    assert_eq!(all, [RunStatus::Completed; 20 * 2 + 9]);
}

#[tokio::test]
async fn a_publisher_without_the_function_sends_it_too() {
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(tenant).build().await.unwrap();
    let publisher = post.builder(&store).publish_only().build().await.unwrap();
    let every = Schedule::every(HOUR);
    let schedules = publisher.schedules();
    schedules.put("t", tenant, every, ()).await.unwrap();
    post.carry_until(&worker, hour(1)).await;
    assert_eq!(statuses(&worker, tenant).await, [RunStatus::Completed]);
    // Nor does it need the function to resume it.
    publisher
        .functions()
        .pause("z-outside-tenant")
        .await
        .unwrap();
    post.lose_all();
    clock.set(hour(2).after(MINUTE));
    publisher
        .functions()
        .resume("z-outside-tenant")
        .await
        .unwrap();
    post.carry_until(&worker, clock.now()).await;
    assert_eq!(statuses(&worker, tenant).await, [RunStatus::Completed; 2]);
}

/// Paused over a tick, by itself or with its function, and resumed: the ticks go on.
async fn goes_on(worker: &Worker, clock: &ManualClock, post: &Post, by_function: bool) {
    let name = "z-outside-hourly";
    post.carry_until(worker, hour(1)).await;
    if by_function {
        worker.functions().pause(name).await.unwrap();
    } else {
        worker.schedules().pause(name).await.unwrap();
    }
    post.carry_until(worker, hour(3).after(MINUTE * 5)).await;
    assert!(post.waiting().is_empty(), "{:?}", post.waiting());
    if by_function {
        worker.functions().resume(name).await.unwrap();
    } else {
        worker.schedules().resume(name).await.unwrap();
    }
    let wanted = 1 + usize::from(by_function);
    post.carry_until(worker, clock.now()).await;
    assert_eq!(statuses(worker, hourly).await.len(), wanted);
    post.carry_until(worker, hour(5)).await;
    let all = statuses(worker, hourly).await;
    assert_eq!(all, vec![RunStatus::Completed; wanted + 2]);
}

#[tokio::test]
async fn one_that_is_resumed_goes_on() {
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(hourly).build().await.unwrap();
    goes_on(&worker, &clock, &post, false).await;
}

#[tokio::test]
async fn one_whose_function_is_resumed_goes_on() {
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(hourly).build().await.unwrap();
    goes_on(&worker, &clock, &post, true).await;
}

#[tokio::test]
async fn one_that_is_paused_and_resumed_before_its_tick_keeps_its_message_on_the_way() {
    let clock = ManualClock::new(start());
    let (store, post) = (memory(), Post::with_max_delay(&clock, MINUTE * 10));
    let first = post.builder(&store).function(hourly).build().await.unwrap();
    let other = post.builder(&store).function(hourly).build().await.unwrap();
    first.schedules().pause("z-outside-hourly").await.unwrap();
    // It comes to another worker meanwhile, before its time.
    post.carry(&other).await;
    first.schedules().resume("z-outside-hourly").await.unwrap();
    post.carry_until(&other, hour(2)).await;
    let all = statuses(&first, hourly).await;
    assert_eq!(all, [RunStatus::Completed; 2]);
}

#[tokio::test]
async fn whoever_resumes_again_sends_a_message_that_was_refused() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(hourly).build().await.unwrap();
    let schedules = worker.schedules();
    schedules.pause("z-outside-hourly").await.unwrap();
    post.carry_until(&worker, hour(1)).await;
    post.refuse(1);
    let refused = schedules.resume("z-outside-hourly").await.unwrap_err();
    assert_eq!(refused.kind(), belts::ErrorKind::Dispatcher);
    assert!(!schedules.resume("z-outside-hourly").await.unwrap());
    assert_eq!(post.ticks(), [hour(2)]);
}
