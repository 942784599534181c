//! Schedules that are put, changed and removed at run time.

use std::time::Duration;

use belts::{
    ErrorKind, Missed, Overlap, Schedule, Schedules, Tick, step,
    store::Memory,
    testing::{Harness, Reopen},
};
use serde::{Deserialize, Serialize};

use crate::support::{DAY, HOUR, at, clock, outputs};

#[derive(Debug, Serialize, Deserialize)]
struct Tenant {
    mail: String,
}

#[belts::function(id = "tenant-report")]
async fn report(tick: Tick) -> belts::Result<String> {
    let tenant: Option<Tenant> = tick.data()?;
    let mail = tenant.map_or("nobody".to_owned(), |tenant| tenant.mail);
    step!(
        "tell",
        format!("{} {} {mail}", tick.scheduled_at(), tick.schedule())
    )
    .await
}

#[belts::function(id = "planned", cron = "0 9 * * *")]
async fn planned(tick: Tick) -> belts::Result<String> {
    let number: u32 = tick.data()?;
    step!("tell", number.to_string()).await
}

fn tenant(mail: &str) -> Tenant {
    Tenant {
        mail: mail.to_owned(),
    }
}

fn nine() -> Schedule {
    Schedule::cron("0 9 * * *").tz("Europe/Berlin")
}

async fn harness() -> Harness {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T07:00:00Z"));
    builder
        .function(report)
        .function(planned)
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn data_reach_the_function() {
    let harness = harness().await;
    let schedules = harness.worker().schedules();
    schedules
        .put("tenant-7", report, nine(), tenant("ada"))
        .await
        .unwrap();
    schedules
        .put("tenant-8", report, Schedule::every(HOUR * 12), ())
        .await
        .unwrap();
    harness.travel(HOUR * 6).await.unwrap();
    assert_eq!(
        outputs(&harness, report).await,
        [
            "2025-01-03T08:00:00Z tenant-7 ada",
            "2025-01-03T12:00:00Z tenant-8 nobody"
        ]
    );
    // Data that are not what the function takes fail its run for good, and say where.
    let tick = Tick::new(harness.now())
        .with_data(&serde_json::json!({"mail": 5}))
        .unwrap();
    let failed = harness.run(report, tick).await.unwrap();
    let error = failed.error().unwrap();
    assert!(error.report().contains("at `mail`"), "{}", error.report());
    let missing = harness
        .run(planned, Tick::new(harness.now()))
        .await
        .unwrap();
    assert!(missing.error().is_some());
}

#[tokio::test]
async fn putting_it_again_goes_on_and_a_change_counts_from_now() {
    let harness = harness().await;
    let schedules = harness.worker().schedules();
    schedules
        .put("t", report, nine(), tenant("ada"))
        .await
        .unwrap();
    harness.advance(DAY);
    // A program puts its schedules at each start: what was missed is not forgotten by that.
    let record = schedules
        .put("t", report, nine(), tenant("eve"))
        .await
        .unwrap();
    assert_eq!(record.next, Some(at("2025-01-03T08:00:00Z")));
    harness.settle().await.unwrap();
    assert_eq!(
        outputs(&harness, report).await,
        ["2025-01-03T08:00:00Z t eve"]
    );
    let other = Schedule::every(HOUR)
        .missed(Missed::All)
        .overlap(Overlap::Allow)
        .jitter(Duration::from_secs(5));
    let record = schedules.put("t", report, other.clone(), ()).await.unwrap();
    assert_eq!(
        (record.next, record.schedule, record.counts.started),
        (Some(at("2025-01-04T08:00:00Z")), other, 1)
    );
}

#[tokio::test]
async fn pause_resume_trigger_next_and_remove() {
    let harness = harness().await;
    let schedules = harness.worker().schedules();
    schedules
        .put("t", report, nine(), tenant("ada"))
        .await
        .unwrap();
    let next = schedules.next_of("t", 3).await.unwrap();
    assert_eq!(
        next,
        [
            at("2025-01-03T08:00:00Z"),
            at("2025-01-04T08:00:00Z"),
            at("2025-01-05T08:00:00Z")
        ]
    );
    let all = schedules.next(10).await.unwrap();
    assert_eq!(all.len(), 10);
    assert_eq!(
        (&*all[0].schedule, &*all[1].schedule, &*all[1].function_id),
        ("t", "planned", "planned")
    );
    assert!(schedules.pause("t").await.unwrap() && !schedules.pause("t").await.unwrap());
    harness.travel(DAY * 2).await.unwrap();
    assert!(outputs(&harness, report).await.is_empty());
    assert!(schedules.next_of("t", 3).await.unwrap().is_empty());
    // By hand it runs all the same.
    let run = schedules.trigger_now("t").await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(
        outputs(&harness, report).await,
        ["2025-01-05T07:00:00Z t ada"]
    );
    assert!(
        harness
            .worker()
            .runs()
            .get(&run)
            .await
            .unwrap()
            .status
            .is_finished()
    );
    assert!(schedules.resume("t").await.unwrap() && !schedules.resume("t").await.unwrap());
    harness.travel(DAY).await.unwrap();
    assert_eq!(
        outputs(&harness, report).await.len(),
        2,
        "ticks of the pause are not missed ones"
    );
    assert!(schedules.remove("t").await.unwrap() && !schedules.remove("t").await.unwrap());
    harness.travel(DAY * 2).await.unwrap();
    assert_eq!(outputs(&harness, report).await.len(), 2);
    for error in [
        schedules.pause("t").await.unwrap_err(),
        schedules.trigger_now("t").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::UnknownSchedule);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let harness = harness().await;
    let schedules = harness.worker().schedules();
    for (name, schedule, part) in [
        (
            "t",
            Schedule::cron("0 25 * * *"),
            "is not a cron expression",
        ),
        (
            "t",
            Schedule::cron("0 9 * * *").tz("Mars/Base"),
            "there is no time zone `Mars/Base`",
        ),
        ("t", Schedule::cron("0 0 30 2 *"), "never fire"),
        ("t", Schedule::every(Duration::ZERO), "cannot tick every"),
        ("t", Schedule::every(HOUR).tz("UTC"), "cannot tick every"),
        ("", nine(), "is empty"),
        ("a\nb", nine(), "control characters"),
        ("planned", nine(), "is the id of a function"),
    ] {
        let error = schedules.put(name, report, schedule, ()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = schedules.remove("planned").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

/// Without a worker, as the program `belts` does on a store.
#[tokio::test]
async fn schedules_of_a_store_alone_are_seen_and_changed() {
    let place = Memory::new();
    let builder = Harness::builder()
        .store(place.clone())
        .clock(clock("2025-01-03T07:00:00Z"));
    let harness = builder.function(planned).build().await.unwrap();
    let schedules = Schedules::of(place.open().await.unwrap());
    assert_eq!(schedules.list().await.unwrap().len(), 1);
    schedules.pause("planned").await.unwrap();
    harness.travel(DAY).await.unwrap();
    assert!(harness.runs_of(planned).await.unwrap().is_empty());
}

#[belts::function(id = "ranged", every = "24h")]
async fn ranged(tick: Tick) -> belts::Result<String> {
    let since = tick.previous().map(|previous| previous.to_string());
    step!("tell", format!("{} since {since:?}", tick.scheduled_at())).await
}

#[tokio::test]
async fn a_run_that_was_triggered_is_the_previous_one_of_the_next() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T15:00:00Z"));
    let harness = builder.function(ranged).build().await.unwrap();
    let schedules = harness.worker().schedules();
    harness.travel(HOUR * 9).await.unwrap();
    for _ in 0..2 {
        harness.travel(HOUR).await.unwrap();
        schedules.trigger_now("ranged").await.unwrap();
        harness.settle().await.unwrap();
    }
    harness.travel(DAY).await.unwrap();
    assert_eq!(
        outputs(&harness, ranged).await,
        [
            "2025-01-04T00:00:00Z since None",
            "2025-01-04T01:00:00Z since Some(\"2025-01-04T00:00:00Z\")",
            "2025-01-04T02:00:00Z since Some(\"2025-01-04T01:00:00Z\")",
            "2025-01-05T00:00:00Z since Some(\"2025-01-04T02:00:00Z\")",
        ]
    );
    // It is no tick of the plan, and stands in the way of none.
    let record = schedules.get("ranged").await.unwrap();
    assert_eq!(record.counts.started, 2);
    assert_eq!(
        record.last.unwrap().scheduled_at,
        at("2025-01-05T00:00:00Z")
    );
}
