//! When ticks come, and what they tell.

use std::time::Duration;

use belts::{Context, State, Tick, call, step, testing::Harness};

use crate::support::{DAY, HOUR, MINUTE, at, clock, outputs};

#[belts::function(id = "weekdays", cron = "0 9 * * MON-FRI", tz = "Europe/Berlin")]
async fn weekdays(tick: Tick) -> belts::Result<String> {
    let previous = tick
        .previous()
        .map_or("none".to_owned(), |previous| previous.to_string());
    step!(
        "tell",
        format!(
            "{} after {previous}, missed {}",
            tick.scheduled_at(),
            tick.missed()
        )
    )
    .await
}

#[belts::function(id = "quarter", every = "15m")]
async fn quarter(
    tick: Tick,
    cx: Context,
    State(name): State<&'static str>,
) -> belts::Result<String> {
    step!(
        "tell",
        format!(
            "{} {name} {} {}",
            tick.scheduled_at(),
            tick.schedule(),
            cx.attempt()
        )
    )
    .await
}

#[belts::function(id = "jittered", every = "1h", jitter = "30m")]
async fn jittered(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "gap", cron = "30 2 * * *", tz = "Europe/Berlin")]
async fn gap(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "samoa", cron = "0 9 * * *", tz = "Pacific/Apia")]
async fn samoa(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "lord-howe", cron = "15 2 * * *", tz = "Australia/Lord_Howe")]
async fn lord_howe(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "new-york", cron = "30 1 * * *", tz = "America/New_York")]
async fn new_york(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "caller", cron = "@daily")]
async fn caller(tick: Tick) -> belts::Result<String> {
    call!("report", weekdays(tick)).await
}

#[tokio::test]
async fn ticks_come_at_their_times_and_tell_of_the_one_before() {
    // A Friday.
    let builder = Harness::builder().clock(clock("2025-01-03T07:00:00Z"));
    let harness = builder.function(weekdays).build().await.unwrap();
    harness.travel(Duration::from_secs(3_599)).await.unwrap();
    assert!(harness.runs_of(weekdays).await.unwrap().is_empty());
    harness.travel(DAY * 4).await.unwrap();
    assert_eq!(
        outputs(&harness, weekdays).await,
        [
            "2025-01-03T08:00:00Z after none, missed 0",
            "2025-01-06T08:00:00Z after 2025-01-03T08:00:00Z, missed 0",
        ]
    );
}

#[tokio::test]
async fn lengths_count_from_the_epoch_and_ticks_stand_beside_states_and_contexts() {
    let builder = Harness::builder()
        .clock(clock("2025-01-03T07:07:00Z"))
        .state("a state");
    let harness = builder.function(quarter).build().await.unwrap();
    harness.travel(MINUTE * 30).await.unwrap();
    assert_eq!(
        outputs(&harness, quarter).await,
        [
            "2025-01-03T07:15:00Z a state quarter 1",
            "2025-01-03T07:30:00Z a state quarter 1"
        ]
    );
}

#[tokio::test]
async fn jitter_follows_from_the_tick_and_stays_before_the_next_one() {
    let mut starts = Vec::new();
    for _ in 0..2 {
        let builder = Harness::builder().clock(clock("2025-01-03T00:30:00Z"));
        let harness = builder.function(jittered).build().await.unwrap();
        harness.travel(HOUR * 24).await.unwrap();
        let runs = harness.runs_of(jittered).await.unwrap();
        let mut started: Vec<_> = runs
            .iter()
            .map(|run| {
                run.record()
                    .unwrap()
                    .started_at
                    .unwrap()
                    .since(at(&run.output().unwrap()))
            })
            .collect();
        started.sort_unstable();
        assert!(started.len() >= 23, "{}", started.len());
        assert!(
            started.iter().all(|late| *late < MINUTE * 30),
            "{started:?}"
        );
        assert!(started.first() != started.last(), "{started:?}");
        starts.push(started);
    }
    assert_eq!(starts[0], starts[1], "the same again");
}

#[tokio::test]
async fn where_clocks_change_each_day_has_one_tick() {
    let builder = Harness::builder().clock(clock("2025-03-29T00:00:00Z"));
    let harness = builder.function(gap).build().await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    assert_eq!(
        outputs(&harness, gap).await,
        // 02:30, then 03:00 right after the gap, then 02:30.
        [
            "2025-03-29T01:30:00Z",
            "2025-03-30T01:00:00Z",
            "2025-03-31T00:30:00Z"
        ]
    );
    let builder = Harness::builder().clock(clock("2025-10-25T00:00:00Z"));
    let harness = builder.function(gap).build().await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    assert_eq!(
        outputs(&harness, gap).await,
        // Of the two moments of 02:30 the first.
        [
            "2025-10-25T00:30:00Z",
            "2025-10-26T00:30:00Z",
            "2025-10-27T01:30:00Z"
        ]
    );
    let builder = Harness::builder().clock(clock("2025-11-01T00:00:00Z"));
    let harness = builder.function(new_york).build().await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    assert_eq!(
        outputs(&harness, new_york).await,
        [
            "2025-11-01T05:30:00Z",
            "2025-11-02T05:30:00Z",
            "2025-11-03T06:30:00Z"
        ]
    );
    // Half an hour.
    let builder = Harness::builder().clock(clock("2025-10-03T15:00:00Z"));
    let harness = builder.function(lord_howe).build().await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    assert_eq!(
        outputs(&harness, lord_howe).await,
        [
            "2025-10-03T15:45:00Z",
            "2025-10-04T15:30:00Z",
            "2025-10-05T15:15:00Z"
        ]
    );
    // A day that there never was.
    let builder = Harness::builder().clock(clock("2011-12-29T12:00:00Z"));
    let harness = builder.function(samoa).build().await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    assert_eq!(
        outputs(&harness, samoa).await,
        [
            "2011-12-29T19:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T19:00:00Z",
            "2011-12-31T19:00:00Z"
        ]
    );
}

#[tokio::test]
async fn a_function_with_a_schedule_can_be_run_and_called_with_a_tick() {
    let builder = Harness::builder().clock(clock("2025-01-03T00:00:00Z"));
    let harness = builder
        .function(weekdays)
        .function(caller)
        .build()
        .await
        .unwrap();
    let tick = Tick::new(at("2025-01-01T00:00:00Z"))
        .with_missed(3)
        .with_previous(at("2024-12-30T00:00:00Z"));
    let again: Tick = serde_json::from_value(serde_json::to_value(&tick).unwrap()).unwrap();
    assert_eq!(again, tick);
    let run = harness.run(weekdays, tick).await.unwrap();
    assert_eq!(
        run.output().unwrap(),
        "2025-01-01T00:00:00Z after 2024-12-30T00:00:00Z, missed 3"
    );
    harness.travel_to(at("2025-01-04T00:00:00Z")).await.unwrap();
    assert_eq!(
        outputs(&harness, caller).await,
        ["2025-01-04T00:00:00Z after none, missed 0"]
    );
}

#[tokio::test]
async fn settling_starts_what_is_due_and_moves_to_no_tick() {
    let builder = Harness::builder().clock(clock("2025-01-03T07:00:00Z"));
    let harness = builder.function(weekdays).build().await.unwrap();
    harness.settle().await.unwrap();
    assert!(harness.runs_of(weekdays).await.unwrap().is_empty());
    harness.advance(HOUR);
    harness.settle().await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(
        outputs(&harness, weekdays).await,
        ["2025-01-03T08:00:00Z after none, missed 0"]
    );
}
