//! The demonstration: a worker in a child process, and a SIGKILL while it undoes.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{error::Error, path::PathBuf, time::Duration};

use belts::{
    Worker,
    store::{RunRecord, RunStatus},
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{
    desk::{self, Book, Desk},
    trips::{TripRequested, publish_trip_requested},
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORE: &str = "BELTS_STORE";
const PATIENCE: Duration = Duration::from_secs(60);
const TRIPS: usize = 20;
/// Of three reservations each where there is a car.
const BOOKED: usize = 3;
/// So many are released before the worker is killed.
const RELEASED: usize = 4;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let place = Place::fresh()?;
    let client = Worker::builder()
        .store_url(&place.store)
        .publish_only()
        .build()
        .await?;
    let mut worker = place.worker()?;
    // An event starts the functions that somebody has registered by then.
    let registered = async || Ok(!client.store().subscriptions().await?.is_empty());
    wait_until("the worker", registered).await?;
    for number in 0..TRIPS {
        let (trip_id, has_car) = (trip_id(number), number % 2 == 0);
        publish_trip_requested(TripRequested { trip_id, has_car })
            .idempotency_key(self::trip_id(number))
            .via(&client)
            .await?;
    }
    let some = async || Ok(place.book().released() >= RELEASED);
    wait_until("some releases", some).await?;
    worker.kill().await?;
    let undoing = of(&client, RunStatus::Undoing).await?.len();
    let crashes = usize::from(undoing > 0);
    println!("SIGKILL        while {undoing} trips are undone");
    worker = place.worker()?;
    let over = async || {
        let completed = of(&client, RunStatus::Completed).await?;
        let failed = of(&client, RunStatus::Failed).await?;
        Ok(completed.len() + failed.len() == TRIPS)
    };
    let finished = wait_until("the last trip", over).await;
    worker.kill().await?;
    let is_good = verdict(&client, &place.book(), crashes).await?;
    if finished.is_ok() && is_good {
        std::fs::remove_dir_all(&place.folder)?;
    }
    finished?;
    Ok(is_good)
}

/// The child process.
pub(crate) async fn work() -> Outcome<()> {
    let worker = Worker::builder()
        .store_url(std::env::var(STORE)?)
        .state(Desk::from_env())
        .build()
        .await?;
    Ok(worker.run().await?)
}

async fn verdict(client: &Worker, book: &Book, crashes: usize) -> Outcome<bool> {
    let completed = trips(client, RunStatus::Completed).await?;
    let failed = trips(client, RunStatus::Failed).await?;
    let standing = |trip: &String| book.standing(trip);
    let booked = completed.iter().filter(|trip| standing(trip) == BOOKED);
    let undone = failed.iter().filter(|trip| standing(trip) == 0);
    let (booked, undone) = (booked.count(), undone.count());
    let left: usize = failed.iter().map(standing).sum();
    let twice = book.released_twice();
    let noun = if crashes == 1 { "crash" } else { "crashes" };
    println!(
        "\n{TRIPS} trips · {booked} booked · {undone} undone · {crashes} {noun} · {left} reservations left · {twice} released twice"
    );
    Ok((booked, undone, crashes, left, twice) == (TRIPS / 2, TRIPS / 2, 1, 0, 0))
}

/// The trips whose runs stand so.
async fn trips(client: &Worker, status: RunStatus) -> Outcome<Vec<String>> {
    let mut trips = Vec::new();
    for run in of(client, status).await? {
        let run = client.store().run(&run.run_id).await?;
        let event = run.ok_or("the run is gone")?.payload;
        let trip: TripRequested = serde_json::from_slice(&event)?;
        trips.push(trip.trip_id);
    }
    Ok(trips)
}

/// The runs that stand so.
async fn of(client: &Worker, status: RunStatus) -> Outcome<Vec<RunRecord>> {
    let filter = belts::store::RunFilter::new().with_statuses([status]);
    Ok(client.store().list(filter).await?.runs)
}

fn trip_id(number: usize) -> String {
    format!("trip-{number:02}")
}

/// Where this demonstration keeps its files.
struct Place {
    folder: PathBuf,
    store: String,
    log: PathBuf,
}

impl Place {
    fn fresh() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("belts-trip-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            store: format!("sqlite://{}", folder.join("trips.db").display()),
            log: folder.join("desk.log"),
            folder,
        })
    }

    fn book(&self) -> Book {
        Book::read(&self.log)
    }

    fn worker(&self) -> Outcome<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--worker")
            .env(STORE, &self.store)
            .env(desk::ENV, &self.log)
            .kill_on_drop(true);
        Ok(command.spawn()?)
    }
}

async fn wait_until(what: &str, condition: impl AsyncFn() -> Outcome<bool>) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await? {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {what}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
