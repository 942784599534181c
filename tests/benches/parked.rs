//! 100,000 runs that sleep or wait: what each takes on disk, and what they cost a worker that waits for them.

use std::{io::Read, path::Path, sync::Arc, time::Duration};

use belts::{Schedule, WorkerBuilder, store::Sqlite};

use crate::{
    Outcome,
    functions::{MARKS, asleep, paid_for, yearly},
    measure::{Directory, float, pause},
    process::{self, Running},
    report::{Row, Target},
    runs,
};

pub(crate) const RUNS: usize = 100_000;
/// How long an idle worker is watched.
const WATCH: Duration = Duration::from_secs(4);

pub(crate) async fn parked() -> Outcome {
    let most = 600.0;
    runs_parked(
        [
            "parked-sqlite",
            "parked-sqlite-memory",
            "parked-sqlite-idle",
        ],
        most,
        Kind::Asleep,
    )
    .await
}

pub(crate) async fn parked_events() -> Outcome {
    let names = [
        "parked-events-sqlite",
        "parked-events-sqlite-memory",
        "parked-events-sqlite-idle",
    ];
    runs_parked(names, 700.0, Kind::Waiting).await
}

/// How many schedules wait for their time.
const SCHEDULES: usize = 1_000;

/// What schedules cost a waiting worker of which none is due.
pub(crate) async fn schedules() -> Outcome {
    let directory = Directory::new()?;
    let database = directory.file("belts.db");
    let store = Arc::new(Sqlite::open(&database).await?);
    let worker = Running::start(store, |builder| builder.function(yearly)).await?;
    for number in 0..SCHEDULES {
        let name = format!("tenant-{number}");
        let yearly_at = Schedule::cron("@yearly").tz("Europe/Berlin");
        worker
            .schedules()
            .put(name, yearly, yearly_at, number)
            .await?;
    }
    worker.stop().await?;
    let (_, value) = watch(&database, Kind::Scheduled)?;
    let (limit, target) = (None, Target::AtMost(0.5));
    let row = Row {
        name: "cron-idle-sqlite",
        value,
        unit: "%",
        limit,
        target,
    };
    row.print();
    Ok(())
}

/// What the runs do.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Asleep,
    Waiting,
    /// Nothing: the clock is to start them, and not now.
    Scheduled,
}

impl Kind {
    fn functions(self, builder: WorkerBuilder) -> WorkerBuilder {
        match self {
            Self::Asleep => builder.function(asleep),
            Self::Waiting => builder.function(paid_for),
            Self::Scheduled => builder.function(yearly),
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Asleep => "idle",
            Self::Waiting => "idle-waiting",
            Self::Scheduled => "idle-scheduled",
        }
    }
}

/// Fills a file with runs that sleep or wait.
pub(crate) async fn fill(file: &Path, runs: usize, kind: Kind) -> Outcome {
    let store = Arc::new(Sqlite::open(file).await?);
    let worker = Running::start(store, |builder| kind.functions(builder)).await?;
    MARKS.reset();
    runs::publish(&worker, runs, 0).await?;
    while MARKS.ends() < runs {
        pause(Duration::from_millis(10)).await;
    }
    worker.stop().await
}

async fn runs_parked(
    [bytes, memory, idle]: [&'static str; 3],
    most_bytes: f64,
    kind: Kind,
) -> Outcome {
    let directory = Directory::new()?;
    let database = directory.file("belts.db");
    let empty = directory.file("empty.db");
    for (file, runs) in [(&empty, 0), (&database, RUNS)] {
        fill(file, runs, kind).await?;
    }
    let row = |name, value, unit, most| {
        let (limit, target) = (None, Target::AtMost(most));
        Row {
            name,
            value,
            unit,
            limit,
            target,
        }
        .print();
    };
    let value = float(usize::try_from(size(&database)?)?) / float(RUNS);
    row(bytes, value, "bytes/run", most_bytes);
    let (base, _) = watch(&empty, kind)?;
    let (resident, busy) = watch(&database, kind)?;
    // What the allocator and SQLite's own cache leave to chance is less than this.
    row(memory, (resident - base) / float(RUNS), "bytes/run", 4.0);
    row(idle, busy, "%", 0.5);
    Ok(())
}

/// The bytes of the database, with all of its log in it.
fn size(database: &Path) -> Outcome<u64> {
    let connection = rusqlite::Connection::open(database)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(connection);
    Ok(std::fs::metadata(database)?.len())
}

/// The bytes of memory and the percents of a core of a worker that waits.
fn watch(database: &Path, kind: Kind) -> Outcome<(f64, f64)> {
    let mut child = process::spawn(kind.role(), &format!("sqlite://{}", database.display()), 0)?;
    let mut said = String::new();
    child
        .stdout
        .take()
        .ok_or("the output is piped")?
        .read_to_string(&mut said)?;
    child.wait()?;
    let (resident, busy) = said
        .trim()
        .split_once(' ')
        .ok_or("a worker that waits says two numbers")?;
    Ok((resident.parse()?, busy.parse()?))
}

/// The worker that waits: says its bytes of memory and the percents of a core that it took.
pub(crate) async fn idle(url: &str, kind: Kind) -> Outcome {
    let worker = Running::at(url, |builder| kind.functions(builder)).await?;
    pause(Duration::from_secs(1)).await;
    let before = process_seconds()?;
    pause(WATCH).await;
    let busy = (process_seconds()? - before) / WATCH.as_secs_f64() * 100.0;
    println!("{} {busy}", resident_bytes()?);
    worker.stop().await
}

/// Linux tells in `/proc`; elsewhere these rows cannot be measured.
fn resident_bytes() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}

/// Seconds that the threads of this process have been on a core.
fn process_seconds() -> Outcome<f64> {
    let mut nanos = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += schedstat
            .split(' ')
            .next()
            .ok_or("schedstat begins with a number")?
            .parse::<f64>()?;
    }
    Ok(nanos / 1e9)
}
