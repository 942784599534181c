//! Ticks at whose time no worker was there.

use belts::{Tick, step, store::Memory, testing::Harness};

use crate::support::{DAY, HOUR, MINUTE, at, clock, outputs};

macro_rules! hourly {
    ($name:ident, $id:literal $(, $option:ident = $value:literal)*) => {
        #[belts::function(id = $id, every = "1h" $(, $option = $value)*)]
        async fn $name(tick: Tick) -> belts::Result<String> {
            step!("tell", format!("{} missed {}", tick.scheduled_at(), tick.missed())).await
        }
    };
}
hourly!(latest, "latest");
hourly!(skip, "skip", missed = "skip");
hourly!(all, "all", missed = "all");
hourly!(all_beside, "all-beside", missed = "all", overlap = "allow");

#[belts::function(id = "minutes", cron = "* * * * *", missed = "all")]
async fn minutes(tick: Tick) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} missed {}", tick.scheduled_at(), tick.missed())
    )
    .await
}

/// Five ticks pass while nobody looks.
async fn down<M, F: belts::Function<M, Output = String> + Copy>(
    function: F,
) -> (Harness, Vec<String>) {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(function).build().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    harness.advance(HOUR * 5);
    harness.restart().await.unwrap();
    harness.settle().await.unwrap();
    let outputs = outputs(&harness, function).await;
    (harness, outputs)
}

#[tokio::test]
async fn the_latest_starts_one_run_that_is_told_of_the_others() {
    let (harness, told) = down(latest).await;
    assert_eq!(
        told,
        [
            "2025-01-03T01:00:00Z missed 0",
            "2025-01-03T06:00:00Z missed 4"
        ]
    );
    harness.travel(HOUR).await.unwrap();
    assert_eq!(
        outputs(&harness, latest).await[2],
        "2025-01-03T07:00:00Z missed 0"
    );
    let record = harness.worker().schedules().get("latest").await.unwrap();
    assert_eq!((record.counts.started, record.counts.missed), (3, 4));
}

#[tokio::test]
async fn skipped_ones_start_none_and_the_next_is_told() {
    let (harness, told) = down(skip).await;
    assert_eq!(told, ["2025-01-03T01:00:00Z missed 0"]);
    harness.travel(HOUR).await.unwrap();
    assert_eq!(
        outputs(&harness, skip).await[1],
        "2025-01-03T07:00:00Z missed 5"
    );
    let record = harness.worker().schedules().get("skip").await.unwrap();
    assert_eq!((record.counts.started, record.counts.missed), (2, 5));
    assert!(
        record.skips[0].reason.starts_with("missed: no worker"),
        "{record:?}"
    );
}

/// A deploy over a tick takes a few seconds, in which nobody is there.
#[tokio::test]
async fn a_restart_over_a_tick_misses_nothing() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:59:50Z"));
    let harness = builder.function(skip).build().await.unwrap();
    harness.advance(MINUTE / 2);
    harness.restart().await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(
        outputs(&harness, skip).await,
        ["2025-01-03T01:00:00Z missed 0"]
    );
}

#[tokio::test]
async fn all_of_them_start_runs_the_oldest_first() {
    let wanted: Vec<_> = (1..=6)
        .map(|hour| format!("2025-01-03T0{hour}:00:00Z missed 0"))
        .collect();
    let (harness, told) = down(all).await;
    assert_eq!(told, wanted);
    let mut runs = harness.runs_of(all).await.unwrap();
    runs.sort_by_key(|run| run.output().unwrap());
    let numbers: Vec<_> = runs
        .iter()
        .map(|run| run.record().unwrap().started_at)
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let (_, told) = down(all_beside).await;
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn no_more_than_a_hundred_are_made_up_for() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:00:30Z"));
    let harness = builder.function(minutes).build().await.unwrap();
    harness.advance(DAY * 14);
    harness.settle().await.unwrap();
    let told = outputs(&harness, minutes).await;
    assert_eq!(told.len(), 100);
    // Of 14 days of minutes the last hundred; more than ten thousand are not counted one by one.
    let first = &told[0];
    let missed: u32 = first.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(first.starts_with("2025-01-16T22:21:00Z"), "{first}");
    assert!((9_900..=14 * 24 * 60 - 100).contains(&missed), "{missed}");
    assert_eq!(told[99], "2025-01-17T00:00:00Z missed 0");
    let next = harness
        .worker()
        .schedules()
        .get("minutes")
        .await
        .unwrap()
        .next;
    assert_eq!(next, Some(at("2025-01-17T00:01:00Z")));
}

#[belts::function(id = "seconds", every = "10s")]
async fn seconds(tick: Tick) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} missed {}", tick.scheduled_at(), tick.missed())
    )
    .await
}

#[tokio::test]
async fn of_several_within_a_minute_only_the_last_is_no_missed_one() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:00:05Z"));
    let harness = builder.function(seconds).build().await.unwrap();
    harness.advance(std::time::Duration::from_secs(35));
    harness.settle().await.unwrap();
    assert_eq!(
        outputs(&harness, seconds).await,
        ["2025-01-03T00:00:40Z missed 3"]
    );
}
