//! Ticks that come while the run of the last one goes on.

use belts::{
    Tick, sleep, step,
    store::RunStatus,
    testing::{Crash, Harness},
};

use crate::support::{DAY, HOUR, MINUTE, at, clock};

macro_rules! slow {
    ($name:ident, $id:literal $(, $option:ident = $value:literal)*) => {
        #[belts::function(id = $id, every = "1h" $(, $option = $value)*)]
        async fn $name(tick: Tick) -> belts::Result<String> {
            step!("begin", ()).await?;
            sleep!("rest", "150m").await?;
            step!("tell", format!("{} missed {}", tick.scheduled_at(), tick.missed())).await
        }
    };
}
slow!(skip, "skip");
slow!(queue, "queue", overlap = "queue");
slow!(allow, "allow", overlap = "allow");
slow!(cancel, "cancel", overlap = "cancel");

async fn hours<M, F: belts::Function<M, Output = String> + Copy>(
    function: F,
    count: u32,
) -> Harness {
    let builder = Harness::builder().clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(function).build().await.unwrap();
    harness.travel(HOUR * count).await.unwrap();
    harness
}

/// When runs were begun, by hours and minutes.
async fn begun<M, F: belts::Function<M, Output = String> + Copy>(
    harness: &Harness,
    function: F,
) -> Vec<String> {
    let runs = harness.runs_of(function).await.unwrap();
    let mut begun: Vec<_> = runs
        .iter()
        .map(|run| run.record().unwrap().started_at.unwrap().to_string())
        .collect();
    begun.sort_unstable();
    begun.iter().map(|time| time[11..16].to_owned()).collect()
}

#[tokio::test]
async fn it_is_skipped_and_the_reason_is_kept() {
    let harness = hours(skip, 5).await;
    assert_eq!(begun(&harness, skip).await, ["01:00", "04:00"]);
    let record = harness.worker().schedules().get("skip").await.unwrap();
    assert_eq!((record.counts.started, record.counts.skipped), (2, 3));
    let first = &record.skips[0];
    let run = harness.runs_of(skip).await.unwrap();
    let run = run
        .iter()
        .find(|run| run.status() == Some(RunStatus::Completed))
        .unwrap();
    assert_eq!(first.scheduled_at, at("2025-01-03T02:00:00Z"));
    assert_eq!(
        first.reason,
        format!(
            "overlap: the run `{}` of the tick before had not ended",
            run.run_id()
        )
    );
}

#[tokio::test]
async fn it_waits_for_the_end_of_the_run_before() {
    let harness = hours(queue, 6).await;
    // 01:00 until 03:30, then the tick of 02:00, and so on.
    assert_eq!(begun(&harness, queue).await, ["01:00", "03:30", "06:00"]);
    let record = harness.worker().schedules().get("queue").await.unwrap();
    assert_eq!(
        (record.counts.started, record.counts.skipped, record.queued),
        (3, 0, 3)
    );
    harness.travel(HOUR * 5).await.unwrap();
    assert_eq!(
        outputs_so_far(&harness).await,
        [
            "2025-01-03T01:00:00Z missed 0",
            "2025-01-03T02:00:00Z missed 0",
            "2025-01-03T03:00:00Z missed 0",
            "2025-01-03T04:00:00Z missed 0"
        ]
    );
}

async fn outputs_so_far(harness: &Harness) -> Vec<String> {
    let runs = harness.runs_of(queue).await.unwrap();
    let ended = runs
        .iter()
        .filter(|run| run.status() == Some(RunStatus::Completed));
    let mut outputs: Vec<_> = ended.map(|run| run.output().unwrap()).collect();
    outputs.sort_unstable();
    outputs
}

#[tokio::test]
async fn it_starts_beside_the_run_before() {
    let harness = hours(allow, 3).await;
    assert_eq!(begun(&harness, allow).await, ["01:00", "02:00", "03:00"]);
}

#[tokio::test]
async fn it_takes_the_place_of_the_run_before() {
    let harness = hours(cancel, 3).await;
    assert_eq!(begun(&harness, cancel).await, ["01:00", "02:00", "03:00"]);
    let runs = harness.runs_of(cancel).await.unwrap();
    let mut statuses: Vec<_> = runs
        .iter()
        .map(|run| run.status().unwrap().as_str())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["cancelled", "cancelled", "suspended"]);
    harness.settle().await.unwrap();
}

/// While a function is paused its ticks are held, and count as missed when it goes on.
#[tokio::test]
async fn a_paused_function_holds_its_ticks() {
    let harness = hours(allow, 1).await;
    harness.worker().functions().pause("allow").await.unwrap();
    harness.travel(HOUR * 4).await.unwrap();
    assert_eq!(harness.runs_of(allow).await.unwrap().len(), 1);
    let listed = harness.worker().schedules().list().await.unwrap();
    assert!(
        listed[0].paused_at.is_some()
            && harness
                .worker()
                .schedules()
                .next(3)
                .await
                .unwrap()
                .is_empty()
    );
    harness.worker().functions().resume("allow").await.unwrap();
    harness.travel(MINUTE).await.unwrap();
    harness.travel(DAY / 4).await.unwrap();
    let told = harness.runs_of(allow).await.unwrap();
    let told: Vec<String> = told.iter().filter_map(|run| run.output().ok()).collect();
    assert!(
        told.contains(&"2025-01-03T05:00:00Z missed 3".to_owned()),
        "{told:?}"
    );
}

#[tokio::test]
async fn the_run_before_is_cancelled_although_whoever_took_its_place_has_died() {
    for write in 1..=12 {
        for crash in [Crash::Before(write), Crash::After(write)] {
            let builder = Harness::builder().clock(clock("2025-01-03T00:30:00Z"));
            let harness = builder.function(cancel).build().await.unwrap();
            harness.travel(HOUR).await.unwrap();
            harness.faults().crash(crash);
            harness.travel(HOUR).await.unwrap();
            harness.faults().disarm();
            harness.travel(MINUTE).await.unwrap();
            let runs = harness.runs_of(cancel).await.unwrap();
            let going_on = runs.iter().filter(|run| {
                let status = run.status().unwrap();
                !status.is_finished()
            });
            assert_eq!(going_on.count(), 1, "{crash:?}");
            assert_eq!(runs.len(), 2, "{crash:?}");
        }
    }
}
