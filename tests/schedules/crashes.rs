//! A crash before and after each write: each tick starts one run, and none is left out.

use belts::{
    Tick, step,
    store::Memory,
    testing::{Crash, Harness, Reopen, SqliteFile},
};

use crate::{
    places::{InSchema, UnderPrefix},
    support::{HOUR, clock, outputs},
};

macro_rules! hourly {
    ($name:ident, $id:literal $(, $option:ident = $value:literal)*) => {
        #[belts::function(id = $id, every = "1h" $(, $option = $value)*)]
        async fn $name(tick: Tick) -> belts::Result<String> {
            step!("tell", format!("{} missed {}", tick.scheduled_at(), tick.missed())).await
        }
    };
}
hourly!(swept, "swept", overlap = "allow");
hourly!(swept_all, "swept-all", missed = "all", overlap = "cancel");

async fn survives_every_crash<M, P: Reopen>(
    place: fn() -> P,
    function: impl belts::Function<M, Output = String> + Copy,
    wanted: &[&str],
) {
    for write in 1..=9 {
        for crash in [Crash::Before(write), Crash::After(write)] {
            let builder = Harness::builder()
                .store(place())
                .clock(clock("2025-01-03T00:30:00Z"));
            let harness = builder.function(function).build().await.unwrap();
            harness.faults().crash(crash);
            harness.travel(HOUR).await.unwrap();
            harness.advance(HOUR * 2);
            harness.travel(HOUR).await.unwrap();
            harness.faults().disarm();
            harness.settle().await.unwrap();
            let told = outputs(&harness, function).await;
            assert_each_tick_once(&told);
            // After a crash the next worker may take its time, by the clock of the test.
            if told.last() <= wanted.last().map(|last| (*last).to_owned()).as_ref() {
                assert_eq!(told, wanted, "{crash:?}");
            }
        }
    }
}

/// Each hour started a run, or was told as missed to the next one.
fn assert_each_tick_once(told: &[String]) {
    let mut next = 1;
    for tick in told {
        let number = |text: &str| text.parse::<u32>().unwrap();
        let (hour, missed) = (
            number(&tick[11..13]),
            number(tick.rsplit(' ').next().unwrap()),
        );
        assert_eq!(hour, next + missed, "{told:?}");
        next = hour + 1;
    }
    assert!(next > 4, "{told:?}");
}

const LATEST: [&str; 3] = [
    "2025-01-03T01:00:00Z missed 0",
    "2025-01-03T03:00:00Z missed 1",
    "2025-01-03T04:00:00Z missed 0",
];
const ALL: [&str; 4] = [
    "2025-01-03T01:00:00Z missed 0",
    "2025-01-03T02:00:00Z missed 0",
    "2025-01-03T03:00:00Z missed 0",
    "2025-01-03T04:00:00Z missed 0",
];

#[tokio::test]
async fn ticks_survive_every_crash_on_memory() {
    survives_every_crash(Memory::new, swept, &LATEST).await;
    survives_every_crash(Memory::new, swept_all, &ALL).await;
}

#[tokio::test]
async fn ticks_survive_every_crash_on_sqlite() {
    survives_every_crash(SqliteFile::temporary, swept, &LATEST).await;
    survives_every_crash(SqliteFile::temporary, swept_all, &ALL).await;
}

#[cfg_attr(not(has_postgres), ignore = "no PostgreSQL found")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_survive_every_crash_on_postgres() {
    survives_every_crash(InSchema::new, swept, &LATEST).await;
}

#[cfg_attr(not(has_redis), ignore = "no redis-server found")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_survive_every_crash_on_redis() {
    survives_every_crash(UnderPrefix::new, swept, &LATEST).await;
}
